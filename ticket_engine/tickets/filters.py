"""Which tickets a person wants to see, read from what they typed or from a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from ticket_engine.records import Listed, RecordError, TicketState

NOT_CLOSED = frozenset(TicketState) - {TicketState.CLOSED}
_STATE_WORDS = {
    **{each.value: frozenset({each}) for each in TicketState},
    "not-closed": NOT_CLOSED,
    "any": frozenset(TicketState),
}
_MAX_TEXT = 200


@dataclass(frozen=True)
class TicketFilter:
    """What a list shows; an empty field takes everything.

    ``text`` is searched in subject, sender and text of every message: all of its words must be in one message, whatever
    their case. ``sender`` is a part of the first sender's name or address. ``since`` and ``until`` limit when the
    ticket was created: from ``since`` to before ``until``. ``unparsed`` takes those only whose mail could not be read.
    """

    text: str = ""
    mailbox: str = ""
    ticket_type: str = ""
    states: frozenset[TicketState] = frozenset(TicketState)
    assignee: str = ""
    sender: str = ""
    since: datetime | None = None
    until: datetime | None = None
    unparsed: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """The filter that texts describe, as a URL or a command line gives them.

        ``state`` takes states with commas between them, ``not-closed`` or ``any``; ``since`` and ``until`` take a day
        (``2026-11-24``, UTC; both days are included) or a moment (``2026-11-24T10:00+01:00``).

        Raises:
            RecordError: names each value that can't be read, and what it takes.
        """
        problems: list[str] = []
        known = {"text", "mailbox", "ticket_type", "state", "assignee", "sender", "since", "until"}
        problems += [
            f"{name}: there is no such filter; there are {', '.join(sorted(known))}"
            for name in values
            if name not in known
        ]
        given = {name: value.strip() for name, value in values.items()}
        states = frozenset[TicketState]()
        for word in filter(None, given.get("state", "").lower().split(",")):
            if word.strip() not in _STATE_WORDS:
                problems.append(f"state takes {', '.join(_STATE_WORDS)}; got {word.strip()!r}")
            states |= _STATE_WORDS.get(word.strip(), frozenset())
        moments: dict[str, datetime | None] = {}
        for name, whole_day in (("since", timedelta()), ("until", timedelta(days=1))):
            try:
                moments[name] = _moment(given.get(name, ""), whole_day)
            except ValueError:
                problems.append(f"{name} takes a day such as 2026-11-24, or a moment; got {given[name]!r}")
        if problems:
            raise RecordError("filter", tuple(problems))
        return cls(
            text=given.get("text", "")[:_MAX_TEXT],
            mailbox=given.get("mailbox", "").lower(),
            ticket_type=given.get("ticket_type", "").lower(),
            states=states or frozenset(TicketState),
            assignee=given.get("assignee", ""),
            sender=given.get("sender", ""),
            since=moments["since"],
            until=moments["until"],
        )

    @property
    def words(self) -> list[str]:
        """The words to search for, case-folded, each once."""
        return list(dict.fromkeys(self.text.casefold().split()))

    @property
    def open_only(self) -> bool:
        """Whether no closed ticket is wanted."""
        return TicketState.CLOSED not in self.states

    def takes(self, ticket: Listed) -> bool:
        """Whether a ticket is wanted, as far as its list entry tells (its texts are searched elsewhere)."""
        return (
            ticket.state in self.states
            and (not self.mailbox or ticket.mailbox == self.mailbox)
            and (not self.ticket_type or ticket.ticket_type == self.ticket_type)
            and (not self.assignee or ticket.assignee.casefold() == self.assignee.casefold())
            and self.sender.casefold() in ticket.sender.casefold()
            and (self.since is None or ticket.created_at >= self.since)
            and (self.until is None or ticket.created_at < self.until)
            and (ticket.unparsed or not self.unparsed)
        )


def _moment(text: str, whole_day: timedelta) -> datetime | None:
    if not text:
        return None
    if len(text) == len("2026-11-24"):
        return datetime.combine(date.fromisoformat(text), time(), UTC) + whole_day
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
