"""Tickets: the list with its filters and search, one with its conversation, changes, and closing many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.exceptions import NotFound

from console import forms
from console.answers import PREFIX, changed
from console.display import query
from ticket_engine.errors import ConflictError
from ticket_engine.records import RecordError, TicketState, is_ticket_id, spoken_ticket_id
from ticket_engine.tickets import PAGE, TicketFilter, TicketPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from ticket_engine.records import Message, TicketEvent

    Answer = str | tuple[str, int] | Response

bp = Blueprint("tickets", __name__)

_SECTION = "Tickets"
_FILTERS = ("text", "state", "mailbox", "ticket_type", "assignee", "sender", "since", "until")
_STATES = (
    ("not-closed", "Not closed"),
    ("any", "Any"),
    *((each.value, each.value.capitalize()) for each in TicketState),
)
# Above so many, a list to choose from is longer than the page; then the name is typed.
_MOST_CHOICES = 100
# A page shows so many mails of a long conversation, the newest of them with their text as far as this goes, and so
# much of the history; older ones are behind a link.
_MAILS = 30
_TEXT_BYTES = 20_000
_HISTORY_BYTES = 12_000


@bp.get("/tickets")
def tickets() -> Answer:
    """The tickets that the address asks for, newest first; those that are not closed where it asks for nothing."""
    wanted = {name: request.args.get(name, "").strip() for name in _FILTERS}
    wanted["state"] = wanted["state"] or "not-closed"
    try:
        chosen = TicketFilter.read({name: value for name, value in wanted.items() if value})
        page = g.engine.ticket_list.page(chosen, after=request.args.get("after"), limit=PAGE)
        problems = {}
    except RecordError as error:
        page, problems = TicketPage(()), forms.problems(error)
    return _listed(page, wanted, problems)


@bp.post("/tickets")
def close_many() -> Answer:
    """Close the tickets that were marked in the list, and go back to it."""
    marked = [tuple(each.partition("/")[::2]) for each in request.form.getlist("ticket")]
    result = g.engine.tickets.close(marked, by=g.principal.name)
    back = query({name: request.args.get(name, "") for name in (*_FILTERS, "after")})
    return changed(f"/tickets?{back}" if back else "/tickets", "", closed=result.closed, left=len(result.failed))


@bp.get("/tickets/<ticket_id>")
def find(ticket_id: str) -> Answer:
    """The ticket with this id, in whatever mailbox; links from outside need not know where it is."""
    code = spoken_ticket_id(ticket_id)
    found = g.engine.ticket_list.find(code) if is_ticket_id(code) else None
    if found is None:
        raise NotFound
    return redirect(f"{PREFIX}/tickets/{found.mailbox}/{found.id}")


@bp.get("/tickets/<mailbox_id>/<ticket_id>")
def ticket(mailbox_id: str, ticket_id: str) -> Answer:
    """A ticket with its conversation, oldest mail first, and its history."""
    return _ticket(mailbox_id, ticket_id)


@bp.post("/tickets/<mailbox_id>/<ticket_id>")
def change(mailbox_id: str, ticket_id: str) -> Answer:
    """What a button on the ticket's page asks for."""
    form, by, work = request.form, g.principal.name, g.engine.tickets
    here = f"/tickets/{mailbox_id}/{ticket_id}"
    wanted: dict[str, Any] = {"note": form.get("note", "")}
    match form.get("do", ""):
        case "save":
            wanted |= {"state": form.get("state"), "assignee": form.get("assignee", "")}
        case "take":
            wanted |= {"assignee": by}
        case "close":
            wanted |= {"state": TicketState.CLOSED}
        case "reopen":
            wanted |= {"state": TicketState.OPEN}
        case _:
            raise NotFound
    try:
        work.change(mailbox_id, ticket_id, by=by, etag=form.get("etag"), **wanted)
    except RecordError as error:
        return _ticket(mailbox_id, ticket_id, entered=form, problems=forms.problems(error)), 422
    except ConflictError as error:
        return _ticket(mailbox_id, ticket_id, entered=form, problems={"": error.reaction.sentence}), 409
    return changed(here, "saved")


def _listed(page: TicketPage, wanted: dict[str, str], problems: dict[str, str]) -> Answer:
    snapshot = g.fleet.snapshot()
    names = {row.mailbox.id: row.mailbox.name for row in snapshot.rows}
    types = {each.id: each.name for row in snapshot.rows for each in row.ticket_types}
    answer = render_template(
        "tickets.html",
        section=_SECTION,
        page=page,
        wanted=wanted,
        filtered=any(value for name, value in wanted.items() if name != "state"),
        later=bool(request.args.get("after")),
        states=_STATES,
        mailbox_names=names,
        type_names=types,
        few_mailboxes=len(names) <= _MOST_CHOICES,
        few_types=len(types) <= _MOST_CHOICES,
        problems=problems,
        action=f"{PREFIX}/tickets?{query(wanted, after=request.args.get('after', ''))}",
    )
    return (answer, 422) if problems else answer


def _ticket(mailbox_id: str, ticket_id: str, *, entered: Any = None, problems: dict[str, str] | None = None) -> str:
    before = request.args.get("before", "")
    view = g.engine.tickets.get(mailbox_id, ticket_id, before=int(before) if before.isdecimal() else None)
    shown = view.messages[-_MAILS:]
    history = view.history if request.args.get("history") == "all" else _newest(view.history)
    row = g.fleet.snapshot().by_id.get(mailbox_id)
    types = {each.id: each.name for each in row.ticket_types} if row else {}
    values = {"state": view.ticket.state.value, "assignee": view.ticket.assignee, "note": ""}
    return render_template(
        "ticket.html",
        section=_SECTION,
        view=view,
        ticket=view.ticket,
        mailbox_id=mailbox_id,
        mailbox_name=row.mailbox.name if row else mailbox_id,
        type_name=types.get(view.ticket.ticket_type, view.ticket.ticket_type),
        messages=shown,
        earlier=view.earlier + len(view.messages) - len(shown),
        whole=_with_text(shown),
        history=history,
        older_history=len(view.history) - len(history),
        values={**values, **(dict(entered) if entered else {})},
        problems=problems or {},
        states=[(each.value, each.value.capitalize()) for each in TicketState],
    )


def _newest(history: Sequence[TicketEvent]) -> Sequence[TicketEvent]:
    """The end of a history, as far as the page has room for it; at least the last line."""
    left = _HISTORY_BYTES
    for number, event in enumerate(reversed(history)):
        # A line is markup too.
        left -= 200 + len(event.old.encode()) + len(event.new.encode())
        if left < 0:
            return history[-max(1, number) :]
    return history


def _with_text(messages: Sequence[Message]) -> set[str]:
    """The keys of the messages whose text the page has room for, the newest first."""
    keys: set[str] = set()
    left = _TEXT_BYTES
    for each in reversed(messages):
        left -= len(each.text.encode())
        if left < 0 and keys:
            break
        keys.add(each.key)
    return keys
