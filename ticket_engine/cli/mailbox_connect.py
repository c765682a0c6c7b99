"""Connecting mailboxes: the consent link, the client secret, a token that was obtained by hand."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ticket_engine.cli import connecting
from ticket_engine.cli.arguments import Day, mailbox_argument, qr_option
from ticket_engine.cli.base import command

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session


@command()
@mailbox_argument
@click.option("--revoke", is_flag=True, help="End the open link instead of making one.")
@qr_option
def invite(session: Session, mailbox_id: str, revoke: bool, qr: bool) -> None:
    """Make the consent link for the mailbox's owner; an earlier link ends.

    The link goes to standard output alone, so that it can be copied or piped.
    """
    setup, out = session.engine.mailbox_setup, session.out
    if revoke:
        revoked = setup.revoke_invite(mailbox_id, by=session.person)
        if out.as_json:
            out.json({"revoked": revoked})
        out.done(f"The consent link of {mailbox_id} was revoked." if revoked else f"{mailbox_id} had no open link.")
        return
    made = setup.invite(mailbox_id, by=session.person)
    if out.as_json:
        out.json({"consent_url": made.url, "consent_url_expires_at": made.expires_at})
        return
    connecting.show_invite(session, made, qr=qr)


@command()
@mailbox_argument
@click.option("--ends", type=Day(), metavar="DATE", help="The day on which the secret ends, as the portal shows it.")
@click.option("--from", "source", metavar="MAILBOX", help="Use a copy of this mailbox's client secret.")
def set_secret(session: Session, mailbox_id: str, ends: datetime | None, source: str | None) -> None:
    """Store the client secret of a mailbox's application in Key Vault, with its end date.

    Asks without echo; from a pipe it takes the first line.
    The end date is what the warnings 30, 14, 7 and 1 days before go by.
    """
    setup, out = session.engine.mailbox_setup, session.out
    setup.get(mailbox_id)
    if source is not None:
        setup.copy_secret(mailbox_id, source, by=session.person)
        out.done(f"Stored a copy of {source}'s client secret for {mailbox_id}.")
    elif sys.stdin.isatty() and not out.as_json:
        connecting.ask_and_store_secret(session, mailbox_id, ends, optional=False)
    else:
        if ends is None:
            raise click.UsageError("--ends is missing: the day on which the secret ends, such as 2027-11-24 or 24m.")
        secret = connecting.read_secret(session, "The client secret")
        setup.set_secret(mailbox_id, secret, ends_at=ends, by=session.person)
        out.done(f"Stored the client secret of {mailbox_id}; it ends on {ends:%Y-%m-%d}.")
    if out.as_json:
        stored = session.engine.stores.states.token(mailbox_id)
        out.json({"mailbox": mailbox_id, "ends_at": stored.credential_ends_at})


@command()
@mailbox_argument
def import_token(session: Session, mailbox_id: str) -> None:
    """Connect a mailbox by a refresh token that was obtained by hand.

    Asks without echo; from a pipe it takes the first line.
    The token must be of the mailbox's account and application: it is redeemed and the mailbox opened before it is kept.
    """
    session.engine.mailbox_setup.get(mailbox_id)
    token = connecting.read_secret(session, "Refresh token")
    connected = session.engine.mailbox_setup.import_token(mailbox_id, token, by=session.person)
    if session.out.as_json:
        session.out.json({"mailbox": mailbox_id, "connected": True, "mails": connected.mails})
    session.out.done(f"Connected {mailbox_id}, which holds {connected.mails:,} mails.")
