"""From an empty devcloud to tickets with nothing but the command line, as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pexpect
import pytest
from pexpect import fdpexpect

from devcloud.cloud import DevCloud
from devcloud.entra.browser import sign_in
from devcloud.samples import samples
from ticket_engine import __version__

KEY = "a-function-key"
COMMAND = [sys.executable, "-m", "ticket_engine.cli"]


@pytest.fixture(scope="module")
def empty() -> Iterator[DevCloud]:
    """A cloud of its own with the functions host, and nothing in it."""
    with DevCloud(host=True, settings={"DEVCLOUD_FUNCTION_KEY": KEY}) as cloud:
        yield cloud


@pytest.fixture
def terminal(empty: DevCloud) -> dict[str, str]:
    """The environment of a terminal where devcloud's line was pasted."""
    clean = {name: value for name, value in os.environ.items() if name not in empty.environment()}
    return {**clean, "TICKET_ENGINE_ENV": str(empty.write_env_file()), "NO_COLOR": "1", "COLUMNS": "140"}


class Terminal(fdpexpect.fdspawn):  # type: ignore[misc]  # pexpect ships no types
    """A command at a terminal of its own, which takes what is typed and Ctrl-C."""

    def __init__(self, environment: dict[str, str], *arguments: str, columns: int = 140) -> None:
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, columns))
        # setsid makes the terminal the controlling one, so that Ctrl-C reaches the command.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "COLUMNS": str(columns)},
        )
        os.close(theirs)
        super().__init__(ours, encoding="utf-8", timeout=30)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type an answer."""
        self.expect_exact(question)
        self.expect(": ?$")
        self.send(f"{text}\n")

    def rest(self, code: int = 0) -> str:
        """Everything that comes until the command ends, which it must do with this code."""
        self.expect(pexpect.EOF)
        self.close()
        assert self.process.wait(30) == code, self.before
        return str(self.before)


def ran(terminal: dict[str, str], *arguments: str, code: int = 0) -> Any:
    """Run a command with --json and read what it printed."""
    done = subprocess.run([*COMMAND, *arguments, "--json"], env=terminal, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for a condition, at most a minute."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_an_operator_comes_from_nothing_to_tickets_with_the_command_line_alone(
    empty: DevCloud, terminal: dict[str, str]
) -> None:
    application = empty.add_application()
    account = empty.add_account("support")
    assert "mailbox add" in Terminal(terminal, "status").rest()

    add = Terminal(terminal, "mailbox", "add", "--host", "localhost", "--port", str(empty.mail.pop3_port), "--qr")
    add.answer("Mail address of the mailbox", "support at contoso")
    add.expect_exact("username takes the mailbox's mail address")
    add.answer("Mail address of the mailbox", account)
    add.answer("Short id, such as support-desk [support]", "")
    add.answer("Name for people [Support]", "Support desk")
    add.answer("Directory (tenant) id, or a domain of it [contoso.example]", empty.tenant.id)
    add.answer("Application (client) id", application.client_id)
    add.answer("Redirect URL", empty.redirect_url)
    add.expect_exact("Added support (support@contoso.example, POP3 - OAuth, localhost:")
    secret = application.add_secret()
    add.answer("Client secret (Enter to do it later)", "11111111-2222-3333-4444-555555555555")
    add.answer("It ends on", "24m")
    add.expect_exact("this is the secret's id, not its value")
    add.answer("Client secret (Enter to do it later)", secret)
    add.answer("It ends on", "2028-11-24")
    add.expect_exact("Stored the client secret of support; it ends on 2028-11-24.")
    shown = add.rest()
    assert secret not in shown
    link = next(line.strip() for line in shown.splitlines() if "invite=" in line)
    assert "█" in shown
    assert "Next: ticket-engine ticket-type add" in shown

    with httpx.Client(verify=empty.certificates.context(), timeout=60) as browser:
        assert sign_in(browser, link, account).status_code == httpx.codes.OK

    add = Terminal(terminal, "ticket-type", "add")
    add.answer("Id of the mailbox [support]", "")
    add.answer("Short id of the ticket type [support]", "")
    add.answer("Name for people [Support]", "Requests")
    add.answer("Mail address of the person who looks after these tickets", "lead@contoso.example")
    assert "becomes tickets for lead@contoso.example" in add.rest()

    test = Terminal(terminal, "mailbox", "test", "support").rest()
    assert [line.split()[:2] for line in test.splitlines() if line.startswith("ok")] == [
        ["ok", step] for step in ("dns", "tls", "capability", "token", "login", "count")
    ]
    for sample in samples():
        empty.mail.deliver(account, sample.raw)
    empty.host.fire("mail_poll_timer")
    wait_until(lambda: ran(terminal, "mailbox", "show", "support")["messages_ingested"] == len(samples()))

    tickets = ran(terminal, "ticket", "list", "--mailbox", "support")
    assert len(tickets) == len(samples()) - 1
    assert {each["assignee"] for each in tickets} == {"lead@contoso.example"}
    status = Terminal(terminal, "status").rest()
    assert "1 mailbox, all well." in status
    journal = ran(terminal, "journal", "support")
    assert {"added", "secret-stored", "invited", "connected", "ticket-type-added"} <= {
        each["event"] for each in journal
    }
    by = {each["event"]: each["by"] for each in journal}
    assert by["added"] == by["secret-stored"]
    assert by["added"]


def test_a_second_mailbox_of_the_directory_takes_over_what_it_can(empty: DevCloud, terminal: dict[str, str]) -> None:
    account = empty.add_account("billing")
    options = ["--like", "support", "--username", account, "--name", "Billing", "--secret-from", "support"]
    made = ran(terminal, "mailbox", "add", "billing", *options)
    first = ran(terminal, "mailbox", "show", "support")["mailbox"]
    for name in ("tenant_id", "client_id", "redirect_url", "host", "port"):
        assert made["mailbox"][name] == first[name]
    assert made["client_secret_stored"]
    with httpx.Client(verify=empty.certificates.context(), timeout=60) as browser:
        assert sign_in(browser, made["consent_url"], account).status_code == httpx.codes.OK
    ran(terminal, "mailbox", "test", "billing")


def test_the_doctor_finds_nothing_wrong_with_a_cloud_that_works(terminal: dict[str, str]) -> None:
    found = ran(terminal, "doctor")
    assert found["ok"], found
    names = {each["name"] for each in found["checks"]}
    assert {"blobs", "vault", "clock", "queue mail-poll", "queue mail-poll-poison", "table Tickets"} <= names
    assert any(name.startswith("app localhost") for name in names)
    assert "nothing wrong" in Terminal(terminal, "doctor").rest()
    with_key = ran(terminal, "doctor", "--key", KEY)["checks"]
    assert any(f"is release {__version__}" in each["sentence"] for each in with_key)
    wrong = ran(terminal, "doctor", "--key", "guessed", code=1)["checks"]
    assert any("function key is not accepted" in each["sentence"] for each in wrong)


def test_details_and_metrics_need_the_function_key(empty: DevCloud) -> None:
    with httpx.Client(verify=empty.certificates.context(), timeout=60) as web:
        for path in ("/api/health/mailboxes", "/api/metrics"):
            assert web.get(f"{empty.app_url}{path}").status_code == httpx.codes.UNAUTHORIZED
            assert web.get(f"{empty.app_url}{path}", headers={"x-functions-key": KEY}).status_code == httpx.codes.OK
        assert web.get(f"{empty.app_url}/api/health").json() == {"status": "ok"}


def test_a_removal_asks_first_and_says_what_goes(terminal: dict[str, str]) -> None:
    remove = Terminal(terminal, "mailbox", "remove", "billing")
    remove.expect_exact("billing--refresh-token")
    remove.expect_exact("Remove mailbox billing? [y/N]")
    remove.send("n\n")
    assert "Stopped" in remove.rest(130)
    ran(terminal, "mailbox", "show", "billing")
    remove = Terminal(terminal, "mailbox", "remove", "billing")
    remove.expect_exact("[y/N]")
    remove.send("y\n")
    assert "Removed billing." in remove.rest()
    assert [each["id"] for each in ran(terminal, "mailbox", "list")] == ["support"]


def test_watching_the_status_ends_with_ctrl_c(terminal: dict[str, str]) -> None:
    watch = Terminal(terminal, "status", "--watch", "--every", "1")
    watch.expect_exact("Again in 1 s")
    watch.expect_exact("Again in 1 s")
    watch.send("\x03")
    assert "Traceback" not in watch.rest(130)
