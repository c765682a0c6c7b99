"""What a command prints: JSON for programs, tables for people, lines that survive a pipe and a narrow terminal."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import click

from ticket_engine.plain import plain

_GAP = "  "
# Control and format characters, surrogates, unassigned ones: Unicode's general categories.
_STEERING = {"Cc", "Cf", "Cs", "Cn"}


class Output:
    """Where a command's results go: always to stdout; remarks and progress to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def json(self, value: Any) -> None:
        """Print a value as JSON."""
        click.echo(json.dumps(plain(value), indent=2 if sys.stdout.isatty() else None))

    def line(self, text: str = "", **style: Any) -> None:
        """Print a line of the result."""
        click.echo(click.style(text, **style) if style else text)

    def note(self, text: str, **style: Any) -> None:
        """Print a remark, which is no part of the result; a program that asked for JSON gets none."""
        if not self.as_json:
            click.echo(click.style(text, **style) if style else text, err=True)

    def done(self, text: str) -> None:
        """Say that something was done."""
        self.note(text, fg="green")

    def next_step(self, text: str) -> None:
        """Say what to do next."""
        self.note(f"Next: {text}")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
        """Print rows in columns; where the terminal is too narrow for them, each row as a block."""
        if not rows:
            self.note(empty)
            return
        rows = [tuple(safe(cell, line=True) for cell in row) for row in rows]
        widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
        width = sum(widths) + len(_GAP) * (len(widths) - 1)
        if sys.stdout.isatty() and width > shutil.get_terminal_size().columns:
            for number, row in enumerate(rows):
                if number:
                    click.echo()
                self.pairs(zip(headings, row, strict=True))
            return
        for number, row in enumerate((headings, *rows)):
            cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=True))
            self.line(_GAP.join(cells).rstrip(), **({"bold": True} if number == 0 else {}))

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Print names with their values, one a line; empty values are left out."""
        known = [(name, safe(value, line=True)) for name, value in pairs if value]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            click.echo(f"{click.style(name.ljust(width), bold=True)}{_GAP}{value}")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that can't be taken back; ``yes`` is the answer that came with the command.

        Raises:
            click.UsageError: there is no terminal to ask at.
            click.Abort: the answer was no.
        """
        if yes:
            return
        if self.as_json or not sys.stdin.isatty():
            raise click.UsageError(f"{question} There is no terminal to ask at: add --yes if you mean it.")
        click.confirm(question, abort=True, err=True)

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Any]:
        """A progress bar on stderr, where that is a terminal; the value's ``advance(n)`` moves it."""
        if self.as_json or not sys.stderr.isatty():
            yield _Silent()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield _Bar(bar, task)


class _Silent:
    def advance(self, count: int = 1) -> None:
        """Nobody looks."""


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, count: int = 1) -> None:
        """Move the bar."""
        self._bar.advance(self._task, count)


def safe(text: str, *, line: bool = False) -> str:
    """A text from outside without what could steer the terminal or turn its direction; ``line`` makes it one line."""
    kept = "" if line else "\n\t"
    return "".join(
        each if each in kept or unicodedata.category(each) not in _STEERING else (" " if each in "\r\n\t" else "\ufffd")
        for each in text
    )


def ago(lag: timedelta | None) -> str:
    """A duration as people say it: 45 s, 12 min, 3 h, 4 d."""
    if lag is None:
        return "never"
    seconds = max(0, int(lag.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def moment(at: datetime | None) -> str:
    """A time in the reader's zone, to the minute."""
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M %Z}"


def day(at: datetime | None) -> str:
    """A day in the reader's zone."""
    return "" if at is None else f"{at.astimezone():%Y-%m-%d}"
