"""Pages of a list that is in memory: so many rows each, with the numbers of the pages in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
# With a chart a row is about a kilobyte, so that a page stays well below 100.
PAGE_ROWS = 50


@dataclass(frozen=True)
class Part(Generic[Item]):
    """One page of a list; ``number`` counts from 1."""

    items: Sequence[Item]
    number: int
    pages: int
    total: int

    @property
    def first(self) -> int:
        """The place of the page's first row in the list, from 1."""
        return (self.number - 1) * PAGE_ROWS + 1

    @property
    def last(self) -> int:
        """The place of the page's last row."""
        return self.first + len(self.items) - 1


def part(items: Sequence[Item], wanted: str) -> Part[Item]:
    """The page that an address asks for; the nearest one where it asks for none that is there."""
    pages = max(1, -(-len(items) // PAGE_ROWS))
    number = min(max(int(wanted), 1), pages) if wanted.isdecimal() and len(wanted) <= len(str(pages)) else 1
    return Part(items[(number - 1) * PAGE_ROWS : number * PAGE_ROWS], number, pages, len(items))
