"""The one place that turns a record into a table entity and back, with the version of the row's format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from itertools import count, takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

Entity = dict[str, Any]
Record = TypeVar("Record")

FORMAT = 1
_FORMAT_PROPERTY = "Format"
# A binary property holds at most 64 KiB, so a longer value is cut into numbered properties.
_CHUNK = 60 * 1024
_INT32 = 2**31
# How a row of an older format becomes one of the next: {from: function}. Empty until there is a second format.
_UPGRADES: dict[int, Callable[[type[Any], Entity], Entity]] = {}


class NewerFormatError(ValueError):
    """A row was written by a newer release than this one."""


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _flatten(name: str, value: Any, into: Entity) -> None:
    if value is None:
        return
    if isinstance(value, Enum):
        into[name] = value.value
    elif isinstance(value, bytes):
        for number, start in enumerate(range(0, len(value) or 1, _CHUNK)):
            into[f"{name}_{number}"] = value[start : start + _CHUNK]
    elif isinstance(value, int) and not isinstance(value, bool) and not -_INT32 <= value < _INT32:
        from azure.data.tables import EdmType

        into[name] = (value, EdmType.INT64)
    elif isinstance(value, tuple):
        into[f"{name}_json"] = json.dumps(to_jsonable_python(value), ensure_ascii=False, separators=(",", ":"))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _flatten(f"{name}_{field.name}", getattr(value, field.name), into)
    else:
        into[name] = value


def to_entity(record: Any, partition: str, row: str) -> Entity:
    """The table entity of a record: a property a field, ``None`` left out, records flattened, tuples as JSON."""
    entity: Entity = {"PartitionKey": partition, "RowKey": row, _FORMAT_PROPERTY: FORMAT}
    for name in _field_names(type(record)):
        _flatten(name, getattr(record, name), entity)
    return entity


def _field_names(kind: type[Any]) -> Iterable[str]:
    return kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__


def _utc(value: Any) -> Any:
    # The SDK's datetime subclass carries the service's own text, and a 64-bit number comes with its type.
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz()).astimezone(UTC)
    return value[0] if isinstance(value, tuple) else value


def _gather(kind: type[Any], entity: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    names = _field_names(kind)
    values: dict[str, Any] = {}
    for name in names:
        full = prefix + name
        if full in entity:
            values[name] = _utc(entity[full])
        elif f"{full}_json" in entity:
            values[name] = json.loads(entity[f"{full}_json"])
        elif f"{full}_0" in entity:
            chunks = takewhile(entity.__contains__, (f"{full}_{number}" for number in count()))
            values[name] = b"".join(entity[chunk] for chunk in chunks)
        elif any(key.startswith(f"{full}_") for key in entity):
            nested = f"{full}_"
            values[name] = {
                key.removeprefix(nested): _utc(value) for key, value in entity.items() if key.startswith(nested)
            }
    return values


def from_entity(kind: type[Record], entity: Mapping[str, Any]) -> Record:
    """The record of a table entity; a row of an older format is brought up to date first.

    Raises:
        NewerFormatError: the row was written by a newer release.
    """
    row = dict(entity)
    version = int(row.get(_FORMAT_PROPERTY, FORMAT))
    if version > FORMAT:
        raise NewerFormatError(
            f"The {kind.__name__} row {row.get('RowKey')!r} has format {version}, and this release reads up to "
            f"{FORMAT}: deploy the newer release again."
        )
    for step in range(version, FORMAT):
        row = _UPGRADES[step](kind, row)
    record: Record = _adapter(kind).validate_python(_gather(kind, row))
    return record
