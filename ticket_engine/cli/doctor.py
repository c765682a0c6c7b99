"""The check of a deployment at the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.base import FAILED, OK, command
from ticket_engine.operations.inspection import Inspection, Verdict

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations.inspection import Check

_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red"}


@command()
@click.option(
    "--key", envvar="TICKET_ENGINE_KEY", default="", metavar="KEY", help="A function key, to compare the app's release."
)
def doctor(session: Session, key: str) -> int:
    """Check a deployment: settings, roles, tables, queues, poison queues, schedules, clock, the app, releases.

    Changes nothing; ends with 1 when something is wrong.
    """
    out = session.out
    settings = session.engine.settings
    found: list[Check] = []
    if not out.as_json:
        out.pairs((("tables", settings.tables_url), ("blobs", settings.blobs_url), ("vault", settings.vault_url)))
        out.line()
    for check in Inspection(session.engine, os.environ, key).checks():
        found.append(check)
        if not out.as_json:
            verdict = click.style(check.verdict.value.ljust(7), fg=_COLOURS[check.verdict])
            out.line(f"{verdict}  {check.name.ljust(26)}  {check.sentence}")
    failed = [each for each in found if each.verdict is Verdict.FAILED]
    if out.as_json:
        out.json({"ok": not failed, "checks": found})
    elif failed:
        out.note(f"{len(failed)} of {len(found)} checks failed.", fg="red")
    else:
        out.done(f"{len(found)} checks, nothing wrong.")
    return FAILED if failed else OK
