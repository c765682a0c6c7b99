"""Reads mails again that could not be read, after a release that can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ticket_engine.intake.fingerprint import message_key
from ticket_engine.intake.plan import message_of
from ticket_engine.mime import Parsed, parse
from ticket_engine.records import EventKind, Listed, Message, MessageKind, Ticket, TicketEvent
from ticket_engine.store.tickets import Conversation
from ticket_engine.store.transactions import TransactionConflictError

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores


@dataclass(frozen=True)
class Replayed:
    """How it went with one mail: whether it can be read now, and if not, why."""

    ticket: str
    message: str
    parsed: bool
    problem: str


class Replay:
    """Replays the unparsed mails of a mailbox; those in quarantine are ``ticket_engine.intake.quarantine``'s."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def run(self, mailbox_id: str, *, by: str) -> Iterator[Replayed]:
        """Read every unparsed mail of a mailbox again; the ticket stays the same, and gets what is known now."""
        for message in list(self._stores.tickets.unparsed(mailbox_id)):
            yield self._again(mailbox_id, message, by)

    def ticket(self, mailbox_id: str, ticket_id: str, *, by: str) -> list[Replayed]:
        """Read the unparsed mails of one ticket again; none where there is no such ticket."""
        stored = self._stores.tickets.ticket(mailbox_id, ticket_id)
        keys = [] if stored is None else stored.record.message_keys
        messages = self._stores.tickets.messages_by_key(mailbox_id, keys)
        return [self._again(mailbox_id, each, by) for each in messages if each.kind is MessageKind.UNPARSED]

    def _again(self, mailbox_id: str, message: Message, by: str) -> Replayed:
        parsed = parse(self._stores.archive.read(message.archive, message.entry))
        if parsed.kind is not MessageKind.PARSED:
            return Replayed(message.ticket, message.key, parsed=False, problem=parsed.problem)
        done = self._write(mailbox_id, message, parsed, by)
        problem = "" if done else "its ticket changed at the same moment: replay it again"
        return Replayed(message.ticket, message.key, parsed=done, problem=problem)

    def _write(self, mailbox_id: str, old: Message, parsed: Parsed, by: str) -> bool:
        stored = self._stores.tickets.ticket(mailbox_id, old.ticket)
        if stored is None:
            return False
        key = message_key(parsed.message_id, parsed.identity, parsed.body)
        message = message_of(parsed, like=replace(old, key=key))
        ticket = _known(stored.record, old.key, message)
        entry = Listed.of(ticket, mailbox_id)
        try:
            self._stores.tickets.replace_message(mailbox_id, ticket, stored.etag, old.key, message)
        except TransactionConflictError:
            return False
        self._stores.segments.change(ticket.segment, lambda segment: segment.with_tickets([entry]))
        self._stores.segments.change(message.segment, lambda segment: segment.with_text(old.key, message))
        event = TicketEvent(ticket.id, self._clock(), by, EventKind.NOTE, new="A mail that could not be read was read.")
        current = self._stores.tickets.ticket(mailbox_id, ticket.id)
        if current is not None:
            self._stores.tickets.commit(mailbox_id, [Conversation(current.record, current.etag, events=(event,))])
        return True


def _known(ticket: Ticket, old: str, message: Message) -> Ticket:
    """The ticket with the message under its new key; what its first message says is what it is called."""
    keys = [message.key if key == old else key for key in ticket.message_keys]
    changed = replace(ticket, message_list=b"", messages=0).with_messages(keys)
    if keys[0] != message.key:
        return changed
    subject = message.subject or "(no subject)"
    return replace(
        changed, subject=subject, sender=message.sender, sender_address=message.sender_address, unparsed=False
    )
