"""``apply`` and ``export``: the set-up as a file."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ticket_engine.cli.arguments import yes_option
from ticket_engine.cli.base import FAILED, OK, command
from ticket_engine.operations.setup_file import as_file
from ticket_engine.records import RecordError

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations.setup_file import Step

_HEAD = """\
# Mailboxes and ticket types; secrets are never in this file.
# yaml-language-server: $schema=mailboxes.schema.json
"""


@command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--check", is_flag=True, help="Only show the difference; ends with 1 when there is one.")
@yes_option
def apply(session: Session, file: IO[str], check: bool, yes: bool) -> int:
    """Create and change mailboxes and ticket types as a YAML FILE says; - reads standard input.

    Shows the difference first. What the file does not name stays as it is, and nothing is removed.
    A second run changes nothing.
    """
    out, setup = session.out, session.engine.setup_file
    steps = setup.plan(_read(file))
    if not out.as_json:
        for step in steps:
            _show(session, step)
    if check or not steps:
        if out.as_json:
            out.json({"differs": bool(steps), "steps": steps, "applied": 0})
        elif not steps:
            out.done("Nothing to change.")
        return FAILED if steps else OK
    new = sum(each.new for each in steps)
    out.confirm(f"Add {new} and change {len(steps) - new}?", yes=yes)
    applied = 0
    with out.progress("Applying", len(steps)) as bar:
        for _ in setup.apply(steps, by=session.person):
            applied += 1
            bar.advance()
    if out.as_json:
        out.json({"differs": False, "steps": steps, "applied": applied})
    out.done(f"Added {new}, changed {len(steps) - new}.")
    for step in steps:
        if step.new and step.kind == "mailboxes":
            out.next_step(f"ticket-engine mailbox set-secret {step.id}; then ticket-engine mailbox invite {step.id}")
    return OK


@command()
@click.option("--output", "-o", type=click.Path(dir_okay=False, writable=True), help="Write here, not to the screen.")
def export(session: Session, output: str | None) -> None:
    """Write the set-up as the YAML file that apply reads; it holds no secret."""
    stores = session.engine.stores
    content = as_file(stores.mailboxes.all(), stores.ticket_types.all())
    if session.out.as_json:
        session.out.json(content)
        return
    import yaml

    text = _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    if output is None:
        session.out.line(text.rstrip("\n"))
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{output} can't be written: {error.strerror}.") from None
    session.out.done(f"Wrote {len(content['mailboxes'])} mailboxes, {len(content['ticket_types'])} ticket types.")


def _read(file: IO[str]) -> Any:
    import yaml

    try:
        return yaml.safe_load(file) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecordError("file", (f"{where}{getattr(error, 'problem', None) or 'no YAML'}",)) from None
    except UnicodeDecodeError:
        raise RecordError("file", ("it is no text in UTF-8",)) from None


def _show(session: Session, step: Step) -> None:
    session.out.line(str(step), fg="green" if step.new else "yellow")
    if step.new:
        for name, value in step.values.items():
            session.out.line(f"    {name}: {value}")
    for change in step.changes:
        session.out.line(f"    {change}")
