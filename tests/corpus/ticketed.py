"""Whether a mail becomes a ticket that can be stored, read and shown, whatever its bytes are."""

from __future__ import annotations

from datetime import UTC, datetime

from ticket_engine.intake.commit import Incoming
from ticket_engine.intake.plan import _message
from ticket_engine.mail import Item
from ticket_engine.mime import display, extract, parse, read
from ticket_engine.records import Ticket, TicketState
from ticket_engine.store.entities import to_entity

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_MAX_PROPERTY = 32 * 1024
_FIRST_STORED = datetime(1601, 1, 1, tzinfo=UTC)


def becomes_a_ticket(raw: bytes) -> None:
    """Read a mail in every way; fails where one raises or gives what a table refuses."""
    incoming = Incoming(Item("1", 1, len(raw)), raw, parse(raw))
    message = _message(incoming.key, incoming, "0Q2M4N7KXABC", _NOW, "a.zip", "0Q2M4N7KXABC")
    ticket = Ticket(
        id="0Q2M4N7KXABC",
        ticket_type="t",
        task="Simple Storage",
        subject=incoming.parsed.subject,
        sender=incoming.parsed.sender_line,
        sender_address=incoming.parsed.sender.address,
        assignee="",
        created_at=_NOW,
        updated_at=_NOW,
        state=TicketState.NEW,
    )
    for record in (message, ticket):
        for value in to_entity(record, "m", "r").values():
            if isinstance(value, str):
                value.encode("utf-16-le")
                assert len(value) < _MAX_PROPERTY
                assert "\0" not in value
            elif isinstance(value, datetime):
                assert value >= _FIRST_STORED
    mail = read(raw)
    mail.answer.new.encode()
    mail.answer.quoted.encode()
    shown = display(raw, lambda attachment: f"/inline/{attachment.section}")
    assert "<script" not in shown.html.lower()
    for attachment in mail.parsed.attachments[:20]:
        _, content = extract(raw, attachment.section)
        assert len(content) == attachment.size
