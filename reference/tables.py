"""Tables of settings, fields and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from ticket_engine.cli.base import EXIT_CODES
from ticket_engine.operations.changes import readable
from ticket_engine.records import Mailbox, TicketType
from ticket_engine.settings import Settings

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def settings() -> str:
    """Every app setting with its meaning and default."""
    rows = [
        (f"`{each.metadata['name']}`", each.metadata["meaning"], _default(each.default)) for each in fields(Settings)
    ]
    return table(("setting", "meaning", "default"), rows)


def exit_codes() -> str:
    """What the command line ends with."""
    return table(("code", "meaning"), [(str(code), meaning) for code, meaning in EXIT_CODES.items()])


def mailbox_fields() -> str:
    """A mailbox's fields."""
    return _fields(Mailbox)


def ticket_type_fields() -> str:
    """A ticket type's fields."""
    return _fields(TicketType)


def _fields(record: type[BaseModel]) -> str:
    rows = []
    for name, field in record.model_fields.items():
        default = "must be given" if field.is_required() else f"`{readable(field.default)}`"
        if name == "port":
            default = "by type"
        rows.append((f"`{name}`", field.description or "", default))
    return table(("field", "what it takes", "default"), rows)


def _default(value: Any) -> str:
    if value is MISSING:
        return "must be set"
    if value in ("", (), None):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
        return f"`{seconds // size}{unit}`"
    if isinstance(value, int) and value and value % 1024**2 == 0:
        return f"`{value // 1024**2}MB`"
    return f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
