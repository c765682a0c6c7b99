"""The first page: what needs a human, then every mailbox."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, g, render_template, request

from console.listing import part

if TYPE_CHECKING:
    from console.fleet import Row

bp = Blueprint("overview", __name__)

# One cause can stop a thousand mailboxes: it is said once, with the first of them by name.
_NAMED = 3
_CAUSES = 20


@dataclass(frozen=True)
class Cause:
    """Something that a human must do, and the mailboxes that wait for it."""

    actor: str
    sentence: str
    mood: str
    rows: tuple[Row, ...]

    @property
    def named(self) -> tuple[Row, ...]:
        """The mailboxes to name."""
        return self.rows[:_NAMED]


def causes(rows: Iterable[Row]) -> list[Cause]:
    """What needs a human: what is broken before what ends soon, and what stops most mailboxes first."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.mailbox.paused:
            continue
        if not row.health.ok:
            found.setdefault((row.health.actor, row.health.sentence, "bad"), []).append(row)
        for warning in row.health.warnings:
            found.setdefault(("", warning, "wait"), []).append(row)
    every = [Cause(actor, sentence, mood, tuple(of)) for (actor, sentence, mood), of in found.items()]
    return sorted(every, key=lambda cause: (cause.mood != "bad", cause.actor == "service", -len(cause.rows)))


@bp.get("/")
def overview() -> str:
    """What needs a human first, then every mailbox with its light."""
    snapshot = g.fleet.snapshot()
    rows = snapshot.rows
    word = request.args.get("q", "").strip()
    light = request.args.get("light", "")
    shown = [row for row in rows if word.casefold() in row.haystack and light in {"", row.light}]
    every = causes(rows)
    return render_template(
        "overview.html",
        section="Overview",
        now=g.engine.clock(),
        any_mailbox=bool(rows),
        causes=every[:_CAUSES],
        more_causes=len(every) - _CAUSES,
        figures=snapshot.lights,
        mails_today=snapshot.mails_today,
        part=part(shown, request.args.get("page", "")),
        today=snapshot.at.date(),
        word=word,
        wanted=light,
    )
