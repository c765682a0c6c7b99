"""Quarantine: mails that could not be fetched, and tickets of mails that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, render_template, request

from console import forms
from console.answers import changed
from ticket_engine.errors import ItemNotFoundError, LeaseHeldError
from ticket_engine.records import RecordError
from ticket_engine.tickets import TicketFilter, TicketPage

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    Answer = str | tuple[str, int] | Response

bp = Blueprint("quarantine", __name__)

_SECTION = "Quarantine"
_MAILBOXES = 25
_ITEMS = 100
# One page looks back so many pages of mail for tickets that could not be read; a link looks further.
_LOOK_BACK = 50


@bp.get("/quarantine")
def quarantine() -> Answer:
    """What waits for a human: not fetched, by mailbox; not read, newest first."""
    return _page()


@bp.post("/quarantine")
def act() -> Answer:
    """Let the next poll fetch a mail again, or read a ticket's mail again that is here."""
    form = request.form
    if form.get("do") == "replay":
        return _replay(*form.get("ticket", "").partition("/")[::2])
    try:
        g.engine.quarantine.release(form.get("mailbox", ""), form.get("item", ""), by=g.principal.name)
    except (ItemNotFoundError, LeaseHeldError) as error:
        return _page(error.reaction.sentence), 409
    g.fleet.reread(form.get("mailbox", ""))
    return changed("/quarantine", "released")


def _replay(mailbox_id: str, ticket_id: str) -> Answer:
    results = g.engine.replay.ticket(mailbox_id, ticket_id, by=g.principal.name)
    problems = [each.problem for each in results if not each.parsed]
    if problems:
        return _page(f"It still can't be read: {problems[0]} The raw mail can be saved."), 409
    return changed("/quarantine", "replayed")


def _page(problem: str = "") -> str:
    rows = [row for row in g.fleet.snapshot().rows if row.poll.quarantined]
    waiting = [(row, g.engine.quarantine.all(row.mailbox.id)[:_ITEMS]) for row in rows[:_MAILBOXES]]
    try:
        unparsed = g.engine.ticket_list.page(
            TicketFilter(unparsed=True), after=request.args.get("after"), rows=_LOOK_BACK
        )
    except RecordError as error:
        unparsed, problem = TicketPage(()), " ".join(forms.problems(error).values())
    return render_template(
        "quarantine.html",
        section=_SECTION,
        waiting=waiting,
        more=len(rows) - len(waiting),
        unparsed=unparsed,
        problem=problem,
        later=bool(request.args.get("after")),
    )
