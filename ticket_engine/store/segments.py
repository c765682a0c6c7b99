"""``TicketIndex``: segments of tickets over all mailboxes, newest first; one partition has those with open tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from ticket_engine.errors import ConflictError
from ticket_engine.records import Segment
from ticket_engine.store.entities import from_entity
from ticket_engine.store.rows import Rows, Stored

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients


class Shelf(StrEnum):
    """The partitions: a segment is on ``open`` as long as one of its tickets is not closed."""

    OPEN = "open"
    CLOSED = "closed"

    @property
    def other(self) -> Shelf:
        """The other partition."""
        return Shelf.CLOSED if self is Shelf.OPEN else Shelf.OPEN


def shelf_of(segment: Segment) -> Shelf:
    """Where a segment belongs."""
    return Shelf.OPEN if segment.open else Shelf.CLOSED


class SegmentTable:
    """Reads, writes and changes segments; a segment's key is the id of its newest ticket."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "TicketIndex")

    def add(self, key: str, segment: Segment) -> None:
        """Store a new segment; one that is there already is replaced, so that a retried request is harmless."""
        self._rows.put(segment, shelf_of(segment), key)

    def change(self, key: str, change: Callable[[Segment], Segment]) -> None:
        """Apply a change to a segment as it is now, and move it to the partition where it then belongs.

        A segment that is gone stays gone. A move writes the new row before it deletes the old one: killed in
        between, the segment is in both partitions, which readers see as one, and the next change mends.
        """
        while True:
            shelf, found = self._find(key)
            if found is None:
                return
            changed = change(found.record)
            target = shelf_of(changed)
            if changed == found.record and target is shelf:
                return
            if changed.empty:
                if self._rows.delete(shelf, key, etag=found.etag):
                    return
            elif target is shelf:
                if self._replaced(shelf, key, changed, found.etag):
                    return
            else:
                self._rows.put(changed, target, key)
                if self._rows.delete(shelf, key, etag=found.etag):
                    return
                # Someone changed the row that was to go: what was written above is stale, and they decide.
                self._rows.delete(target, key)

    def get(self, key: str) -> Segment | None:
        """The segment with this key, or None."""
        found = self._find(key)[1]
        return None if found is None else found.record

    def read(
        self, shelf: Shelf, *, start: str = "", stop: str = "~", mailbox: str = "", texts: bool = False, size: int = 100
    ) -> Iterator[tuple[str, Segment]]:
        """The segments of a partition from ``start`` to before ``stop``, newest first, ``size`` rows a request."""
        condition, parameters = "PartitionKey eq @p and RowKey ge @a and RowKey lt @b", {"p": shelf.value}
        parameters |= {"a": start, "b": stop}
        if mailbox:
            condition, parameters = f"{condition} and mailbox eq @m", {**parameters, "m": mailbox}
        columns = () if texts else _LISTED
        for each in self._rows.query(condition, parameters, select=columns, size=size):
            yield str(each["RowKey"]), from_entity(Segment, each)

    def _find(self, key: str) -> tuple[Shelf, Stored[Segment] | None]:
        found = self._rows.get(Segment, Shelf.OPEN, key)
        if found is not None:
            return Shelf.OPEN, found
        return Shelf.CLOSED, self._rows.get(Segment, Shelf.CLOSED, key)

    def _replaced(self, shelf: Shelf, key: str, segment: Segment, etag: str) -> bool:
        try:
            self._rows.replace(segment, shelf, key, etag)
        except ConflictError:
            return False
        return True


# A property holds 60 KiB, and a page's list takes less than ten of them whatever its subjects.
_LISTED = ("PartitionKey", "RowKey", "Format", "mailbox", *(f"tickets_{number}" for number in range(10)))
