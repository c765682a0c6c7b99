"""Lists and searches over the tickets of all mailboxes or of one, newest first, in pages of bounded work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine.records import Listed, created_at, is_ticket_id, spoken_ticket_id
from ticket_engine.store.segments import Shelf
from ticket_engine.tickets.cursor import Cursor, Place
from ticket_engine.tickets.index import LAST, Span, earlier, in_order, segments, span_of

if TYPE_CHECKING:
    from ticket_engine.store import Stores
    from ticket_engine.tickets.filters import TicketFilter

PAGE = 50
_ROWS_REQUEST = 60
# What one page may read: rows, and octets of packed texts. A row holds one mail's text or a hundred's.
LIST_ROWS = 5_000
SEARCH_ROWS = 5_000
SEARCH_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class TicketPage:
    """Tickets newest first; ``next`` continues after them (safe in a URL), None at the end.

    A page may hold fewer tickets than asked for, even none, and still have a next one: its work is bounded.
    ``searched_to`` says how far back it came, where it is not the end.
    """

    tickets: tuple[Listed, ...]
    next: str | None = None
    searched_to: datetime | None = None


class TicketList:
    """Reads the index, and a mailbox's own rows where they are the shorter way."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def page(
        self, wanted: TicketFilter, *, after: str | None = None, limit: int = PAGE, rows: int | None = None
    ) -> TicketPage:
        """A page of the tickets that a filter takes; ``after`` is the ``next`` of the page before.

        A list looks through at most ``rows`` pages of mail (LIST_ROWS) before it says where it got to.
        A text that is a ticket's id or code finds that ticket. A search by text lists a ticket where its newest
        message with the words is; a ticket with several such messages may come again on a later page.

        Raises:
            RecordError: ``after`` is not one of a page's.
        """
        cursor = Cursor.read(after)
        code = spoken_ticket_id(wanted.text.strip("[]# "))
        if is_ticket_id(code):
            found = self.find(code)
            return TicketPage(() if found is None else (found,))
        if wanted.words:
            return self._search(wanted, cursor, limit)
        return _filled(self._listed(wanted, cursor), wanted, cursor, limit, rows or LIST_ROWS)

    def find(self, ticket_id: str) -> Listed | None:
        """The list entry of the ticket with this id, in whatever mailbox; None when there is none."""
        span = Span(earlier(ticket_id), f"{ticket_id}{LAST}")
        entries = (
            each for _, segment in segments(self._stores.segments, tuple(Shelf), span) for each in segment.listed()
        )
        return next((each for each in entries if each.id == ticket_id), None)

    def _listed(self, wanted: TicketFilter, cursor: Cursor) -> Iterator[tuple[str, list[Listed]]]:
        span = span_of(wanted.since, wanted.until)
        if cursor.place is not Place.START:
            span = Span(cursor.key, span.stop)
        if wanted.mailbox and not wanted.open_only:
            tickets = self._stores.tickets.tickets(wanted.mailbox, start=span.start, stop=span.stop, size=_ROWS_REQUEST)
            return _one_by_one(Listed.of(each, wanted.mailbox) for each in tickets)
        shelves = (Shelf.OPEN,) if wanted.open_only else tuple(Shelf)
        return in_order(segments(self._stores.segments, shelves, span.wide(), mailbox=wanted.mailbox))

    def _search(self, wanted: TicketFilter, cursor: Cursor, limit: int) -> TicketPage:
        # A message is not older than its ticket, but may be younger: ``until`` is no end for messages.
        span = Span(cursor.key, span_of(wanted.since, None).stop)
        found: dict[str, Listed] = {}
        rows = size = 0
        for key, segment in segments(self._stores.segments, tuple(Shelf), span, mailbox=wanted.mailbox, texts=True):
            hits = list(dict.fromkeys(reversed(segment.hits(wanted.words))))
            entries = {each.id: each for each in segment.listed()} if hits else {}
            for number, ticket_id in enumerate(hits, 1):
                if key == cursor.key and number <= cursor.hits:
                    continue
                entry = entries.get(ticket_id) or self._entry(segment.mailbox, ticket_id)
                if entry is not None and wanted.takes(entry):
                    found.setdefault(ticket_id, entry)
                if len(found) == limit:
                    return _page(found.values(), Cursor(Place.HIT, key, number))
            rows += 1
            size += len(segment.texts)
            if rows == SEARCH_ROWS or size > SEARCH_BYTES:
                return _page(found.values(), Cursor(Place.HIT, key, len(hits)))
        return TicketPage(tuple(found.values()))

    def _entry(self, mailbox_id: str, ticket_id: str) -> Listed | None:
        stored = self._stores.tickets.ticket(mailbox_id, ticket_id)
        return None if stored is None else Listed.of(stored.record, mailbox_id)


def _one_by_one(tickets: Iterable[Listed]) -> Iterator[tuple[str, list[Listed]]]:
    waiting: list[Listed] = []
    for each in tickets:
        yield each.id, waiting
        waiting = [each]
    yield LAST, waiting


def _filled(
    batches: Iterable[tuple[str, list[Listed]]], wanted: TicketFilter, cursor: Cursor, limit: int, most_rows: int
) -> TicketPage:
    found: list[Listed] = []
    rows = 0
    for key, tickets in batches:
        for ticket in tickets:
            if cursor.passed(ticket.id) or not wanted.takes(ticket):
                continue
            if len(found) == limit:
                return _page(found, Cursor(Place.AFTER, found[-1].id))
            found.append(ticket)
        # The segments of a second before the place are read again; they don't count, or a page could stand still.
        rows += key > cursor.key
        if rows > most_rows and key != LAST:
            return _page(found, Cursor(Place.FROM, key))
    return TicketPage(tuple(found))


def _page(found: Iterable[Listed], cursor: Cursor) -> TicketPage:
    return TicketPage(tuple(found), str(cursor), created_at(cursor.key))
