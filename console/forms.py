"""Forms: what was entered, and what is wrong with it, field by field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from ticket_engine.records import RecordError

# A record's problem begins with the field: "port takes a port from 1 to 65535; got 'x'".
_FIELD = re.compile(r"^(\w+)(?::| takes| is missing| is| can't)")
_MAX_IDENTIFIER = 60


def entered(kind: type[BaseModel], form: Mapping[str, str], *, boxes: Collection[str] = ()) -> dict[str, Any]:
    """The record's fields that a form has, as text; ``boxes`` are its check boxes, which are left out when off."""
    values: dict[str, Any] = {name: form[name].strip() for name in kind.model_fields if name in form}
    return values | {name: name in form for name in boxes}


def problems(error: RecordError) -> dict[str, str]:
    """What is wrong by field; what belongs to none is under the empty name."""
    found: dict[str, str] = {}
    for each in error.problems:
        match = _FIELD.match(each)
        name = match[1] if match else ""
        text = each[:1].upper() + each[1:] if not name else _sentence(each, name)
        found[name] = f"{found[name]} {text}" if name in found else text
    return found


def _sentence(problem: str, name: str) -> str:
    """The problem without its field's name, because it stands below the field."""
    rest = problem.removeprefix(name).lstrip(": ")
    rest = rest.removeprefix("is missing; it ").partition("; got ")[0]
    return rest[:1].upper() + rest[1:] + ("" if rest.endswith(".") else ".")


def identifier(text: str) -> str:
    """An id made from a name or an address: lower-case letters, digits and single dashes."""
    plain = unicodedata.normalize("NFKD", text.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_IDENTIFIER].strip("-")
