"""Takes messages out of everything that is stored: raw mail, index, outbox, tickets; a ticket without any goes too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, ConflictError, Reaction
from ticket_engine.records import Listed, Message, Ticket, TicketEvent
from ticket_engine.store.transactions import TransactionConflictError

if TYPE_CHECKING:
    from ticket_engine.store import Stores

_ATTEMPTS = 10
# Messages of one transaction; the service takes 100 rows, one is the ticket's.
_PART = 98


@dataclass(frozen=True)
class Removed:
    """What was removed: messages, whole tickets, lines of history, and the SHA-256 of each raw mail."""

    messages: int = 0
    tickets: tuple[str, ...] = ()
    history: int = 0
    raw: tuple[str, ...] = ()

    def __add__(self, other: Removed) -> Removed:
        """Both together."""
        return Removed(
            self.messages + other.messages,
            (*self.tickets, *other.tickets),
            self.history + other.history,
            (*self.raw, *other.raw),
        )


class Removal:
    """Removes messages of one mailbox.

    The message's row goes last, because it says where all else of it lies: a removal that broke off is done again.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def remove(
        self, mailbox_id: str, messages: Sequence[Message], clean: Callable[[TicketEvent], TicketEvent] | None = None
    ) -> Removed:
        """Remove these messages; ``clean`` writes the history of tickets that stay anew.

        Raises:
            StorageUnavailableError: storage failed; doing it again completes it.
            ConflictError: a ticket was changed again and again.
        """
        raw: list[str] = []
        for archive, those in _by(messages, lambda each: each.archive).items():
            raw += self._stores.archive.without(archive, {each.entry for each in those})
        for segment_key, those in _by(messages, lambda each: each.segment).items():
            keys = {each.key for each in those}
            self._stores.segments.change(segment_key, lambda segment, keys=keys: segment.without(messages=keys))  # type: ignore[misc]
        for each in messages:
            self._stores.errands.forget(mailbox_id, each.key)
        removed = Removed(messages=len(messages), raw=tuple(raw))
        for ticket_id, those in _by(messages, lambda each: each.ticket).items():
            removed += self._from_ticket(mailbox_id, ticket_id, [each.key for each in those], clean)
        return removed

    def _from_ticket(
        self,
        mailbox_id: str,
        ticket_id: str,
        keys: list[str],
        clean: Callable[[TicketEvent], TicketEvent] | None,
    ) -> Removed:
        history = 0 if clean is None else self._stores.tickets.rewrite_events(mailbox_id, ticket_id, clean)
        for _ in range(_ATTEMPTS + len(keys) // _PART):
            keys = [each.key for each in self._stores.tickets.messages_by_key(mailbox_id, keys)]
            stored = self._stores.tickets.ticket(mailbox_id, ticket_id)
            if stored is None or not keys:
                return Removed(history=history)
            part = keys[:_PART]
            ticket = self._left(mailbox_id, stored.record, part)
            if not ticket.messages:
                history += self._stores.tickets.delete_events(mailbox_id, ticket_id)
            self._list(mailbox_id, ticket)
            try:
                self._stores.tickets.reduce(mailbox_id, ticket, stored.etag, part)
            except TransactionConflictError:
                continue
            if not ticket.messages:
                return Removed(tickets=(ticket_id,), history=history)
        raise ConflictError(
            Reaction(Actor.SERVICE, "changed", f"Ticket {ticket_id} was changed again and again: repeat the removal.")
        )

    def _left(self, mailbox_id: str, ticket: Ticket, keys: Sequence[str]) -> Ticket:
        """The ticket without these messages; it is called by its first one that stays."""
        left = ticket.without_messages(keys)
        if not left.messages or ticket.message_keys[0] not in keys:
            return left
        first = next(self._stores.tickets.messages_by_key(mailbox_id, left.message_keys[:1]), None)
        if first is None:
            return left
        subject = first.subject or "(no subject)"
        return replace(left, subject=subject, sender=first.sender, sender_address=first.sender_address)

    def _list(self, mailbox_id: str, ticket: Ticket) -> None:
        if ticket.messages:
            entry = Listed.of(ticket, mailbox_id)
            self._stores.segments.change(ticket.segment, lambda segment: segment.with_tickets([entry]))
        else:
            self._stores.segments.change(ticket.segment, lambda segment: segment.without(tickets=[ticket.id]))


def _by(messages: Sequence[Message], key: Callable[[Message], str]) -> dict[str, list[Message]]:
    groups: dict[str, list[Message]] = defaultdict(list)
    for each in messages:
        groups[key(each)].append(each)
    return groups
