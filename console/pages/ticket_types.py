"""Ticket types: the list with their order, adding and changing, and a live try of their match rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, render_template, request

from console import forms
from console.answers import changed
from console.display import query
from console.listing import part
from ticket_engine.errors import ConflictError, MailboxNotFoundError
from ticket_engine.records import RecordError, Task, TicketType

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    Answer = str | tuple[str, int] | Response

bp = Blueprint("ticket_types", __name__)

_SECTION = "Ticket types"
# Between priorities there is room for types that are added by hand.
_STEP = 10
_TRIED = 20
_DEFAULTS = {
    "task": Task.SIMPLE_STORAGE.value,
    "rules": "",
    "rules_match": "any",
    "priority": 100,
    "notify_per_hour": 20,
    "keep_days": 0,
}


def in_order(ticket_types: Iterable[TicketType]) -> list[TicketType]:
    """The ticket types of a mailbox in the order in which a mail is shown to them; the one that takes the rest last."""
    return sorted(ticket_types, key=lambda each: (not each.rules, each.priority, each.id))


@bp.get("/ticket-types")
def ticket_types() -> str:
    """Every ticket type by its mailbox's name, or those that match."""
    snapshot = g.fleet.snapshot()
    word = request.args.get("q", "").strip()
    every = [(row, each) for row in snapshot.rows for each in in_order(row.ticket_types)]
    shown = [
        (row, each)
        for row, each in every
        if word.casefold() in f"{each.name} {each.id} {each.admin_email} {row.mailbox.name}".casefold()
    ]
    return render_template(
        "ticket-types.html",
        section=_SECTION,
        any_type=bool(every),
        any_mailbox=bool(snapshot.rows),
        part=part(shown, request.args.get("page", "")),
        word=word,
    )


@bp.post("/ticket-types")
def move() -> Answer:
    """Ask a ticket type one place earlier than before; those of its mailbox are numbered anew where they must."""
    type_id, by = request.form.get("type", ""), g.principal.name
    setup = g.engine.ticket_type_setup
    stored = setup.get(type_id).record
    ordered = in_order(setup.all(stored.mailbox))
    at = next(number for number, each in enumerate(ordered) if each.id == type_id)
    if at:
        ordered[at - 1], ordered[at] = ordered[at], ordered[at - 1]
    for number, each in enumerate(ordered, 1):
        if each.priority != number * _STEP:
            setup.edit(each.id, {"priority": number * _STEP}, by=by)
    g.fleet.reread(stored.mailbox)
    word = query(q=request.args.get("q", ""))
    return changed(f"/ticket-types?{word}" if word else "/ticket-types", "moved")


@bp.post("/ticket-types/try")
def try_rules() -> Answer:
    """What the rules that are being written would do with the newest tickets: a part of the form's page."""
    return render_template("trial.html", **_trial(request.form.get("id", "")))


@bp.route("/ticket-types/add", methods=["GET", "POST"])
def add() -> Answer:
    """A form for a new ticket type; ``?mailbox=`` chooses the mailbox."""
    if request.method == "GET":
        return _form(values={**_DEFAULTS, "mailbox": request.args.get("mailbox", "")})
    if request.form.get("do") == "try":
        return _form(values=request.form, **_trial(""))
    values = forms.entered(TicketType, request.form)
    values["id"] = values.get("id") or forms.identifier(values.get("name", ""))
    try:
        ticket_type = g.engine.ticket_type_setup.add(values, by=g.principal.name)
    except RecordError as error:
        return _form(values=request.form, problems=forms.problems(error)), 422
    except MailboxNotFoundError as error:
        return _form(values=request.form, problems={"mailbox": error.reaction.sentence}), 422
    except ConflictError as error:
        return _form(values=request.form, problems={"id": error.reaction.sentence}), 409
    g.fleet.reread(ticket_type.mailbox)
    return changed(f"/mailboxes/{ticket_type.mailbox}", "type-added")


@bp.get("/ticket-types/<type_id>")
def edit(type_id: str) -> Answer:
    """A form for what a ticket type is set up with."""
    stored = g.engine.ticket_type_setup.get(type_id)
    return _form(values=_written(stored.record), ticket_type=stored.record, etag=stored.etag)


@bp.post("/ticket-types/<type_id>")
def act(type_id: str) -> Answer:
    """Save the form, try its rules, or remove the ticket type."""
    setup = g.engine.ticket_type_setup
    more = {"ticket_type": setup.get(type_id).record, "etag": request.form.get("etag", "")}
    what = request.form.get("do", "save")
    if what == "try":
        return _form(values=request.form, **more, **_trial(type_id))
    if what == "secret":
        # Shown in this answer, and nowhere again.
        secret = setup.new_webhook_secret(type_id, by=g.principal.name)
        stored = setup.get(type_id)
        return _form(values=_written(stored.record), ticket_type=stored.record, etag=stored.etag, webhook_secret=secret)
    if what == "remove":
        removed = setup.remove(type_id, by=g.principal.name)
        g.fleet.reread(removed.record.mailbox)
        return changed(f"/mailboxes/{removed.record.mailbox}", "type-removed")
    try:
        edited = setup.edit(type_id, forms.entered(TicketType, request.form), by=g.principal.name, etag=more["etag"])
    except RecordError as error:
        return _form(values=request.form, problems=forms.problems(error), **more), 422
    except (ConflictError, MailboxNotFoundError) as error:
        return _form(values=request.form, problems={"": error.reaction.sentence}, **more), 409
    for mailbox_id in {more["ticket_type"].mailbox, edited.record.mailbox}:
        g.fleet.reread(mailbox_id)
    return changed(f"/ticket-types/{type_id}", "saved" if edited.changes else "unchanged")


def _form(*, values: Any, problems: dict[str, str] | None = None, **more: Any) -> str:
    page = {"ticket_type": None, "etag": "", "webhook_secret": "", "trials": None, "trial_problem": "", **more}
    mailboxes = [row.mailbox for row in g.fleet.snapshot().rows]
    return render_template(
        "ticket-type-form.html",
        section=_SECTION,
        values=values,
        problems=problems or {},
        mailboxes=mailboxes,
        mailbox_choices=[(each.id, f"{each.name} ({each.username})") for each in mailboxes],
        tasks=[(each.value, each.value) for each in Task],
        **page,
    )


def _written(ticket_type: TicketType) -> dict[str, Any]:
    values = ticket_type.model_dump(mode="json")
    return {**values, "rules": "\n".join(values["rules"])}


def _trial(type_id: str) -> dict[str, Any]:
    """The trial of the form's rules, or why there is none."""
    values = forms.entered(TicketType, request.form)
    # What is not filled in yet has nothing to do with the rules.
    values |= {"id": type_id or "new", "name": values.get("name") or "New", "admin_email": "nobody@example.com"}
    try:
        candidate = TicketType.create(**values)
    except RecordError as error:
        return {"trials": [], "trial_problem": " ".join(forms.problems(error).values()), "type_names": {}}
    names = {each.id: each.name for each in g.engine.ticket_type_setup.all(candidate.mailbox)}
    return {
        "trials": list(g.engine.rule_trial.run(candidate, count=_TRIED)),
        "trial_problem": "",
        "type_names": names | {candidate.id: candidate.name},
    }
