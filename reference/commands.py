"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from reference.tables import table
from ticket_engine.cli.app import app
from ticket_engine.cli.base import Group

PROGRAM = "ticket-engine"


def every(group: click.Command = app, path: str = PROGRAM) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, groups first."""
    yield path, group
    if isinstance(group, Group):
        context = click.Context(group, info_name=path)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None:
                yield from every(command, f"{path} {name}")


def reference() -> str:
    """A section for each command: what it does, how it is called, its options."""
    return "\n\n".join(_section(path, command) for path, command in every())


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    depth = min(2 + path.count(" "), 4)
    parts = [f"{'#' * depth} {path}", f"`{path} {usage}`", _sentences(command.help or "")]
    if isinstance(command, Group):
        rows = [(f"`{path} {name}`", line) for name, (_, line) in command.lazy.items()]
        parts.append(table(("command", "what it does"), rows))
    records = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    rows = [(f"`{option}`", _capital(text)) for option, text in filter(None, records)]
    if rows:
        parts.append(table(("option", "meaning"), rows))
    return "\n\n".join(parts)


def _sentences(text: str) -> str:
    """Prose with one sentence a line, as in every guide."""
    paragraphs = (" ".join(each.split()) for each in cleandoc(text).split("\n\n"))
    return "\n\n".join(re.sub(r"(?<=[.:]) (?=[A-Z])", "\n", each) for each in paragraphs)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
