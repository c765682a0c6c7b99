"""Ticket types: the list, adding and changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, render_template, request

from console import forms
from console.answers import changed
from console.listing import part
from ticket_engine.errors import ConflictError, MailboxNotFoundError
from ticket_engine.records import RecordError, Task, TicketType

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    Answer = str | tuple[str, int] | Response

bp = Blueprint("ticket_types", __name__)

_SECTION = "Ticket types"


@bp.get("/ticket-types")
def ticket_types() -> str:
    """Every ticket type by its mailbox's name, or those that match."""
    snapshot = g.fleet.snapshot()
    word = request.args.get("q", "").strip()
    every = [(row, each) for row in snapshot.rows for each in row.ticket_types]
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


@bp.route("/ticket-types/add", methods=["GET", "POST"])
def add() -> Answer:
    """A form for a new ticket type; ``?mailbox=`` chooses the mailbox."""
    if request.method == "GET":
        return _form(values={"mailbox": request.args.get("mailbox", ""), "task": Task.SIMPLE_STORAGE.value})
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
    g.fleet.forget()
    return changed(f"/mailboxes/{ticket_type.mailbox}", "type-added")


@bp.route("/ticket-types/<type_id>", methods=["GET", "POST"])
def edit(type_id: str) -> Answer:
    """A form for what a ticket type is set up with."""
    setup, stored = g.engine.ticket_type_setup, g.engine.ticket_type_setup.get(type_id)
    if request.method == "GET":
        return _form(values=stored.record.model_dump(mode="json"), ticket_type=stored.record, etag=stored.etag)
    more = {"ticket_type": stored.record, "etag": request.form.get("etag", "")}
    g.fleet.forget()
    if request.form.get("do") == "remove":
        removed = setup.remove(type_id, by=g.principal.name)
        return changed(f"/mailboxes/{removed.record.mailbox}", "type-removed")
    try:
        edited = setup.edit(
            type_id, forms.entered(TicketType, request.form), by=g.principal.name, etag=request.form.get("etag", "")
        )
    except RecordError as error:
        return _form(values=request.form, problems=forms.problems(error), **more), 422
    except MailboxNotFoundError as error:
        return _form(values=request.form, problems={"mailbox": error.reaction.sentence}, **more), 422
    except ConflictError as error:
        return _form(values=request.form, problems={"": error.reaction.sentence}, **more), 409
    return changed(f"/ticket-types/{type_id}", "saved" if edited.changes else "unchanged")


def _form(*, values: Any, problems: dict[str, str] | None = None, **more: Any) -> str:
    page = {"ticket_type": None, "etag": "", **more}
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
