"""Listing, searching and showing tickets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import filter_options, ticket_argument
from ticket_engine.cli.base import command
from ticket_engine.cli.output import moment, safe
from ticket_engine.errors import Actor, Reaction, TicketNotFoundError
from ticket_engine.records import is_ticket_id, spoken_ticket_id
from ticket_engine.tickets import TicketFilter

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.records import Listed, Message

_HEADINGS = ("TICKET", "CREATED", "STATE", "MAILBOX", "FROM", "SUBJECT", "ASSIGNEE")


@command("list")
@click.argument("text", required=False, default="", metavar="[TEXT]")
@filter_options
@click.option("--count", "-n", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
def list_(session: Session, text: str, count: int, **given: str | None) -> None:
    """List tickets, newest first; TEXT is searched in subject, sender and text of their mails."""
    wanted = TicketFilter.read({"text": text} | {name: value or "" for name, value in given.items()})
    found: list[Listed] = []
    with session.out.progress("Searching", None) as bar:
        for each in _pages(session, wanted, count):
            found.append(each)
            bar.advance()
    if session.out.as_json:
        session.out.json([{**vars(each), "created_at": each.created_at} for each in found])
        return
    rows = [
        (
            each.id,
            moment(each.created_at),
            each.state.value,
            each.mailbox,
            _short(each.sender, 30),
            _short(each.subject, 60),
            each.assignee or "-",
        )
        for each in found
    ]
    narrowed = bool(text) or any(given.values())
    empty = "No ticket is like that." if narrowed else "There is no ticket yet: see ticket-engine status."
    session.out.table(_HEADINGS, rows, empty)
    if len(found) == count:
        session.out.note(f"These are the newest {count}; --count shows more.")


@command()
@ticket_argument
def show(session: Session, ticket_id: str) -> None:
    """Show a ticket: its fields, its newest mails with their text, and who changed what."""
    listed = find(session, ticket_id)
    view = session.engine.tickets.get(listed.mailbox, listed.id)
    out, ticket = session.out, view.ticket
    if out.as_json:
        fields = {**vars(ticket), "mailbox": listed.mailbox}
        out.json({"ticket": fields, "messages": view.messages, "earlier": view.earlier, "history": view.history})
        return
    out.pairs(
        (
            ("ticket", ticket.id),
            ("subject", ticket.subject),
            ("from", ticket.sender),
            ("state", ticket.state.value),
            ("assignee", ticket.assignee or "nobody"),
            ("mailbox", listed.mailbox),
            ("ticket type", ticket.ticket_type),
            ("created", moment(ticket.created_at)),
            ("changed", moment(ticket.updated_at)),
            ("merged into", ticket.merged_into),
            ("merged", ", ".join(ticket.merged)),
        )
    )
    if view.earlier:
        out.note(f"{view.earlier} earlier mails are not shown.")
    for message in view.messages:
        _show_message(session, message)
    for event in view.history:
        what = (
            event.new if event.kind == "note" else f"{event.kind}: {event.old or '(none)'} -> {event.new or '(none)'}"
        )
        out.line(f"\n{moment(event.at)}  {safe(event.by)}: {safe(what)}")


def find(session: Session, spoken: str) -> Listed:
    """The ticket that an id or a code names, in whatever mailbox.

    Raises:
        TicketNotFoundError: there is none.
    """
    ticket_id = spoken_ticket_id(spoken.strip("[]# "))
    found = session.engine.ticket_list.find(ticket_id) if is_ticket_id(ticket_id) else None
    if found is None:
        sentence = f"There is no ticket {spoken}: see ticket-engine ticket list."
        raise TicketNotFoundError(Reaction(Actor.OPERATOR, "ticket-not-found", sentence))
    return found


def _pages(session: Session, wanted: TicketFilter, count: int) -> Iterator[Listed]:
    seen: set[str] = set()
    after = None
    while len(seen) < count:
        page = session.engine.ticket_list.page(wanted, after=after, limit=min(count, 500))
        for each in page.tickets:
            # A search names a ticket again for each of its mails that has the words.
            if each.id not in seen and len(seen) < count:
                seen.add(each.id)
                yield each
        after = page.next
        if after is None:
            return


def _show_message(session: Session, message: Message) -> None:
    out = session.out
    out.line(f"\n{moment(message.received_at)}  {safe(message.sender, line=True)}", bold=True)
    if message.attachment_names:
        out.line(f"  attachments: {safe(', '.join(message.attachment_names.splitlines()), line=True)}")
    if message.problem:
        out.line(f"  {message.problem}", fg="yellow")
    out.line(textwrap.indent(safe(message.text.strip()), "  "))


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
