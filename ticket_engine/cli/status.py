"""Every mailbox on one screen, and one mailbox's history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import mailbox_argument
from ticket_engine.cli.base import FAILED, NO_ANSWER, OK, command
from ticket_engine.cli.mailbox_show import NO_MAILBOX
from ticket_engine.cli.output import ago, day, moment, safe

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import MailboxView

_HEADINGS = ("MAILBOX", "CONNECTION", "LAST SUCCESS", "LAG", "TOKEN ENDS", "SECRET ENDS", "NEEDS")


@command()
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option("--every", type=click.IntRange(1, 3600), default=10, show_default=True, help="Seconds between two looks.")
def status(session: Session, watch: bool, every: int) -> int:
    """Every mailbox with its connection, last success, lag, expiry dates, and who must act.

    Ends with 0 when all is well, 1 when something needs a person, 3 when storage did not answer.
    """
    if not watch:
        return _look(session)
    while True:
        try:
            _look(session, clear=not session.out.as_json)
        except Exception as error:
            from ticket_engine.cli.failures import explain

            found = explain(error)
            if found is None or found.exit_code != NO_ANSWER:
                raise
            click.secho(found.sentence, err=True, fg="red")
        session.out.note(f"Again in {every} s; Ctrl-C ends.")
        time.sleep(every)


@command()
@mailbox_argument
@click.option("--count", "-n", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many entries.")
def journal(session: Session, mailbox_id: str, count: int) -> None:
    """The history of a mailbox, newest first: consents, rotations, polls, and who changed what."""
    setup = session.engine.mailbox_setup
    entries = setup.journal(mailbox_id, count)
    if not entries:
        # A removed mailbox still has its journal; one that never was has neither.
        setup.get(mailbox_id)
    if session.out.as_json:
        session.out.json(entries)
        return
    for each in entries:
        who = f"{each.by}: " if each.by else ""
        act = f" Who must act: {each.actor}." if each.actor else ""
        session.out.line(f"{moment(each.at)}  {each.event.ljust(16)}  {who}{safe(each.sentence)}{act}")
    if not entries:
        session.out.note("Nothing has happened yet.")


def _look(session: Session, *, clear: bool = False) -> int:
    views = session.engine.overview.all()
    if clear:
        # Only now, so that the screen is never empty while storage answers.
        click.clear()
    needy = [each for each in views if not each.health.ok]
    warned = [each for each in views if each.health.warnings]
    if session.out.as_json:
        session.out.json({"ok": not needy, "mailboxes": [each.facts() for each in views]})
        return FAILED if needy else OK
    session.out.table(_HEADINGS, [_row(each) for each in views], NO_MAILBOX)
    for each in needy:
        session.out.line(f"{each.mailbox.id}: {each.health.sentence} Who must act: {each.health.actor}.", fg="red")
    for each in warned:
        for warning in each.health.warnings:
            session.out.line(f"{each.mailbox.id}: {warning}", fg="yellow")
    if views and not needy:
        session.out.done(f"{len(views)} mailbox{'es' if len(views) > 1 else ''}, all well.")
    return FAILED if needy else OK


def _row(view: MailboxView) -> tuple[str, ...]:
    token, poll = view.token, view.poll
    return (
        view.mailbox.id,
        view.connection,
        moment(poll.last_success_at) or "never",
        ago(view.lag),
        day(token.refresh_token_expires_at) or "-",
        day(token.credential_ends_at) or "-",
        view.health.actor if not view.health.ok else "-",
    )
