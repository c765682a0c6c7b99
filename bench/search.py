"""How long a search over all tickets takes: to its first page, and to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ticket_engine.engine import Engine
from ticket_engine.tickets import NOT_CLOSED, TicketFilter

_SEARCHES = {
    "a word of most tickets": TicketFilter(text="printer"),
    "a word that is nowhere": TicketFilter(text="zeppelin"),
    "a sender's name, by filter": TicketFilter(sender="person 4711 "),
    "open tickets of one person": TicketFilter(assignee="agent7@contoso.example", states=NOT_CLOSED),
}


def measure(engine: Engine, tickets: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The time of each search, in tables that hold so many tickets; a search that finds many stops after ten pages."""
    lines = []
    for name, wanted in _SEARCHES.items():
        say(f"Search: {name}")
        began = time.perf_counter()
        first = page = engine.ticket_list.page(wanted)
        first_ms = (time.perf_counter() - began) * 1000
        pages = 1
        while page.next is not None and not (pages >= 10 and first.tickets):  # noqa: PLR2004 - see above
            page = engine.ticket_list.page(wanted, after=page.next)
            pages += 1
        seconds = time.perf_counter() - began
        lines.append(
            {
                "search": name,
                "tickets": tickets,
                "first_ms": first_ms,
                "found_first": len(first.tickets),
                "pages": pages,
                "seconds": seconds,
            }
        )
    return lines
