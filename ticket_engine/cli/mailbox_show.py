"""Listing and showing mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticket_engine.cli.arguments import mailbox_argument
from ticket_engine.cli.base import command
from ticket_engine.cli.output import ago, day, moment
from ticket_engine.operations.changes import readable

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import MailboxView

NO_MAILBOX = "There is no mailbox yet. Next: ticket-engine mailbox add"


@command("list")
def list_(session: Session) -> None:
    """List the mailboxes."""
    views = session.engine.overview.all()
    if session.out.as_json:
        session.out.json([{**each.mailbox.model_dump(mode="json"), "connection": each.connection} for each in views])
        return
    rows = [
        (each.mailbox.id, each.mailbox.username, each.mailbox.type.name, each.connection, _types(each))
        for each in views
    ]
    session.out.table(("MAILBOX", "ADDRESS", "TYPE", "CONNECTION", "TICKET TYPES"), rows, NO_MAILBOX)


@command()
@mailbox_argument
def show(session: Session, mailbox_id: str) -> None:
    """Show everything about one mailbox: its fields, its connection, its polls, its ticket types."""
    view = session.engine.overview.of(mailbox_id)
    out = session.out
    if out.as_json:
        out.json(view.facts())
        return
    mailbox, token, poll = view.mailbox, view.token, view.poll
    out.pairs((name, readable(getattr(mailbox, name))) for name in type(mailbox).model_fields)
    out.line()
    out.pairs(
        (
            ("connection", view.connection),
            ("connected as", token.connected_as or ""),
            ("connected", moment(token.connected_at)),
            ("token renewed", moment(token.rotated_at)),
            ("token ends", day(token.refresh_token_expires_at)),
            ("secret ends", day(token.credential_ends_at)),
            ("consent link until", moment(token.invite_expires_at)),
            ("last poll", moment(poll.last_poll_at)),
            ("last success", moment(poll.last_success_at) and f"{moment(poll.last_success_at)} ({ago(view.lag)} ago)"),
            ("next poll not before", moment(poll.next_poll_at)),
            ("mails on the server", "" if poll.mails_on_server is None else f"{poll.mails_on_server:,}"),
            ("mails ingested", f"{poll.messages_ingested:,}"),
            ("mails in quarantine", str(poll.quarantined or "")),
            ("ticket types", _types(view)),
        )
    )
    if not view.health.ok:
        out.line()
        out.line(view.health.sentence, fg="red")
        out.line(f"Who must act: {view.health.actor}.")
    for warning in view.health.warnings:
        out.line(warning, fg="yellow")


@command()
@mailbox_argument
def quarantine(session: Session, mailbox_id: str) -> None:
    """List the mails that could not be fetched or filed again and again; they stay on the server."""
    found = session.engine.quarantine.all(mailbox_id)
    out = session.out
    if out.as_json:
        out.json(found)
        return
    rows = [(each.item, moment(each.quarantined_at), f"{each.size:,}", str(each.tries), each.problem) for each in found]
    out.table(("MAIL", "SINCE", "BYTES", "TRIES", "PROBLEM"), rows, "Nothing is in quarantine.")
    if found:
        out.next_step(f"ticket-engine ticket replay {mailbox_id} --quarantine, after the cause is gone")


def _types(view: MailboxView) -> str:
    return ", ".join(each.id for each in view.ticket_types) or "none: its mail stays on the server"
