"""Removes closed tickets that nobody has changed for as long as their ticket type keeps them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from ticket_engine.errors import TicketEngineError
from ticket_engine.records import JournalEntry, TicketType
from ticket_engine.tickets.removal import Removal

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores

_log = logging.getLogger("ticket_engine.tickets")

# One run's work: it ends within the function's limit, and the next run goes on.
_BUDGET = timedelta(minutes=4)
_BATCH = 50


@dataclass(frozen=True)
class Kept:
    """How a run went: tickets removed, and mailboxes that failed."""

    removed: int = 0
    failed: int = 0


class Retention:
    """Removes what is older than its ticket type keeps it, with its raw mail."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self._removal = Removal(stores)

    def run(self) -> Kept:
        """Remove what is due; a mailbox that fails does not keep the others from it."""
        deadline = self._clock() + _BUDGET
        removed = failed = 0
        for ticket_type in self._stores.ticket_types.all():
            if not ticket_type.keep_days:
                continue
            try:
                removed += self._of(ticket_type, deadline)
            except TicketEngineError:
                _log.exception("retention failed", extra={"mailbox": ticket_type.mailbox})
                failed += 1
        return Kept(removed, failed)

    def _of(self, ticket_type: TicketType, deadline: datetime) -> int:
        cutoff = self._clock() - timedelta(days=ticket_type.keep_days)
        old = self._stores.tickets.closed_before(ticket_type.mailbox, ticket_type.id, cutoff)
        count = 0
        while self._clock() < deadline and (batch := list(islice(old, _BATCH))):
            keys = [key for ticket in batch for key in ticket.message_keys]
            messages = list(self._stores.tickets.messages_by_key(ticket_type.mailbox, keys))
            count += len(self._removal.remove(ticket_type.mailbox, messages).tickets)
        if count:
            sentence = (
                f"{count} tickets of {ticket_type.id} were removed, {ticket_type.keep_days} days after their end."
            )
            self._stores.journal.add(ticket_type.mailbox, JournalEntry(self._clock(), "tickets-removed", sentence))
        return count
