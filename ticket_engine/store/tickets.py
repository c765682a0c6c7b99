"""``Tickets``: tickets (rows ``T…``) and their messages (rows ``M…``), side by side in their mailbox's partition."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from ticket_engine.records import Errand, Message, Ticket, TicketEvent, ticket_id_prefix
from ticket_engine.store.entities import Entity, from_entity, to_entity
from ticket_engine.store.errands import errand_row
from ticket_engine.store.rows import Rows, Stored
from ticket_engine.store.transactions import Operation, create, delete, replace

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients

Found = TypeVar("Found")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So many reads run side by side, from so many on.
_READERS = 8
_WORTH_THREADS = 4
# What of a message says whose it is and where it lies.
_PLACES = (
    "PartitionKey", "RowKey", "Format", "key", "ticket", "kind", "message_id", "subject", "sender", "sender_address",
    "recipients", "received_at", "size", "archive", "entry", "source_item", "segment",
)  # fmt: skip


@dataclass(frozen=True)
class Conversation:
    """A ticket with what is new of it, to be committed together.

    ``etag`` is the ticket's as it was read, or None for a ticket that is new. ``merged`` are tickets that end in this
    one, each with its ETag; ``events`` are lines of its history, ``errands`` what a task is to do with the messages.
    """

    ticket: Ticket
    etag: str | None
    messages: tuple[Message, ...] = ()
    merged: tuple[tuple[Ticket, str], ...] = ()
    events: tuple[TicketEvent, ...] = ()
    errands: tuple[Errand, ...] = ()

    @property
    def rows(self) -> int:
        """How many entities of a transaction it takes."""
        return 1 + len(self.messages) + len(self.merged) + len(self.events) + len(self.errands)


class TicketTable:
    """Reads tickets and messages, and commits conversations."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "Tickets")

    def commit(self, mailbox_id: str, conversations: Sequence[Conversation]) -> None:
        """Commit all of these conversations, or none.

        Raises:
            TransactionConflictError: a message or a new ticket's id is there already, or a ticket has changed.
        """
        operations: list[Operation] = []
        for each in conversations:
            if each.etag is None:
                operations.append(create(to_entity(each.ticket, mailbox_id, f"T{each.ticket.id}")))
            else:
                operations.append(_update(mailbox_id, each.ticket, each.etag))
            operations += [_update(mailbox_id, ticket, etag) for ticket, etag in each.merged]
            operations += [create(to_entity(message, mailbox_id, message.key)) for message in each.messages]
            operations += [create(to_entity(errand, mailbox_id, errand_row(errand))) for errand in each.errands]
            operations += [create(to_entity(event, mailbox_id, _event_key(event))) for event in each.events]
        self._rows.transact(operations)

    def ticket(self, mailbox_id: str, ticket_id: str) -> Stored[Ticket] | None:
        """The ticket with this id, with its ETag."""
        return self._rows.get(Ticket, mailbox_id, f"T{ticket_id}")

    def tickets(
        self, mailbox_id: str, *, start: str = "", stop: str = "~", size: int | None = None
    ) -> Iterator[Ticket]:
        """A mailbox's tickets with ids from ``start`` to before ``stop``, newest first, ``size`` a request."""
        condition = "PartitionKey eq @p and RowKey ge @a and RowKey lt @b"
        for each in self._rows.query(condition, {"p": mailbox_id, "a": f"T{start}", "b": f"T{stop}"}, size=size):
            yield from_entity(Ticket, each)

    def together(self, mailbox_id: str, ticket_ids: Sequence[str]) -> list[Stored[Ticket]]:
        """Those of these tickets that exist, read side by side, in their order."""
        found = _together(ticket_ids, lambda each: self.ticket(mailbox_id, each))
        return [each for each in found if each is not None]

    def messages(self, mailbox_id: str, ticket_id: str | None = None) -> Iterator[Message]:
        """A mailbox's messages in the order of their keys, or one ticket's in the order in which they came."""
        if ticket_id is not None:
            found = self.ticket(mailbox_id, ticket_id)
            yield from self.messages_by_key(mailbox_id, found.record.message_keys if found else ())
            return
        for each in self._rows.query("PartitionKey eq @p and RowKey ge 'M' and RowKey lt 'N'", {"p": mailbox_id}):
            yield from_entity(Message, each)

    def messages_by_key(self, mailbox_id: str, keys: Sequence[str]) -> Iterator[Message]:
        """The messages with these row keys, in their order; those that are gone are left out."""
        found = _together(keys, lambda key: self._rows.get(Message, mailbox_id, key))
        return (each.record for each in found if each is not None)

    def tickets_by_prefix(self, mailbox_id: str, prefixes: Sequence[str]) -> dict[str, str]:
        """The ticket id of each message-key prefix (one a Message-ID) that has a message."""
        found = _together(prefixes, lambda prefix: self._ticket_by_prefix(mailbox_id, prefix))
        return {prefix: ticket for prefix, ticket in zip(prefixes, found, strict=True) if ticket is not None}

    def _ticket_by_prefix(self, mailbox_id: str, prefix: str) -> str | None:
        # '.' is the character after the '-' that ends a prefix. A filter that joins several ranges with 'or' would
        # make the service scan the whole partition, so each prefix is a request of its own.
        condition = "PartitionKey eq @p and RowKey ge @a and RowKey lt @b"
        parameters = {"p": mailbox_id, "a": prefix, "b": prefix[:-1] + "."}
        rows = self._rows.query(condition, parameters, select=["RowKey", "ticket"], size=1)
        return next((str(row["ticket"]) for row in rows), None)

    def senders(self, mailbox_id: str) -> Iterator[Message]:
        """Every message of a mailbox, with its addresses and places only: its texts are left out."""
        condition = "PartitionKey eq @p and RowKey ge 'M' and RowKey lt 'N'"
        for each in self._rows.query(condition, {"p": mailbox_id}, select=_PLACES):
            yield from_entity(Message, each)

    def unparsed(self, mailbox_id: str) -> Iterator[Message]:
        """The messages of a mailbox that could not be read."""
        condition = "PartitionKey eq @p and RowKey ge 'M' and RowKey lt 'N' and kind eq 'unparsed'"
        for each in self._rows.query(condition, {"p": mailbox_id}):
            yield from_entity(Message, each)

    def closed_before(self, mailbox_id: str, ticket_type: str, moment: datetime) -> Iterator[Ticket]:
        """The closed tickets of a type that nobody has changed since that moment."""
        condition = (
            "PartitionKey eq @p and RowKey ge @a and RowKey lt 'U' and ticket_type eq @t and state eq 'closed' "
            "and updated_at lt @m"
        )
        start = f"T{ticket_id_prefix(moment)}"
        for each in self._rows.query(condition, {"p": mailbox_id, "a": start, "t": ticket_type, "m": moment}):
            yield from_entity(Ticket, each)

    def reduce(self, mailbox_id: str, ticket: Ticket, etag: str, keys: Sequence[str]) -> None:
        """Delete messages of a ticket (98 at most) together with writing the ticket; an empty ticket is deleted too.

        Raises:
            TransactionConflictError: the ticket has changed, or a message is gone already.
        """
        row = f"T{ticket.id}"
        change = _update(mailbox_id, ticket, etag) if ticket.messages else delete(mailbox_id, row, etag)
        self._rows.transact([change, *(delete(mailbox_id, key) for key in keys)])

    def replace_message(self, mailbox_id: str, ticket: Ticket, etag: str, old: str, message: Message) -> None:
        """Write a message anew together with its ticket; its key may be another one than the old.

        Raises:
            TransactionConflictError: the ticket or the message has changed.
        """
        if old == message.key:
            written = [replace(to_entity(message, mailbox_id, old), "*")]
        else:
            written = [delete(mailbox_id, old), create(to_entity(message, mailbox_id, message.key))]
        self._rows.transact([_update(mailbox_id, ticket, etag), *written])

    def delete_events(self, mailbox_id: str, ticket_id: str) -> int:
        """Delete a ticket's history; returns how many lines it had."""
        return self._rows.delete_all(
            mailbox_id, [str(row["RowKey"]) for row in self._event_rows(mailbox_id, ticket_id)]
        )

    def rewrite_events(self, mailbox_id: str, ticket_id: str, change: Callable[[TicketEvent], TicketEvent]) -> int:
        """Write those lines of a ticket's history anew that a change changes; returns how many."""
        count = 0
        for row in list(self._event_rows(mailbox_id, ticket_id)):
            event = from_entity(TicketEvent, row)
            changed = change(event)
            if changed != event:
                self._rows.put(changed, mailbox_id, str(row["RowKey"]))
                count += 1
        return count

    def events(self, mailbox_id: str, ticket_id: str) -> list[TicketEvent]:
        """A ticket's history, oldest first."""
        return [from_entity(TicketEvent, each) for each in self._event_rows(mailbox_id, ticket_id)]

    def _event_rows(self, mailbox_id: str, ticket_id: str) -> Iterator[Entity]:
        condition = "PartitionKey eq @p and RowKey ge @a and RowKey lt @b"
        return self._rows.query(condition, {"p": mailbox_id, "a": f"E{ticket_id}-", "b": f"E{ticket_id}."})


def _update(mailbox_id: str, ticket: Ticket, etag: str) -> Operation:
    return replace(to_entity(ticket, mailbox_id, f"T{ticket.id}"), etag)


def _event_key(event: TicketEvent) -> str:
    microseconds = int((event.at - _EPOCH).total_seconds() * 1_000_000)
    return f"E{event.ticket}-{microseconds:017d}-{secrets.token_hex(4)}"


def _together(keys: Sequence[str], read: Callable[[str], Found]) -> list[Found]:
    """Read several keys at once: each is a request of its own, and most of its time is the way there and back."""
    if len(keys) < _WORTH_THREADS:
        return [read(key) for key in keys]
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(read, keys))
