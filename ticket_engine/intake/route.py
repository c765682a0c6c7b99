"""Which ticket type takes a mail: by the rules of the types that its mailbox feeds, in the order of their priority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ticket_engine.records import MatchRule, RuleField, TicketType

if TYPE_CHECKING:
    from ticket_engine.mime import Parsed

# A pattern that took too long so often is left out for the rest of the poll.
_PATIENCE = 3


@dataclass(frozen=True)
class Route:
    """The ticket type that takes a mail, and the rules that it matched; none for the type that takes the rest."""

    ticket_type: TicketType
    rules: tuple[MatchRule, ...] = ()


class Router:
    """Routes the mails of one mailbox.

    The types with rules are asked in the order of their priority, the smallest number first, then by id. The first
    type without rules takes the rest (``rest``); where every type has rules, the last one takes it, because no mail is
    left out.
    """

    def __init__(self, ticket_types: Sequence[TicketType]) -> None:
        ordered = sorted(ticket_types, key=lambda each: (each.priority, each.id))
        self._with_rules = [each for each in ordered if each.rules]
        self.rest = next((each for each in ordered if not each.rules), ordered[-1])
        self._late: Counter[MatchRule] = Counter()

    def route(self, mail: Parsed) -> Route:
        """The type that takes this mail."""
        for ticket_type in self._with_rules:
            matched = tuple(rule for rule in ticket_type.rules if self._matches(rule, mail))
            if matched and (ticket_type.rules_match == "any" or len(matched) == len(ticket_type.rules)):
                return Route(ticket_type, matched)
        return Route(self.rest)

    @property
    def late(self) -> tuple[MatchRule, ...]:
        """The rules whose patterns took too long."""
        return tuple(self._late)

    def _matches(self, rule: MatchRule, mail: Parsed) -> bool:
        if self._late[rule] >= _PATIENCE:
            return False
        try:
            return rule.matches(values(rule, mail))
        except TimeoutError:
            self._late[rule] += 1
            return False


def values(rule: MatchRule, mail: Parsed) -> Iterable[str]:
    """What a rule looks at in a mail."""
    match rule.field:
        case RuleField.RECIPIENT:
            return mail.addressed
        case RuleField.SUB_ADDRESS:
            # RFC 5233: what follows the first plus sign of the local part.
            return [sub for each in mail.addressed if (sub := each.rpartition("@")[0].partition("+")[2])]
        case RuleField.SENDER:
            return [value for each in mail.senders for value in (each.address, str(each))]
        case RuleField.SUBJECT:
            return [mail.subject]
        case RuleField.HEADER:
            return mail.headers.all(rule.header)
