"""Finds the marked places in the pages, and fills them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from reference import commands, costs, signals, tables, troubleshooting
from ticket_engine.operations.setup_file import schema

SCHEMA = "docs/mailboxes.schema.json"
_PLACE = re.compile(r"(?P<begin><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

BLOCKS: dict[str, Callable[[], str]] = {
    "settings": tables.settings,
    "exit-codes": tables.exit_codes,
    "mailbox-fields": tables.mailbox_fields,
    "ticket-type-fields": tables.ticket_type_fields,
    "commands": commands.reference,
    "cost-quantities": costs.quantities,
    "cost-prices": costs.prices,
    "cost-months": costs.months,
    "events": signals.events,
    "instruments": signals.instruments,
    "metrics": signals.metrics,
    "aadsts": troubleshooting.aadsts,
    "oauth-errors": troubleshooting.oauth_errors,
    "reactions": troubleshooting.reactions,
}


def filled(page: str) -> str:
    """A page with every marked place as the code says it; raises KeyError for a place that nothing fills."""
    return _PLACE.sub(lambda place: f"{place['begin']}\n{BLOCKS[place['name']]().strip()}\n\n{place['end']}", page)


def places(root: Path) -> set[str]:
    """The names of all marked places in the pages."""
    return {place["name"] for path in _pages(root) for place in _PLACE.finditer(path.read_text())}


def differing(root: Path) -> list[Path]:
    """The pages that are not as the code says."""
    return [path for path, text in _wanted(root) if not path.exists() or path.read_text() != text]


def write(root: Path) -> list[Path]:
    """Write the pages that differ, and return them."""
    old = differing(root)
    for path, text in _wanted(root):
        if path in old:
            path.write_text(text)
    return old


def _wanted(root: Path) -> Iterator[tuple[Path, str]]:
    for path in _pages(root):
        yield path, filled(path.read_text())
    yield root / SCHEMA, json.dumps(schema(), indent=2) + "\n"


def _pages(root: Path) -> list[Path]:
    return sorted((root / "docs").glob("*.md"))
