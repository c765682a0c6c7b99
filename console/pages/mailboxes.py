"""Mailboxes: the list, one with its journal and its test, adding and changing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, render_template, request
from werkzeug.exceptions import NotFound

from console import forms
from console.answers import changed, message
from console.fleet import Row
from console.listing import part
from ticket_engine.errors import ConflictError, TicketEngineError
from ticket_engine.operations.probe import STEPS
from ticket_engine.records import CALLBACK_ROUTE, AfterIngest, CredentialKind, Mailbox, RecordError

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    Answer = str | tuple[str, int] | Response

bp = Blueprint("mailboxes", __name__)

_SECTION = "Mailboxes"
_JOURNAL_ROWS = 25
_MOST_JOURNAL_ROWS = 500
# What another mailbox of the same application has in common with it.
_OF_THE_APPLICATION = (
    "type",
    "host",
    "port",
    "tenant_id",
    "client_id",
    "redirect_url",
    "credential",
    "certificate_name",
)
_BOXES = ("shared_mailbox", "may_send")
_AFTER_INGEST = {
    "keep": "Keep it in the mailbox",
    "mark read": "Mark it as read",
    "move": "Move it to another folder",
    "delete": "Delete it from the mailbox",
}
_BACKLOG = (
    ("import", "Import it: every mail becomes a ticket"),
    ("from now on", "Leave it: only what comes after the connection becomes tickets"),
)
_STEP_TITLES = {
    "dns": "Name",
    "tls": "Encryption",
    "capability": "Login with OAuth",
    "token": "Token",
    "login": "Login",
    "count": "Mail",
}


@bp.get("/mailboxes")
def mailboxes() -> str:
    """Every mailbox by name, or those that match."""
    word = request.args.get("q", "").strip()
    rows = g.fleet.snapshot().rows
    shown = [row for row in rows if word.casefold() in row.haystack]
    return render_template(
        "mailboxes.html",
        section=_SECTION,
        any_mailbox=bool(rows),
        part=part(shown, request.args.get("page", "")),
        word=word,
    )


@bp.route("/mailboxes/add", methods=["GET", "POST"])
def add() -> Answer:
    """A form for a new mailbox; ``?like=`` fills in the application of another one."""
    like = request.values.get("like", "")
    if request.method == "GET":
        return _form(values=_defaults(like), like=like)
    values = _entered()
    values["id"] = values.get("id") or forms.identifier(values.get("name", "") or values.get("username", ""))
    try:
        mailbox = g.engine.mailbox_setup.add(values, by=g.principal.name)
    except RecordError as error:
        return _form(values=request.form, like=like, problems=forms.problems(error)), 422
    except ConflictError as error:
        return _form(values=request.form, like=like, problems={"": error.reaction.sentence}), 409
    problem = _store_secret(mailbox, like)
    g.fleet.reread(mailbox.id)
    if problem:
        return _detail(mailbox.id, problem=f"The mailbox was added, but its client secret was not stored: {problem}")
    return changed(f"/mailboxes/{mailbox.id}", "mailbox-added")


@bp.route("/mailboxes/<mailbox_id>/edit", methods=["GET", "POST"])
def edit(mailbox_id: str) -> Answer:
    """A form for what a mailbox is set up with."""
    stored = g.engine.mailbox_setup.get(mailbox_id)
    if request.method == "GET":
        return _form(values=stored.record.model_dump(mode="json"), mailbox=stored.record, etag=stored.etag)
    etag = request.form.get("etag", "")
    try:
        edited = g.engine.mailbox_setup.edit(mailbox_id, _entered(), by=g.principal.name, etag=etag)
    except RecordError as error:
        problems = forms.problems(error)
        return _form(values=request.form, mailbox=stored.record, etag=etag, problems=problems), 422
    except ConflictError as error:
        problems = {"": error.reaction.sentence}
        return _form(values=request.form, mailbox=stored.record, etag=etag, problems=problems), 409
    g.fleet.reread(mailbox_id)
    if edited.notes:
        return _detail(mailbox_id, said="The changes were saved.", problem=" ".join(edited.notes))
    return changed(f"/mailboxes/{mailbox_id}", "saved" if edited.changes else "unchanged")


@bp.get("/mailboxes/<mailbox_id>")
def mailbox(mailbox_id: str) -> Answer:
    """One mailbox: how it does, what to do next, its journal."""
    return _detail(mailbox_id)


@bp.post("/mailboxes/<mailbox_id>")
def act(mailbox_id: str) -> Answer:
    """What a button on the mailbox's page asks for."""
    action = _ACTIONS.get(request.form.get("do", ""))
    if action is None:
        raise NotFound
    try:
        return action(mailbox_id)
    finally:
        g.fleet.reread(mailbox_id)


@bp.post("/mailboxes/<mailbox_id>/test/<step>")
def test(mailbox_id: str, step: str) -> str:
    """One step of the test, for the script that shows each as it comes."""
    if step not in STEPS:
        raise NotFound
    return render_template("step.html", step=g.engine.probe.step(mailbox_id, step), step_titles=_STEP_TITLES)


@bp.route("/mailboxes/<mailbox_id>/remove", methods=["GET", "POST"])
def remove(mailbox_id: str) -> Answer:
    """What goes with a mailbox; and away with it, once its id was typed."""
    going = g.engine.mailbox_setup.going(mailbox_id)
    problem = ""
    if request.method == "POST":
        if request.form.get("confirm", "").strip() == mailbox_id:
            g.engine.mailbox_setup.remove(mailbox_id, by=g.principal.name)
            g.fleet.reread(mailbox_id)
            return changed("/mailboxes", "mailbox-removed")
        problem = f"Type {mailbox_id} to confirm."
    page = render_template("mailbox-remove.html", section=_SECTION, going=going, problem=problem)
    return (page, 422) if problem else page


def _detail(mailbox_id: str, **more: Any) -> Answer:
    view = g.engine.overview.of(mailbox_id)
    wanted = request.args.get("journal", "")
    count = min(int(wanted), _MOST_JOURNAL_ROWS) if wanted.isdecimal() else _JOURNAL_ROWS
    page = render_template(
        "mailbox.html",
        section=_SECTION,
        row=Row(view),
        view=view,
        now=view.at,
        journal=g.engine.mailbox_setup.journal(mailbox_id, count + 1),
        journal_rows=count,
        step_names=STEPS,
        step_titles=_STEP_TITLES,
        **{"said": message(), "problem": "", "invite": None, "steps": None, **more},
    )
    return (page, 422) if more.get("problem") and "said" not in more else page


def _form(*, values: Any, problems: dict[str, str] | None = None, **more: Any) -> str:
    page = {"mailbox": None, "etag": "", "like": "", **more}
    return render_template(
        "mailbox-form.html",
        section=_SECTION,
        values=values,
        problems=problems or {},
        others=[row.mailbox for row in g.fleet.snapshot().rows],
        after_ingest_choices=[(each.value, _AFTER_INGEST.get(each.value, each.value)) for each in AfterIngest],
        backlog_choices=_BACKLOG,
        **page,
    )


def _defaults(like: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "type": "POP3 - OAuth",
        "host": Mailbox.model_fields["host"].default,
        "redirect_url": f"{request.host_url}api/{CALLBACK_ROUTE}",
        "credential": CredentialKind.CLIENT_SECRET.value,
        "after_ingest": "keep",
        "folder": Mailbox.model_fields["folder"].default,
    }
    if like:
        other = g.engine.mailbox_setup.get(like).record.model_dump(mode="json")
        values |= {name: other[name] for name in _OF_THE_APPLICATION}
    return values


def _entered() -> dict[str, Any]:
    """The mailbox's fields of the form; an empty one that has a default is left to it."""
    values = forms.entered(Mailbox, request.form, boxes=_BOXES)
    if values.get("port") in (None, ""):
        values.pop("port", None)
    if not values.get("shared_mailbox"):
        values["delegate"] = None
    return values


def _store_secret(mailbox: Mailbox, like: str) -> str:
    """Store the client secret that the form carries, or that of another mailbox; the problem, or nothing."""
    secret, same = request.form.get("client_secret", "").strip(), request.form.get("same_secret") == "yes"
    try:
        if secret:
            ends_at = _end_of(request.form.get("secret_ends", ""))
            g.engine.mailbox_setup.set_secret(mailbox.id, secret, ends_at=ends_at, by=g.principal.name)
        elif same and like:
            g.engine.mailbox_setup.copy_secret(mailbox.id, like, by=g.principal.name)
        elif request.form.get("do") == "secret":
            return "Paste the secret's value first."
    except RecordError as error:
        return "; ".join(error.problems)
    except TicketEngineError as error:
        return error.reaction.sentence
    return ""


def _end_of(text: str) -> datetime | None:
    """The end of a day, UTC; None for no date."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1, seconds=-1)
    except ValueError:
        raise RecordError("client secret", ("the end date takes a day such as 2028-11-24",)) from None


def _pause(mailbox_id: str) -> Answer:
    g.engine.mailbox_setup.pause(mailbox_id, by=g.principal.name)
    return changed(f"/mailboxes/{mailbox_id}", "paused")


def _resume(mailbox_id: str) -> Answer:
    g.engine.mailbox_setup.resume(mailbox_id, by=g.principal.name)
    return changed(f"/mailboxes/{mailbox_id}", "resumed")


def _invite(mailbox_id: str) -> Answer:
    # The link is a secret: it is in this answer, and nowhere again.
    return _detail(mailbox_id, invite=g.engine.mailbox_setup.invite(mailbox_id, by=g.principal.name))


def _revoke(mailbox_id: str) -> Answer:
    g.engine.mailbox_setup.revoke_invite(mailbox_id, by=g.principal.name)
    return changed(f"/mailboxes/{mailbox_id}", "revoked")


def _secret(mailbox_id: str) -> Answer:
    problem = _store_secret(g.engine.mailbox_setup.get(mailbox_id).record, "")
    return _detail(mailbox_id, problem=problem) if problem else changed(f"/mailboxes/{mailbox_id}", "secret-stored")


def _test(mailbox_id: str) -> Answer:
    return _detail(mailbox_id, steps=list(g.engine.probe.steps(mailbox_id)))


def _import(mailbox_id: str) -> Answer:
    token = request.form.get("refresh_token", "").strip()
    if not token:
        return _detail(mailbox_id, problem="Paste the refresh token first.")
    try:
        g.engine.mailbox_setup.import_token(mailbox_id, token, by=g.principal.name)
    except TicketEngineError as error:
        return _detail(mailbox_id, problem=error.reaction.sentence)
    return changed(f"/mailboxes/{mailbox_id}", "connected")


_ACTIONS: dict[str, Callable[[str], Answer]] = {
    "pause": _pause,
    "resume": _resume,
    "invite": _invite,
    "revoke": _revoke,
    "secret": _secret,
    "import": _import,
    "test": _test,
}
