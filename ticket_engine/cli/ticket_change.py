"""Changing tickets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import ticket_argument, tickets_argument, yes_option
from ticket_engine.cli.base import FAILED, OK, command
from ticket_engine.cli.ticket_show import find
from ticket_engine.records import TicketState

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session

_note_option = click.option("--note", default="", metavar="TEXT", help="A note that goes into the ticket's history.")
# Closing more than this at once asks first.
_MANY = 10


@command("open")
@tickets_argument
@_note_option
def open_(session: Session, ticket_ids: tuple[str, ...], note: str) -> None:
    """Open tickets: take new ones up, or closed ones again."""
    changed = []
    for listed in [find(session, each) for each in ticket_ids]:
        work = session.engine.tickets
        stored = work.change(listed.mailbox, listed.id, by=session.person, state=TicketState.OPEN, note=note)
        changed.append(stored.record)
        session.out.done(f"{listed.id} is open.")
    if session.out.as_json:
        session.out.json([{"id": each.id, "state": each.state} for each in changed])


@command()
@tickets_argument
@_note_option
@yes_option
def close(session: Session, ticket_ids: tuple[str, ...], note: str, yes: bool) -> int:
    """Close tickets; - reads their ids from standard input, one a line. Many at once are asked about first."""
    out = session.out
    if ticket_ids == ("-",):
        ticket_ids = tuple(line.split()[0] for line in sys.stdin if line.strip())
    listed = [find(session, each) for each in dict.fromkeys(ticket_ids)]
    if len(listed) > _MANY:
        out.confirm(f"Close {len(listed)} tickets?", yes=yes)
    closed = session.engine.tickets.close([(each.mailbox, each.id) for each in listed], by=session.person, note=note)
    if out.as_json:
        out.json({"closed": closed.closed, "failed": dict(closed.failed)})
    out.done(f"Closed {closed.closed} of {len(listed)}.")
    for ticket_id, reason in closed.failed:
        out.note(f"{ticket_id}: {reason}", fg="red")
    return FAILED if closed.failed else OK


@command()
@ticket_argument
@click.argument("assignee", metavar="ADDRESS")
@_note_option
def assign(session: Session, ticket_id: str, assignee: str, note: str) -> None:
    """Give a ticket to the person with this mail ADDRESS; an empty one ("") takes it from everybody."""
    listed = find(session, ticket_id)
    stored = session.engine.tickets.change(listed.mailbox, listed.id, by=session.person, assignee=assignee, note=note)
    if session.out.as_json:
        session.out.json({"id": listed.id, "assignee": stored.record.assignee})
    session.out.done(f"{listed.id} is {stored.record.assignee or 'nobody'}'s.")


@command()
@ticket_argument
@click.argument("text", metavar="TEXT")
def note(session: Session, ticket_id: str, text: str) -> None:
    """Add a note to a ticket; - reads it from standard input."""
    listed = find(session, ticket_id)
    session.engine.tickets.note(listed.mailbox, listed.id, sys.stdin.read() if text == "-" else text, by=session.person)
    if session.out.as_json:
        session.out.json({"id": listed.id, "noted": True})
    session.out.done(f"Noted in {listed.id}.")
