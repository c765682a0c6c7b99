"""Trying a ticket type's rules on stored mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ticket_engine.cli import fields
from ticket_engine.cli.arguments import ticket_type_argument
from ticket_engine.cli.base import command
from ticket_engine.errors import TicketTypeNotFoundError
from ticket_engine.operations.changes import changed
from ticket_engine.records import TicketType

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.tickets import Trial


@command("try")
@ticket_type_argument
@click.option("--count", "-n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many tickets.")
@fields.options(TicketType, leave_out=("id", "name", "task", "admin_email"))
def try_(session: Session, ticket_type_id: str, count: int, **values: Any) -> None:
    """Show which of the newest tickets a ticket type would take with other rules, and save nothing.

    Without options it tries the type as it is; a TICKET-TYPE that does not exist yet needs --mailbox.
    """
    out = session.out
    candidate = _candidate(session, ticket_type_id, fields.given(values))
    trials: list[Trial] = []
    with out.progress("Reading mails", count) as bar:
        for each in session.engine.rule_trial.run(candidate, count=count):
            trials.append(each)
            bar.advance()
    mine = sum(each.would_be == candidate.id for each in trials)
    if out.as_json:
        out.json(
            {"candidate": candidate, "takes": mine, "of": len(trials), "trials": [_facts(each) for each in trials]}
        )
        return
    rows = [
        (
            each.ticket.id,
            each.ticket.subject[:50],
            each.ticket.ticket_type,
            each.would_be,
            "; ".join(map(str, each.rules)) or "-",
        )
        for each in trials
    ]
    out.table(("TICKET", "SUBJECT", "NOW", "WOULD BE", "BY RULE"), rows, "There is no ticket to try it on yet.")
    for late in dict.fromkeys(rule for each in trials for rule in each.late):
        out.note(f"This pattern took too long on some mail, and counts as not matched: {late}", fg="yellow")
    out.note(f"{candidate.id} takes {mine} of {len(trials)}; nothing was saved.")


def _candidate(session: Session, ticket_type_id: str, values: dict[str, Any]) -> TicketType:
    try:
        before = session.engine.ticket_type_setup.get(ticket_type_id).record
    except TicketTypeNotFoundError:
        if "mailbox" not in values:
            raise
        session.engine.stores.mailboxes.get(str(values["mailbox"]))
        new = {"id": ticket_type_id, "name": ticket_type_id, "admin_email": "nobody@example.com"}
        return TicketType.create(**new, **values)
    return TicketType.create(**changed(before, values))


def _facts(trial: Trial) -> dict[str, Any]:
    return {
        "ticket": trial.ticket.id,
        "subject": trial.ticket.subject,
        "is": trial.ticket.ticket_type,
        "would_be": trial.would_be,
        "rules": [str(each) for each in trial.rules],
    }
