"""Several ticket types on one mailbox: polled, and tried before they are saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ticket_engine.records import TicketType

Mail = Callable[..., bytes]


def types(desk: Any) -> dict[str, str]:
    return {each.subject: each.ticket_type for each in desk.tickets()}


def test_each_mail_goes_to_the_type_whose_rule_it_matches(desk: Any, mail: Mail) -> None:
    desk.engine.ticket_type_setup.add(
        {
            "id": f"{desk.id}-bills",
            "name": "Bills",
            "mailbox": desk.id,
            "admin_email": "bills@contoso.example",
            "rules": "subject contains invoice\nsub-address equals billing",
            "priority": 10,
        },
        by="Olga",
    )
    local, _, domain = desk.address.partition("@")
    desk.deliver(
        mail(1, subject="Invoice 7"), mail(2, subject="Other", To=f"{local}+billing@{domain}"), mail(3, subject="Hi")
    )
    desk.deliver(mail(4, subject="About that invoice", In_Reply_To="<request-3@fabrikam.example>"))
    desk.poll()
    bills = f"{desk.id}-bills"
    assert types(desk) == {"Invoice 7": bills, "Other": bills, "Hi": desk.id}
    assert {each.assignee for each in desk.tickets()} == {"lead@contoso.example", "bills@contoso.example"}


def test_a_slow_rule_is_in_the_journal_and_the_mail_is_a_ticket(desk: Any, mail: Mail) -> None:
    rules = ["subject pattern (q+)+z"]
    slow = TicketType.create(id=f"{desk.id}-slow", name="S", mailbox=desk.id, admin_email="s@c.example", rules=rules)
    desk.engine.stores.ticket_types.add(slow)
    desk.deliver(mail(1, subject="q" * 400))
    desk.poll()
    assert set(types(desk).values()) == {desk.id}
    entries = [each for each in desk.engine.stores.journal.newest(desk.id) if each.event == "rule-too-slow"]
    assert len(entries) == 1
    assert "(q+)+z" in entries[0].sentence


def test_rules_are_tried_on_stored_mails_before_they_are_saved(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1, subject="Invoice"), mail(2, subject="Hi"), mail(3, subject="Your invoice"))
    desk.poll()
    fields = {"id": "bills", "name": "Bills", "mailbox": desk.id, "admin_email": "bills@contoso.example"}
    candidate = TicketType.create(**fields, rules="subject contains invoice", priority=1)
    trials = list(desk.engine.rule_trial.run(candidate))
    assert [(each.ticket.subject, each.would_be, each.moves) for each in trials] == [
        ("Your invoice", "bills", True),
        ("Hi", desk.id, False),
        ("Invoice", "bills", True),
    ]
    assert [str(rule) for rule in trials[0].rules] == ["subject contains invoice"]
    assert types(desk) == {"Invoice": desk.id, "Hi": desk.id, "Your invoice": desk.id}
    assert len(list(desk.engine.rule_trial.run(candidate, count=1))) == 1
