"""What a ticket type's rules would have done with the mails that are stored, before they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ticket_engine.intake.route import Router
from ticket_engine.mime import parse
from ticket_engine.records import Listed, MatchRule, TicketType

if TYPE_CHECKING:
    from ticket_engine.store import Stores

TRIED = 50


@dataclass(frozen=True)
class Trial:
    """One stored ticket: the type that has it, the one that would take its first mail, and the rules that matched.

    ``late`` are rules whose patterns took too long on some mail so far; they count as not matched.
    """

    ticket: Listed
    would_be: str
    rules: tuple[MatchRule, ...]
    late: tuple[MatchRule, ...]

    @property
    def moves(self) -> bool:
        """Whether the ticket would be another type's."""
        return self.would_be != self.ticket.ticket_type


class RuleTrial:
    """Tries ticket types on stored mails."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def run(self, candidate: TicketType, *, count: int = TRIED) -> Iterator[Trial]:
        """Route the first mails of the mailbox's newest tickets as if this type were saved, newest first."""
        others = [each for each in self._stores.ticket_types.of(candidate.mailbox) if each.id != candidate.id]
        router = Router([*others, candidate])
        for ticket in islice(self._stores.tickets.tickets(candidate.mailbox), count):
            for message in self._stores.tickets.messages_by_key(candidate.mailbox, ticket.message_keys[:1]):
                route = router.route(parse(self._stores.archive.read(message.archive, message.entry)))
                yield Trial(Listed.of(ticket, candidate.mailbox), route.ticket_type.id, route.rules, router.late)
