"""What the commands that connect mailboxes share: showing a consent link, asking for a secret without echo."""

from __future__ import annotations

import io
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import Day
from ticket_engine.cli.output import moment
from ticket_engine.records import RecordError

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import Invite


def show_invite(session: Session, invite: Invite, *, qr: bool) -> None:
    """Print the link on a line of its own, so that it can be copied and piped."""
    out = session.out
    account = invite.mailbox.consenting_account
    out.note(f"Send this link to {account}; it works once, until {moment(invite.expires_at)}:")
    out.line(invite.url)
    if qr:
        out.line(qr_code(invite.url))


def qr_code(text: str) -> str:
    """A QR code of half blocks, two rows of it a line."""
    import segno

    shown = io.StringIO()
    segno.make(text, error="l").terminal(out=shown, compact=True)
    return shown.getvalue().rstrip("\n")


def ask_and_store_secret(session: Session, mailbox_id: str, ends_at: datetime | None, *, optional: bool) -> bool:
    """Ask for a client secret and its end, and store them; False when an optional one was left out."""
    while True:
        hint = " (Enter to do it later)" if optional else ""
        secret = click.prompt(f"Client secret{hint}", hide_input=True, default="", show_default=False, err=True)
        if not secret and optional:
            return False
        day = ends_at or click.prompt("It ends on, such as 2027-11-24 or 24m", type=Day(), err=True)
        try:
            session.engine.mailbox_setup.set_secret(mailbox_id, secret, ends_at=day, by=session.person)
        except RecordError as error:
            click.secho("\n".join(error.problems), err=True, fg="red")
            if ends_at is not None and "ended on" in str(error):
                raise
            continue
        session.out.done(f"Stored the client secret of {mailbox_id}; it ends on {day:%Y-%m-%d}.")
        return True


def read_secret(session: Session, question: str) -> str:
    """A secret from the terminal without echo, or the first line of what is piped in."""
    if sys.stdin.isatty() and not session.out.as_json:
        return str(click.prompt(question, hide_input=True, err=True))
    secret = sys.stdin.readline().strip()
    if not secret:
        raise click.UsageError(f"{question} is expected on standard input: pipe it in, or run this at a terminal.")
    return secret
