"""What a change to a record is: which fields, from what to what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Change:
    """One field's change; values as people read them."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        """The change in one line."""
        return f"{self.field}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class Edited(Generic[Record]):
    """A record after a change: with its new ETag, what changed, and what the person should know or do next."""

    record: Record
    etag: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


def readable(value: Any) -> str:
    """A field's value as people write it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "(none)"
    if value is None or value == "":
        return "(none)"
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "(none)"
    return str(value)


def changes(before: BaseModel, after: BaseModel) -> tuple[Change, ...]:
    """The fields whose values differ, in the record's order."""
    return tuple(
        Change(name, readable(getattr(before, name)), readable(getattr(after, name)))
        for name in type(after).model_fields
        if getattr(before, name) != getattr(after, name)
    )


def changed(before: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    """All values of a record with these changed, for its ``create``."""
    return {**before.model_dump(), **values}
