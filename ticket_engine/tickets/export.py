"""Tickets as files: JSON lines with everything that is stored of them, and the raw mails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from ticket_engine.records import Message, Ticket
from ticket_engine.tickets.listing import TicketList

if TYPE_CHECKING:
    from ticket_engine.store import Stores
    from ticket_engine.tickets.filters import TicketFilter

_PAGE = 200
# Where things lie in the storage, and nothing about the ticket.
_INTERNAL = {"message_list", "segment", "archive", "entry"}


class TicketExport:
    """Reads tickets whole."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._list = TicketList(stores)

    def json_lines(self, wanted: TicketFilter) -> Iterator[str]:
        """One line a ticket that a filter takes, newest first, with its messages and its history."""
        for mailbox_id, ticket in self._tickets(wanted):
            messages = self._stores.tickets.messages_by_key(mailbox_id, ticket.message_keys)
            history = self._stores.tickets.events(mailbox_id, ticket.id)
            line = {
                **_plain(ticket),
                "mailbox": mailbox_id,
                "messages": [_plain(each) for each in messages],
                "history": [asdict(each) for each in history],
            }
            yield json.dumps(line, ensure_ascii=False, default=str)

    def mails(self, wanted: TicketFilter) -> Iterator[tuple[str, bytes]]:
        """Every raw mail of the tickets that a filter takes: ``<ticket>/<number>.eml`` and its octets."""
        for mailbox_id, ticket in self._tickets(wanted):
            messages = self._stores.tickets.messages_by_key(mailbox_id, ticket.message_keys)
            for number, each in enumerate(messages, 1):
                yield f"{ticket.id}/{number:04}.eml", self._stores.archive.read(each.archive, each.entry)

    def _tickets(self, wanted: TicketFilter) -> Iterator[tuple[str, Ticket]]:
        seen: set[str] = set()
        after = None
        while True:
            page = self._list.page(wanted, after=after, limit=_PAGE)
            for each in page.tickets:
                stored = None if each.id in seen else self._stores.tickets.ticket(each.mailbox, each.id)
                seen.add(each.id)
                if stored is not None:
                    yield each.mailbox, stored.record
            if page.next is None:
                return
            after = page.next


def _plain(record: Ticket | Message) -> dict[str, object]:
    return {name: value for name, value in asdict(record).items() if name not in _INTERNAL}
