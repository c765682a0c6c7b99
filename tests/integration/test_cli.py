"""The command line: what it prints for people and programs, and what it says when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from devcloud.cloud import DevCloud
from reference.commands import every
from ticket_engine.cli.app import app
from ticket_engine.cli.base import Group
from ticket_engine.cli.session import name_in, read_env_file
from ticket_engine.settings import SettingError

Desks = Callable[..., Any]
Mail = Callable[..., bytes]
Run = Callable[..., Result]


@pytest.fixture
def run(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as a program or a pipe does: there is no terminal to ask at."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str, given: str = "", **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, input=given, env=environment)

    return invoke


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result, code: int, *said: str) -> None:
    """It ended with this code, said this on stderr, printed nothing as a result, and showed no traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for each in said:
        assert each in result.stderr
    assert "Traceback" not in result.output


def test_help_starts_in_a_moment_because_commands_load_when_they_run() -> None:
    code = "import sys; from ticket_engine.cli.app import app; app.main(['--help'], prog_name='ticket-engine')"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "Commands:" in done.stdout
    assert not {"pydantic", "rich", "azure.core", "msal", "ticket_engine.records", "yaml"} & loaded


@pytest.mark.parametrize(("path", "command"), [each for each in every() if not isinstance(each[1], Group)])
def test_every_command_speaks_json(path: str, command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    # The script for a shell is what it is.
    assert ("--json" in options) == (path != "ticket-engine completion")


def test_a_mailbox_is_shown_to_programs_without_the_machines_own(desk: Any, run: Run) -> None:
    desk.poll()
    shown = read(run("mailbox", "show", desk.id, "--json"))
    assert (shown["mailbox"]["id"], shown["connection"], shown["ok"]) == (desk.id, "connected", True)
    assert shown["connected_as"] == desk.address
    assert not any("lease" in name or "hash" in name or "checkpoint" in name for name in shown)
    assert desk.id in [each["id"] for each in read(run("mailbox", "list", "--json"))]
    people = run("mailbox", "show", desk.id)
    assert "connected as" in people.stdout
    assert desk.address in people.stdout


def test_the_status_ends_with_a_code_for_scripts(new_desk: Desks, run: Run) -> None:
    desk = new_desk()
    result = run("status", "--json")
    assert result.exit_code == 1
    (mine,) = [each for each in json.loads(result.stdout)["mailboxes"] if each["mailbox"]["id"] == desk.id]
    assert (mine["ok"], mine["actor"]) == (False, "mailbox owner")
    people = run("status")
    assert people.exit_code == 1
    assert f"{desk.id}: Not connected: {desk.address} must open the consent link" in people.stdout


def test_a_table_in_a_pipe_keeps_every_character(desk: Any, run: Run) -> None:
    desk.change(name="N" * 200)
    (line,) = [each for each in run("mailbox", "list").stdout.splitlines() if each.startswith(f"{desk.id} ")]
    assert desk.address in line
    assert "…" not in line
    assert "\x1b" not in line


def test_edit_says_what_changed_and_what_to_do_next(desk: Any, run: Run, cloud: DevCloud) -> None:
    result = run("mailbox", "edit", desk.id, "--after-ingest", "delete", "--name", "Help")
    assert "after_ingest: keep -> delete" in result.stdout
    assert desk.mailbox.name == "Help"
    again = run("mailbox", "edit", desk.id, "--name", "Help")
    assert "is like that already" in again.stderr
    other = cloud.add_account(f"{desk.id}-b")
    assert "must connect the mailbox again" in run("mailbox", "edit", desk.id, "--username", other).stderr
    shared = read(run("mailbox", "edit", desk.id, "--delegate", desk.address, "--json"))["mailbox"]
    assert (shared["shared_mailbox"], shared["delegate"]) == (True, desk.address)
    alone = read(run("mailbox", "edit", desk.id, "--delegate", "", "--json"))["mailbox"]
    assert (alone["shared_mailbox"], alone["delegate"]) == (False, None)


def test_a_link_for_the_owner_is_all_that_goes_to_standard_output(desk: Any, run: Run) -> None:
    result = run("mailbox", "invite", desk.id)
    (link,) = result.stdout.splitlines()
    assert link.startswith("https://")
    assert desk.address in result.stderr
    assert "revoked" in run("mailbox", "invite", desk.id, "--revoke").stderr
    assert "no open link" in run("mailbox", "invite", desk.id, "--revoke").stderr


def test_a_secret_comes_from_a_pipe_and_is_never_printed(desk: Any, run: Run) -> None:
    secret = desk.application.add_secret()
    result = run("mailbox", "set-secret", desk.id, "--ends", "2028-11-24", given=f"{secret}\n")
    assert "it ends on 2028-11-24" in result.stderr
    assert secret not in result.output
    assert desk.engine.stores.vault.client_secret(desk.id).value == secret
    refused(run("mailbox", "set-secret", desk.id, given=f"{secret}\n"), 2, "--ends is missing")
    refused(run("mailbox", "set-secret", desk.id, "--ends", "soon", given=secret), 2, "such as 2027-11-24")
    refused(run("mailbox", "set-secret", desk.id, "--ends", "2020-01-01", given=secret), 2, "has ended on 2020-01-01")
    refused(run("mailbox", "set-secret", desk.id, "--ends", "24m"), 2, "pipe it in")


def test_a_token_that_was_obtained_by_hand_connects_a_mailbox(new_desk: Desks, run: Run) -> None:
    desk = new_desk()
    token = desk.token_by_hand()
    refused(run("mailbox", "import-token", desk.id, given="not a token\n"), 1, "Who must act: mailbox owner")
    result = run("mailbox", "import-token", desk.id, given=f"{token}\n")
    assert "Connected" in result.stderr
    assert token not in result.output


def test_the_journal_says_who_did_what(desk: Any, run: Run) -> None:
    run("mailbox", "pause", desk.id)
    entries = read(run("journal", desk.id, "--json", "-n", "1"))
    assert [each["event"] for each in entries] == ["paused"]
    assert f"{entries[0]['by']}: Polling was paused." in run("journal", desk.id).stdout


def test_ticket_types_are_added_changed_and_removed(desk: Any, run: Run) -> None:
    name = f"{desk.id}-orders"
    options = ["--mailbox", desk.id, "--name", "Orders", "--admin-email", "o@contoso.example"]
    assert "becomes tickets" in run("ticket-type", "add", name, *options).stderr
    assert "name: Orders -> Sales" in run("ticket-type", "edit", name, "--name", "Sales").stdout
    assert [each["id"] for each in read(run("ticket-type", "list", "--mailbox", desk.id, "--json"))] == [desk.id, name]
    assert read(run("ticket-type", "show", name, "--json"))["name"] == "Sales"
    refused(run("ticket-type", "remove", name), 2, "add --yes")
    assert "Removed" in run("ticket-type", "remove", name, "--yes").stderr
    refused(run("ticket-type", "show", name), 2, "ticket-engine ticket-type list")


def test_the_secret_of_a_webhook_is_shown_once_and_replaced_only_after_a_question(desk: Any, run: Run) -> None:
    name = f"{desk.id}-hook"
    options = ["--mailbox", desk.id, "--name", "Hook", "--admin-email", "o@contoso.example", "--task", "webhook"]
    refused(run("ticket-type", "add", name, *options), 2, "webhook_url is missing")
    added = run("ticket-type", "add", name, *options, "--webhook-url", "https://hooks.contoso.example/")
    assert f"Next: ticket-engine ticket-type webhook-secret {name}" in added.stderr
    first = run("ticket-type", "webhook-secret", name)
    assert first.stdout.strip() == desk.engine.stores.vault.webhook_secret(name).value
    refused(run("ticket-type", "webhook-secret", name), 2, "add --yes")
    second = read(run("ticket-type", "webhook-secret", name, "--yes", "--json"))["secret"]
    assert second != first.stdout.strip()
    assert second not in run("journal", desk.id).stdout


def test_a_mailbox_is_added_by_a_program_in_one_command(desk: Any, run: Run) -> None:
    record = desk.mailbox
    options = [
        f"--{name.replace('_', '-')}={getattr(record, name)}" for name in ("tenant_id", "client_id", "redirect_url")
    ]
    name = f"{desk.id}-more"
    made = read(run("mailbox", "add", name, "--name", "More", f"--username={name}@contoso.example", *options, "--json"))
    assert (made["mailbox"]["port"], made["client_secret_stored"]) == (995, False)
    assert f"/api/consent/{name}?invite=" in made["consent_url"]
    assert read(run("mailbox", "remove", name, "--yes", "--json"))["mailbox"]["id"] == name


def test_all_that_is_wrong_with_a_new_mailbox_is_said_at_once(run: Run, desk: Any) -> None:
    result = run("mailbox", "add", "Support Desk", "--username", "support", "--port", "99999")
    refused(result, 2, "id takes lower-case letters", "username takes", "port takes", "tenant_id", "redirect_url")
    result = run("mailbox", "add", "x", "--username", "support", "--json")
    refused(result, 2)
    assert any(each.startswith("username takes") for each in json.loads(result.stderr)["error"]["problems"])
    same = ["--like", desk.id, "--name", "Same", "--username", desk.address]
    refused(run("mailbox", "add", "same", *same), 2, f"Mailbox {desk.id} reads")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mailbox", "show", "nobody"], "see ticket-engine mailbox list"),
        (["mailbox", "remove", "nobody", "--yes"], "There is no mailbox with the id 'nobody'"),
        (["mailbox", "set-secret", "nobody"], "There is no mailbox with the id 'nobody'"),
        (["mailbox", "invite", "nobody"], "There is no mailbox with the id 'nobody'"),
        (["mailbox", "test", "nobody"], "There is no mailbox with the id 'nobody'"),
        (["journal", "nobody"], "There is no mailbox with the id 'nobody'"),
        (["ticket-type", "edit", "nobody", "--name", "x"], "see ticket-engine ticket-type list"),
        (["mailbox", "edit", "nobody"], "Say what to change"),
        (["mailbox", "edit", "nobody", "--type", "smtp"], "'POP3 - OAuth' or 'IMAP - OAuth'"),
        (["mailbox", "edit"], "Missing argument 'MAILBOX'"),
        (["mailbox", "lst"], "Did you mean 'list'?"),
        (["statsu"], "Did you mean 'status'?"),
        (["xyzzy"], "There are: mailbox"),
        (["journal", "x", "-n", "0"], "range"),
        (["completion", "powershell"], "bash"),
    ],
)
def test_a_wrong_command_is_answered_with_what_is_right(run: Run, arguments: list[str], said: str) -> None:
    refused(run(*arguments), 2, said)


def test_an_error_for_a_program_is_json_too(run: Run) -> None:
    result = run("mailbox", "show", "nobody", "--json")
    refused(result, 2)
    assert json.loads(result.stderr)["error"]["code"] == "mailbox-not-found"
    assert json.loads(run("mailbox", "lst", "--json").stderr)["error"]["code"] == "usage"


def test_settings_that_are_missing_are_named_with_where_to_read(run: Run) -> None:
    refused(
        run("status", STORAGE_TABLES_URL="", KEY_VAULT_URL="vault"),
        2,
        "STORAGE_TABLES_URL is not set",
        "KEY_VAULT_URL is 'vault', but it takes an https:// address",
        "docs/set-up.md",
    )
    refused(run("status", TICKET_ENGINE_ENV="nowhere.env"), 2, "nowhere.env can't be read: No such file")


def test_storage_that_does_not_answer_is_told_from_a_mistake(run: Run) -> None:
    refused(run("status", STORAGE_TABLES_URL="https://127.0.0.1:1"), 3, "Storage can't be reached", "try again.")


def test_a_mailbox_test_that_fails_ends_with_1_and_says_who_must_act(new_desk: Desks, run: Run) -> None:
    desk = new_desk()
    result = run("mailbox", "test", desk.id)
    assert result.exit_code == 1
    assert "FAILED  token" in result.stdout
    assert "-       login" in result.stdout
    assert "Who must act: mailbox owner." in result.stderr
    found = run("mailbox", "test", desk.id, "--json")
    assert found.exit_code == 1
    assert [each["outcome"] for each in json.loads(found.stdout)["steps"]] == ["ok"] * 3 + ["failed"] + ["skipped"] * 2


def test_the_doctor_names_a_table_that_is_missing_and_a_vault_that_refuses(
    run: Run, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket_engine.operations.inspection.TABLES", ("Mailboxes", "Nowhere"))
    cloud.vault.denied.add(cloud.identity.principal_id)
    try:
        result = run("doctor", "--json")
    finally:
        cloud.vault.denied.clear()
    assert result.exit_code == 1
    found = {each["name"]: each for each in json.loads(result.stdout)["checks"]}
    assert found["table Mailboxes"]["verdict"] == "ok"
    assert "deploy infra/ again" in found["table Nowhere"]["sentence"]
    assert "refused your account" in found["vault"]["sentence"]
    assert found["clock"]["verdict"] == "ok"


def test_the_doctor_names_poison_messages(run: Run, cloud: DevCloud) -> None:
    from azure.storage.queue import QueueServiceClient

    service = QueueServiceClient.from_connection_string(cloud.storage.connection_string)
    queue = service.get_queue_client("mail-poll-poison")
    try:
        queue.send_message("x")
        result = run("doctor")
    finally:
        queue.clear_messages()
    assert result.exit_code == 1
    assert "1 messages failed five times" in result.stdout


def test_completion_knows_commands_and_mailboxes(run: Run, desk: Any) -> None:
    assert "_TICKET_ENGINE_COMPLETE" in run("completion", "bash").stdout
    # The variable is named after the program, which is called app here.
    words = {"_APP_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    found = run(**words, COMP_WORDS=f"ticket-engine mailbox show {desk.id}")
    assert f"plain,{desk.id}" in found.stdout


@pytest.mark.parametrize(
    "text",
    [
        'A=1\n# remark\nexport B="two words"\n\nC=x=y\n',
        '{"IsEncrypted": false, "Values": {"A": "1", "B": "two words", "C": "x=y"}}',
        '[{"name": "A", "value": "1"}, {"name": "B", "value": "two words"}, {"name": "C", "value": "x=y"}]',
    ],
)
def test_settings_are_read_from_lines_and_from_what_the_azure_cli_writes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "env"
    path.write_text(text)
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "x=y"}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{no json", b"[1, 2]"])
def test_an_env_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "env"
    path.write_bytes(content)
    with pytest.raises(SettingError, match="the env file"):
        read_env_file(path)


def test_the_person_is_named_by_the_azure_token() -> None:
    import jwt

    token = jwt.encode({"upn": "ada@contoso.example", "oid": "1"}, "k" * 32)
    assert name_in(token) == "ada@contoso.example"
    assert name_in(jwt.encode({"appid": "x"}, "k" * 32)) is None
    assert name_in("opaque") is None
