"""A record's fields as options of a command and as questions at the terminal, made from the record itself."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ticket_engine.records import RecordError

# Fields that have one possible value, or that are a command of their own.
_NOT_ASKED = ("use_ssl", "oauth_type", "paused")


def options(record: type[BaseModel], *, leave_out: Collection[str] = ()) -> Callable[[Any], Any]:
    """One option for each field of a record: ``--tenant-id`` for ``tenant_id``."""

    def decorate(function: Any) -> Any:
        for name, field in reversed(record.model_fields.items()):
            if name not in leave_out and name not in _NOT_ASKED:
                function = _option(name, field)(function)
        return function

    return decorate


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the person gave; an empty text takes an optional value away."""
    return {name: (None if value == "" else value) for name, value in values.items() if value not in (None, ())}


def ask_for_missing(
    record: Any, values: Mapping[str, Any], defaults: Mapping[str, str], *, questions: Mapping[str, str]
) -> dict[str, Any]:
    """Ask for each field of ``questions`` that is not given; a value that is not acceptable is asked for again.

    Raises:
        RecordError: there is no terminal to ask at, and something is missing or not acceptable.
    """
    known = dict(values)
    if not sys.stdin.isatty():
        record.create(**known)
        return known
    for name, question in questions.items():
        if name in known:
            _refuse(record, known, name)
            continue
        while True:
            known[name] = click.prompt(question, default=defaults.get(name), err=True)
            try:
                _refuse(record, known, name)
            except RecordError as error:
                click.secho("\n".join(error.problems), err=True, fg="red")
                continue
            break
    return known


def _refuse(record: Any, values: Mapping[str, Any], name: str) -> None:
    """Raise RecordError for what is wrong with this field, whatever is missing of the others."""
    try:
        record.create(**values)
    except RecordError as error:
        mine = tuple(each for each in error.problems if each.startswith((f"{name} ", f"{name}:")))
        if mine:
            raise RecordError(record.__name__.lower(), mine) from None


def _option(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    flag = "--" + name.replace("_", "-")
    text = f"{(field.description or name)[:1].upper()}{(field.description or name)[1:]}."
    kind = _kind(field.annotation)
    if get_origin(kind) is tuple:
        single = name.removesuffix("s")
        text = f"{text.removesuffix('.')}; may be given several times, and an empty one takes all away."
        return click.option(f"--{single.replace('_', '-')}", name, multiple=True, help=text, metavar=single.upper())
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text.replace("True or false; ", ""))
    if kind is int:
        return click.option(flag, name, type=int, default=None, help=text, metavar="NUMBER")
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return click.option(flag, name, type=_Choice(kind), default=None, help=text)
    return click.option(flag, name, default=None, help=text, metavar="TEXT")


def _kind(annotation: Any) -> Any:
    if get_origin(annotation) in (types.UnionType, Literal):
        return next((each for each in get_args(annotation) if each is not type(None)), str)
    return annotation


class _Choice(click.ParamType[str]):
    """One of an enumeration's values; capitals and a shorter form such as ``imap`` do."""

    name = "choice"

    def __init__(self, kind: type[StrEnum]) -> None:
        self._values = [str(each.value) for each in kind]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The values, as the help shows them."""
        del param, ctx
        return "[" + "|".join(self._values) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value that was meant."""
        text = str(value).strip().lower()
        exact = [each for each in self._values if each.lower() == text]
        near = exact or [each for each in self._values if text and each.lower().startswith(text)]
        if len(near) != 1:
            takes = " or ".join(repr(each) for each in self._values)
            self.fail(f"It takes {takes}; got {value!r}.", param, ctx)
        return near[0]
