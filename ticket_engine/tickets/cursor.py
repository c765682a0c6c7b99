"""Where a page of a list ended, as text that is safe in a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ticket_engine.records import RecordError, is_ticket_id

_FORM = re.compile(r"^([afh])([0-9A-Z]{12})(?:\.(\d{1,9}))?$")


class Place(StrEnum):
    """How a list goes on."""

    START = ""
    AFTER = "a"
    """After this ticket."""
    FROM = "f"
    """At this ticket, or where it would be."""
    HIT = "h"
    """In the segment with this key, after so many of its hits."""


@dataclass(frozen=True)
class Cursor:
    """A place in a list."""

    place: Place = Place.START
    key: str = ""
    hits: int = 0

    @classmethod
    def read(cls, text: str | None) -> Self:
        """The cursor that a URL carries; None or nothing is the start.

        Raises:
            RecordError: this is none.
        """
        if not text:
            return cls()
        match = _FORM.match(text)
        if match is None or not is_ticket_id(match[2]):
            raise RecordError("list", ("the place in the list can't be read: go back to the first page",))
        return cls(Place(match[1]), match[2], int(match[3] or 0))

    def __str__(self) -> str:
        """Its form in a URL."""
        return f"{self.place}{self.key}" + (f".{self.hits}" if self.place is Place.HIT else "")

    def passed(self, ticket_id: str) -> bool:
        """Whether a ticket was on an earlier page."""
        return ticket_id <= self.key if self.place is Place.AFTER else ticket_id < self.key
