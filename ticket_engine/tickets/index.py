"""The index, read newest first over both of its partitions."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from ticket_engine.records import Listed, Segment, created_at, ticket_id_prefix
from ticket_engine.store.segments import Shelf

if TYPE_CHECKING:
    from ticket_engine.store.segments import SegmentTable

# A segment's ids are given in one go, a millisecond apart: its oldest ticket is not this much older than its newest.
_SPAN = timedelta(seconds=1)
# The first request is as small as a page; who goes on reads in larger ones. Texts are large: 4 MiB an answer.
_FIRST_REQUEST = 60
_GROWTH = 4
_REQUEST = 1_000
_TEXTS_REQUEST = 300
_ID = 12
# Above every ticket id.
LAST = "~"


@dataclass(frozen=True)
class Span:
    """A range of ids: from ``start`` to before ``stop``; ids of later tickets are smaller."""

    start: str = ""
    stop: str = LAST

    def wide(self) -> Span:
        """The range of the keys of the segments that may hold tickets of this range."""
        return self if not self.start else Span(earlier(self.start), self.stop)


def span_of(since: datetime | None, until: datetime | None) -> Span:
    """The ids of the tickets that were created from ``since`` to before ``until``, to the millisecond."""
    return Span(
        "" if until is None else ticket_id_prefix(until), LAST if since is None else f"{ticket_id_prefix(since)}{LAST}"
    )


def earlier(ticket_id: str) -> str:
    """Where the segment of this ticket may begin at the earliest: a key that is smaller by the longest segment."""
    return ticket_id_prefix(created_at(ticket_id.ljust(_ID, "0")) + _SPAN)


def segments(
    table: SegmentTable, shelves: Sequence[Shelf], span: Span, *, mailbox: str = "", texts: bool = False
) -> Iterator[tuple[str, Segment]]:
    """The segments of these partitions with their keys, newest first, each once."""
    sources = [_shelf(table, shelf, span, mailbox, texts=texts) for shelf in shelves]
    seen = ""
    for key, segment in heapq.merge(*sources, key=lambda each: each[0]):
        # One that is just being moved is in both partitions.
        if key != seen:
            yield key, segment
        seen = key


def in_order(found: Iterable[tuple[str, Segment]]) -> Iterator[tuple[str, list[Listed]]]:
    """The tickets of segments, newest first: for each segment read, the tickets that come before its key."""
    waiting: list[tuple[str, int, Listed]] = []
    number = 0
    for key, segment in found:
        yield key, _before(waiting, key)
        for ticket in segment.listed():
            # The number decides between equal ids, because list entries have no order.
            number += 1
            heapq.heappush(waiting, (ticket.id, number, ticket))
    yield LAST, _before(waiting, LAST)


def _before(waiting: list[tuple[str, int, Listed]], key: str) -> list[Listed]:
    ready: list[Listed] = []
    while waiting and waiting[0][0] < key:
        ticket = heapq.heappop(waiting)[2]
        if not ready or ready[-1].id != ticket.id:
            ready.append(ticket)
    return ready


def _shelf(
    table: SegmentTable, shelf: Shelf, span: Span, mailbox: str, *, texts: bool
) -> Iterator[tuple[str, Segment]]:
    if texts:
        yield from table.read(shelf, start=span.start, stop=span.stop, mailbox=mailbox, texts=True, size=_TEXTS_REQUEST)
        return
    start, size = span.start, _FIRST_REQUEST
    while True:
        number, key = 0, ""
        batch = islice(table.read(shelf, start=start, stop=span.stop, mailbox=mailbox, size=size), size)
        for key, segment in batch:
            yield key, segment
            number += 1
        if number < size:
            return
        start, size = f"{key}0", min(size * _GROWTH, _REQUEST)
