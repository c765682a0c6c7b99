"""Adding, listing, changing and removing ticket types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ticket_engine.cli import fields
from ticket_engine.cli.arguments import ticket_type_argument, yes_option
from ticket_engine.cli.base import command
from ticket_engine.operations.changes import readable
from ticket_engine.records import Task, TicketType

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import Edited

_QUESTIONS = {
    "mailbox": "Id of the mailbox",
    "id": "Short id of the ticket type",
    "name": "Name for people",
    "admin_email": "Mail address of the person who looks after these tickets",
}


@command()
@click.argument("ticket_type_id", metavar="[ID]", required=False)
@fields.options(TicketType, leave_out=("id",))
def add(session: Session, ticket_type_id: str | None, **values: Any) -> None:
    """Add a ticket type to a mailbox: from the next poll on, the mailbox's mail becomes tickets of it."""
    setup, out = session.engine.ticket_type_setup, session.out
    known = fields.given(values) | ({"id": ticket_type_id} if ticket_type_id else {})
    if not out.as_json:
        mailboxes = session.engine.stores.mailboxes.all()
        only = mailboxes[0].id if len(mailboxes) == 1 else ""
        mailbox = str(known.get("mailbox") or only)
        defaults = {"mailbox": only, "id": mailbox, "name": mailbox.capitalize()}
        defaults = {name: value for name, value in defaults.items() if value}
        known = fields.ask_for_missing(TicketType, known, defaults, questions=_QUESTIONS)
    added = setup.add(known, by=session.person)
    if out.as_json:
        out.json(added)
    out.done(f"Added {added.id}: mail of {added.mailbox} becomes tickets for {added.admin_email}.")
    if added.task is Task.WEBHOOK:
        out.next_step(f"ticket-engine ticket-type webhook-secret {added.id}")


@command("list")
@click.option("--mailbox", metavar="MAILBOX", help="Of this mailbox only.")
def list_(session: Session, mailbox: str | None) -> None:
    """List the ticket types."""
    found = session.engine.ticket_type_setup.all(mailbox)
    if session.out.as_json:
        session.out.json(found)
        return
    rows = [(each.id, each.name, each.task, each.mailbox, each.admin_email) for each in found]
    empty = "There is no ticket type yet. Next: ticket-engine ticket-type add"
    session.out.table(("TICKET TYPE", "NAME", "TASK", "MAILBOX", "ADMIN"), rows, empty)


@command()
@ticket_type_argument
def show(session: Session, ticket_type_id: str) -> None:
    """Show one ticket type."""
    found = session.engine.ticket_type_setup.get(ticket_type_id).record
    if session.out.as_json:
        session.out.json(found)
        return
    session.out.pairs((name, readable(getattr(found, name))) for name in type(found).model_fields)


@command()
@ticket_type_argument
@fields.options(TicketType, leave_out=("id",))
def edit(session: Session, ticket_type_id: str, **values: Any) -> None:
    """Change fields of a ticket type; tickets that are there keep what they have."""
    known = fields.given(values)
    if not known:
        raise click.UsageError("Say what to change, such as --name or --admin-email; --help has all of it.")
    setup = session.engine.ticket_type_setup
    seen = setup.get(ticket_type_id)
    _show_edited(session, setup.edit(ticket_type_id, known, by=session.person, etag=seen.etag), "Changed")


@command()
@ticket_type_argument
@yes_option
def webhook_secret(session: Session, ticket_type_id: str, yes: bool) -> None:
    """Make the secret that signs a ticket type's webhook posts; it is shown this once, and the old one ends."""
    setup, out = session.engine.ticket_type_setup, session.out
    setup.get(ticket_type_id)
    if session.engine.stores.vault.webhook_secret(ticket_type_id) is not None:
        out.confirm(f"{ticket_type_id} has a secret, which ends at once. Make a new one?", yes=yes)
    secret = setup.new_webhook_secret(ticket_type_id, by=session.person)
    if out.as_json:
        out.json({"ticket_type": ticket_type_id, "secret": secret})
        return
    out.note("Give this to the receiver of the posts; it is not shown again:")
    out.line(secret)


@command()
@ticket_type_argument
@yes_option
def remove(session: Session, ticket_type_id: str, yes: bool) -> None:
    """Remove a ticket type; its tickets stay."""
    setup = session.engine.ticket_type_setup
    found = setup.get(ticket_type_id).record
    session.out.confirm(f"Remove ticket type {ticket_type_id} of mailbox {found.mailbox}?", yes=yes)
    _show_edited(session, setup.remove(ticket_type_id, by=session.person), "Removed")


def _show_edited(session: Session, edited: Edited[TicketType], verb: str) -> None:
    out = session.out
    if out.as_json:
        out.json({"ticket_type": edited.record, "changes": edited.changes, "notes": edited.notes})
        return
    for change in edited.changes:
        out.line(str(change))
    for note in edited.notes:
        out.note(note, fg="yellow")
    same = verb == "Changed" and not edited.changes
    out.done(f"{edited.record.id} is like that already." if same else f"{verb} {edited.record.id}.")
