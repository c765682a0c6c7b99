"""Tickets at the command line: listed, searched, shown, changed; and nothing in a mail can steer the terminal."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devcloud.cloud import DevCloud
from ticket_engine.cli.app import app
from ticket_engine.cli.output import safe

Mail = Callable[..., bytes]
Run = Callable[..., Result]


@pytest.fixture
def run(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, given="": CliRunner().invoke(app, arguments, input=given)


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def tickets(desk: Any, mail: Mail) -> list[str]:
    """The ids of three tickets, newest first."""
    desk.deliver(*(mail(n, subject=f"Order {n}", body=f"about the quarterly zebra{n}") for n in range(3)))
    desk.poll()
    return [each.id for each in desk.tickets()]


def test_tickets_are_listed_newest_first_and_narrowed(desk: Any, run: Run, tickets: list[str]) -> None:
    listed = read(run("ticket", "list", "--mailbox", desk.id, "--json"))
    assert [each["id"] for each in listed] == tickets
    assert listed[0]["created_at"].startswith("20")
    assert [each["id"] for each in read(run("ticket", "list", "--mailbox", desk.id, "-n", "1", "--json"))] == tickets[
        :1
    ]
    found = read(run("ticket", "list", "zebra1", "--mailbox", desk.id, "--json"))
    assert [each["subject"] for each in found] == ["Order 1"]
    people = run("ticket", "list", "--mailbox", desk.id, "--sender", "ada", "--state", "not-closed")
    assert [line.split()[0] for line in people.stdout.splitlines()[1:]] == tickets
    assert "No ticket is like that" in run("ticket", "list", "nothing-like-this", "--mailbox", desk.id).stderr
    wrong = run("ticket", "list", "--state", "opened", "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "state takes new, open, pending, closed" in wrong.stderr
    assert "since takes a day such as 2026-11-24" in wrong.stderr


def test_a_ticket_is_shown_with_its_mails_and_history(desk: Any, run: Run, tickets: list[str]) -> None:
    run("ticket", "note", tickets[0], "called back")
    shown = run("ticket", "show", f"[#{tickets[0].lower()}]")
    assert shown.exit_code == 0
    for part in ("Order 2", "about the quarterly zebra2", "ada@fabrikam.example", desk.id, "called back"):
        assert part in shown.stdout
    facts = read(run("ticket", "show", tickets[0], "--json"))
    assert facts["ticket"]["mailbox"] == desk.id
    assert [each["text"].strip() for each in facts["messages"]] == ["about the quarterly zebra2"]
    assert facts["history"][0]["new"] == "called back"


def test_tickets_are_closed_opened_and_assigned_with_a_name_in_their_history(
    desk: Any, run: Run, tickets: list[str]
) -> None:
    assert "Closed 2 of 2" in run("ticket", "close", *tickets[:2], "--note", "done").stderr
    assert [str(each.state) for each in desk.tickets()] == ["closed", "closed", "new"]
    assert "is open" in run("ticket", "open", tickets[1]).stderr
    assert (
        read(run("ticket", "assign", tickets[1], "bob@contoso.example", "--json"))["assignee"] == "bob@contoso.example"
    )
    assert "nobody's" in run("ticket", "assign", tickets[1], "").stderr
    history = read(run("ticket", "show", tickets[1], "--json"))["history"]
    assert sorted(each["kind"] for each in history) == ["assignee", "assignee", "note", "state", "state"]
    assert all(each["by"] for each in history)


def test_many_tickets_are_closed_from_a_pipe_after_a_question(desk: Any, run: Run, mail: Mail) -> None:
    desk.deliver(*(mail(n) for n in range(12)))
    desk.poll()
    ids = "\n".join(each.id for each in desk.tickets())
    asked = run("ticket", "close", "-", given=ids)
    assert asked.exit_code == 2
    assert "Close 12 tickets?" in asked.stderr
    assert read(run("ticket", "close", "-", "--yes", "--json", given=ids)) == {"closed": 12, "failed": {}}


@pytest.mark.parametrize("arguments", [["show", "XYZ"], ["close", "0000000000AB"], ["open", "x"], ["note", "x", "y"]])
def test_a_ticket_that_is_not_there_is_told(run: Run, arguments: list[str]) -> None:
    result = run("ticket", *arguments)
    assert result.exit_code == 2
    assert "see ticket-engine ticket list" in result.stderr


def test_what_is_wrong_with_a_change_is_told(run: Run, tickets: list[str]) -> None:
    assert "assignee takes a mail address" in run("ticket", "assign", tickets[0], "bob").stderr
    assert "note takes some text" in run("ticket", "note", tickets[0], " ").stderr
    assert "Missing argument 'TICKET...'" in run("ticket", "close").stderr


def test_a_mail_cant_steer_the_terminal(desk: Any, run: Run, mail: Mail) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe"
    desk.deliver(mail(1, subject=f"=?utf-8?b?{base64.b64encode(evil.encode()).decode()}?=", body=evil))
    desk.poll()
    (ticket,) = desk.tickets()
    for result in (run("ticket", "list", "--mailbox", desk.id), run("ticket", "show", ticket.id)):
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout
        assert "\u202e" not in result.stdout
    assert safe("a\tb\r\nc\x9b", line=True) == "a b  c\ufffd"
    assert safe("Grüße\n漢字 👍") == "Grüße\n漢字 👍"


def test_rules_are_tried_on_stored_mails_before_they_are_saved(desk: Any, run: Run, tickets: list[str]) -> None:
    trial = read(
        run("ticket-type", "try", f"{desk.id}-new", "--mailbox", desk.id, "--rule", "subject equals order 1", "--json")
    )
    assert (trial["takes"], trial["of"]) == (1, 3)
    (mine,) = [each for each in trial["trials"] if each["would_be"] == f"{desk.id}-new"]
    assert (mine["ticket"], mine["rules"]) == (tickets[1], ["subject equals order 1"])
    assert [each.id for each in desk.engine.ticket_type_setup.all(desk.id)] == [desk.id]
    people = run("ticket-type", "try", desk.id)
    assert f"{desk.id} takes 3 of 3; nothing was saved." in people.stderr
    assert "see ticket-engine ticket-type list" in run("ticket-type", "try", "nobody").stderr
    wrong = run("ticket-type", "try", desk.id, "--rule", "weather is fine")
    assert wrong.exit_code == 2
    assert "begins with none of recipient" in wrong.stderr


def test_rules_are_set_and_taken_away(desk: Any, run: Run) -> None:
    rules = ["--rule", "subject contains invoice", "--rule", "header X-Team equals billing"]
    edited = run("ticket-type", "edit", desk.id, *rules)
    assert "rules: (none) -> subject contains invoice; header X-Team equals billing" in edited.stdout
    assert [str(each) for each in desk.engine.ticket_type_setup.get(desk.id).record.rules] == [rules[1], rules[3]]
    assert run("ticket-type", "edit", desk.id, "--name", "Other").exit_code == 0
    assert len(desk.engine.ticket_type_setup.get(desk.id).record.rules) == 2
    assert "-> (none)" in run("ticket-type", "edit", desk.id, "--rule", "").stdout


def test_tickets_are_exported_as_lines_and_as_mails(desk: Any, run: Run, tickets: list[str], tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("ticket", "export", "--mailbox", desk.id).stdout.splitlines()]
    assert [each["id"] for each in lines] == tickets
    assert lines[0]["messages"][0]["text"].strip() == "about the quarterly zebra2"
    path = tmp_path / "tickets.jsonl"
    assert "Wrote 3 tickets" in run("ticket", "export", "--mailbox", desk.id, "-o", str(path)).stderr
    assert [json.loads(line) for line in path.read_text().splitlines()] == lines
    done = read(run("ticket", "export", "zebra1", "--mailbox", desk.id, "--mails", str(tmp_path / "mails"), "--json"))
    assert done["mails"] == 1
    (raw,) = (tmp_path / "mails").rglob("*.eml")
    assert b"zebra1" in raw.read_bytes()
    wrong = run("ticket", "export", "--mailbox", desk.id, "-o", str(tmp_path / "no" / "where.jsonl"))
    assert wrong.exit_code == 2
    assert "can't be written: No such file or directory" in wrong.stderr


def test_what_could_not_be_read_is_read_again(desk: Any, run: Run, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    from ticket_engine.intake import ingest
    from ticket_engine.mime import Parsed
    from ticket_engine.records import MessageKind

    assert "Nothing is unparsed" in run("ticket", "replay", desk.id).stderr
    with monkeypatch.context() as broken:
        broken.setattr(ingest, "parse", lambda raw: Parsed(MessageKind.UNPARSED, body=raw, problem="a bug"))
        desk.deliver(mail(1, subject="Now readable"))
        desk.poll()
    (before,) = desk.tickets()
    assert before.unparsed
    assert "1 of 1 mails can be read now" in run("ticket", "replay", desk.id).stderr
    (after,) = desk.tickets()
    assert (after.id, after.subject, after.unparsed) == (before.id, "Now readable", False)


def test_mails_in_quarantine_are_listed_and_tried_again(desk: Any, run: Run, cloud: DevCloud) -> None:
    from ticket_engine.records import QuarantinedItem

    desk.poll()
    assert "Nothing is in quarantine" in run("mailbox", "quarantine", desk.id).stderr
    item = QuarantinedItem("uidl-1", 1234, 5, cloud.clock(), cloud.clock(), "the server refuses it")
    desk.engine.stores.quarantine.put(desk.id, item)
    shown = run("mailbox", "quarantine", desk.id)
    assert "the server refuses it" in shown.stdout
    assert f"ticket replay {desk.id} --quarantine" in shown.stderr
    assert "--quarantine has them tried again" in run("ticket", "replay", desk.id).stderr
    assert len(read(run("ticket", "replay", desk.id, "--quarantine", "--json"))["released"]) == 1
    assert read(run("mailbox", "quarantine", desk.id, "--json")) == []


def test_a_persons_mail_is_erased_after_a_question_with_a_proof(
    desk: Any, run: Run, tickets: list[str], tmp_path: Path
) -> None:
    options = ["ticket", "erase", "ada@fabrikam.example", "--mailbox", desk.id]
    asked = run(*options)
    assert asked.exit_code == 2
    assert "3 messages from ada@fabrikam.example" in asked.stderr
    assert len(desk.messages()) == 3
    done = run(*options, "--yes", "--proof", str(tmp_path / "proof.json"))
    assert done.exit_code == 0, done.output
    proof = json.loads(done.stdout)
    assert (proof["messages"], sorted(proof["tickets"]), proof["left"]) == (3, sorted(tickets), 0)
    assert json.loads((tmp_path / "proof.json").read_text()) == proof
    assert "ada@" not in done.stdout
    assert desk.messages() == []
    assert run(*options).exit_code == 0
    wrong = run("ticket", "erase", "ada", "--yes")
    assert wrong.exit_code == 2
    assert "see ticket-engine mailbox list" in run("ticket", "erase", "a@b.example", "--mailbox", "nobody").stderr
