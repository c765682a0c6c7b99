"""Adding, changing and removing mailboxes."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ticket_engine.cli import connecting, fields
from ticket_engine.cli.arguments import Day, mailbox_argument, qr_option, yes_option
from ticket_engine.cli.base import command
from ticket_engine.records import CredentialKind, Mailbox

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import Edited

# In the order in which a person knows the answers.
_QUESTIONS = {
    "username": "Mail address of the mailbox",
    "id": "Short id, such as support-desk",
    "name": "Name for people",
    "tenant_id": "Directory (tenant) id, or a domain of it",
    "client_id": "Application (client) id",
    "redirect_url": "Redirect URL, as registered with the application",
}
# The id is the argument, and a delegate makes a mailbox a shared one.
_IMPLIED = ("id", "shared_mailbox")
# What a mailbox takes over from another one of the same directory.
_ALIKE = ("type", "host", "port", "tenant_id", "client_id", "redirect_url", "credential", "certificate_name")


@command()
@click.argument("mailbox_id", metavar="[ID]", required=False)
@click.option("--like", metavar="MAILBOX", help="Take directory, application, redirect URL and host from this mailbox.")
@click.option("--secret-ends", type=Day(), metavar="DATE", help="The day on which the client secret ends.")
@click.option("--secret-from", metavar="MAILBOX", help="Use a copy of this mailbox's client secret.")
@click.option("--no-invite", is_flag=True, help="Don't make a consent link now.")
@qr_option
@fields.options(Mailbox, leave_out=_IMPLIED)
def add(
    session: Session,
    mailbox_id: str | None,
    like: str | None,
    secret_ends: datetime | None,
    secret_from: str | None,
    no_invite: bool,
    qr: bool,
    **values: Any,
) -> None:
    """Add a mailbox.

    Asks for what is missing, and knows Microsoft's defaults: POP3 at outlook.office365.com, port 995, TLS.
    Then it asks for the client secret, and prints the link that the mailbox's owner opens once.
    """
    setup = session.engine.mailbox_setup
    known = fields.given(values) | ({"id": mailbox_id} if mailbox_id else {})
    if "delegate" in known:
        known["shared_mailbox"] = True
    model = _model(session, like)
    if model is not None and like is not None:
        known = {name: getattr(model, name) for name in _ALIKE} | known
    added = setup.add(_asked(session, known, model), by=session.person)
    session.out.done(f"Added {added.id} ({added.username}, {added.type}, {added.host}:{added.port}).")
    secret = _store_secret(session, added, secret_ends, secret_from)
    invite = None if no_invite else setup.invite(added.id, by=session.person)
    if session.out.as_json:
        link = {"consent_url": invite.url, "consent_url_expires_at": invite.expires_at} if invite else {}
        session.out.json({"mailbox": added, "client_secret_stored": secret, **link})
        return
    if not secret and added.credential is CredentialKind.CLIENT_SECRET:
        session.out.next_step(f"ticket-engine mailbox set-secret {added.id}; without it the consent can't work")
    if invite is not None:
        connecting.show_invite(session, invite, qr=qr)
    session.out.next_step(f"ticket-engine ticket-type add --mailbox {added.id}, so that its mail becomes tickets")


@command()
@mailbox_argument
@fields.options(Mailbox, leave_out=_IMPLIED)
def edit(session: Session, mailbox_id: str, **values: Any) -> None:
    """Change fields of a mailbox; an empty text takes an optional value away."""
    known = fields.given(values)
    if "delegate" in known:
        known["shared_mailbox"] = bool(known["delegate"])
    if not known:
        raise click.UsageError("Say what to change, such as --name or --after-ingest; --help has all of it.")
    setup = session.engine.mailbox_setup
    seen = setup.get(mailbox_id)
    _show_edited(session, setup.edit(mailbox_id, known, by=session.person, etag=seen.etag))


@command()
@mailbox_argument
def pause(session: Session, mailbox_id: str) -> None:
    """Stop polling a mailbox; its token is kept alive, and its mail waits on the server."""
    _show_edited(session, session.engine.mailbox_setup.pause(mailbox_id, by=session.person))


@command()
@mailbox_argument
def resume(session: Session, mailbox_id: str) -> None:
    """Poll a mailbox again, from where it stopped."""
    _show_edited(session, session.engine.mailbox_setup.resume(mailbox_id, by=session.person))


@command()
@mailbox_argument
@yes_option
def remove(session: Session, mailbox_id: str, yes: bool) -> None:
    """Remove a mailbox with its ticket types, its connection and its secrets.

    Its tickets and its journal stay; Key Vault keeps the secrets recoverable for its retention period.
    """
    setup, out = session.engine.mailbox_setup, session.out
    going = setup.going(mailbox_id)
    types = ", ".join(each.id for each in going.ticket_types) or "none"
    out.note(f"Mailbox {mailbox_id} ({going.mailbox.username}) goes, with:")
    out.note(f"  ticket types: {types}\n  secrets: {', '.join(going.secrets)}")
    out.note("Its tickets and its journal stay. Mail on the server is not touched.")
    out.confirm(f"Remove mailbox {mailbox_id}?", yes=yes)
    removed = setup.remove(mailbox_id, by=session.person)
    if out.as_json:
        out.json(removed)
    out.done(f"Removed {mailbox_id}.")


def _model(session: Session, like: str | None) -> Mailbox | None:
    """The mailbox that a new one is like: the one that was named, else any that there is."""
    if like is not None:
        return session.engine.mailbox_setup.get(like).record
    return next(iter(session.engine.stores.mailboxes.all()), None)


def _asked(session: Session, known: dict[str, Any], model: Mailbox | None) -> dict[str, Any]:
    local, _, domain = str(known.get("username", "")).partition("@")
    defaults = {"id": local.lower(), "name": local.capitalize(), "tenant_id": domain}
    if model is not None:
        defaults |= {name: str(getattr(model, name)) for name in ("tenant_id", "client_id", "redirect_url")}
    if session.out.as_json:
        Mailbox.create(**known)
        return known
    first = fields.ask_for_missing(Mailbox, known, {}, questions={"username": _QUESTIONS["username"]})
    local, _, domain = str(first["username"]).partition("@")
    defaults = {"id": local.lower(), "name": local.capitalize(), "tenant_id": domain} | {
        name: value for name, value in defaults.items() if value
    }
    return fields.ask_for_missing(Mailbox, first, defaults, questions=_QUESTIONS)


def _store_secret(session: Session, added: Mailbox, ends_at: datetime | None, source: str | None) -> bool:
    if added.credential is not CredentialKind.CLIENT_SECRET:
        return False
    if source is not None:
        session.engine.mailbox_setup.copy_secret(added.id, source, by=session.person)
        session.out.done(f"Stored a copy of {source}'s client secret.")
        return True
    if session.out.as_json or not sys.stdin.isatty():
        return False
    session.out.note("The client secret's value is in the app registration, under Certificates & secrets.")
    return connecting.ask_and_store_secret(session, added.id, ends_at, optional=True)


def _show_edited(session: Session, edited: Edited[Mailbox]) -> None:
    out = session.out
    if out.as_json:
        out.json({"mailbox": edited.record, "changes": edited.changes, "notes": edited.notes})
        return
    for change in edited.changes:
        out.line(str(change))
    for note in edited.notes:
        out.note(note, fg="yellow")
    out.done(f"Changed {edited.record.id}." if edited.changes else f"{edited.record.id} is like that already.")
