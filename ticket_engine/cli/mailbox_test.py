"""The test of a mailbox at the terminal: each step as it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import mailbox_argument
from ticket_engine.cli.base import FAILED, OK, command
from ticket_engine.cli.failures import sentence_of
from ticket_engine.operations import Outcome

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.operations import Step

_SIGNS = {Outcome.OK: ("ok", "green"), Outcome.FAILED: ("FAILED", "red"), Outcome.SKIPPED: ("-", "white")}


@command()
@mailbox_argument
def test(session: Session, mailbox_id: str) -> int:
    """Walk from name to mail: DNS, TLS, capability, token, login, count.

    Says which step failed and who must act; ends with 1 when one did. It reads no mail and changes nothing.
    """
    steps: list[Step] = []
    for step in session.engine.probe.steps(mailbox_id):
        steps.append(step)
        if not session.out.as_json:
            _show(step)
    failed = next((each for each in steps if each.outcome is Outcome.FAILED), None)
    if session.out.as_json:
        session.out.json({"mailbox": mailbox_id, "ok": failed is None, "steps": steps})
    elif failed is None:
        session.out.done(f"Mailbox {mailbox_id} works.")
    else:
        session.out.note(f"Who must act: {failed.actor}.", bold=True)
    return OK if failed is None else FAILED


def _show(step: Step) -> None:
    sign, colour = _SIGNS[step.outcome]
    sentence = sentence_of(step.code or "", step.sentence)
    click.echo(f"{click.style(sign.ljust(6), fg=colour)}  {step.name.ljust(10)}  {sentence}")
