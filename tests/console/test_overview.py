"""What the overview says needs a human."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from console.pages.overview import causes
from ticket_engine.health import MailboxHealth
from ticket_engine.records import PollState


def row(name: str, **health: Any) -> Any:
    found = MailboxHealth(name, ok=True)
    mailbox = SimpleNamespace(id=name, name=name, paused=False)
    return SimpleNamespace(mailbox=mailbox, health=replace(found, **health), poll=PollState())


def test_what_stops_mail_comes_before_what_ends_soon_and_what_passes_by_itself() -> None:
    soon = row("soon", warnings=("The secret ends.",))
    service = row("service", ok=False, actor="service", sentence="Storage is slow.")
    owner = row("owner", ok=False, actor="mailbox owner", sentence="Consent again.")
    assert [each.sentence for each in causes([soon, service, owner])] == [
        "Consent again.",
        "Storage is slow.",
        "The secret ends.",
    ]


def test_one_cause_that_stops_a_thousand_mailboxes_is_said_once() -> None:
    rows = [row(f"m{n}", ok=False, actor="operator", sentence="Renew the secret.") for n in range(1000)]
    (cause,) = causes(rows)
    assert len(cause.rows) == 1000
    assert len(cause.named) == 3


def test_a_paused_mailbox_needs_nobody() -> None:
    paused = row("paused", ok=False, actor="operator", sentence="x")
    paused.mailbox.paused = True
    assert causes([paused]) == []
