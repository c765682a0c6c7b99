"""Tickets as files, reading again what could not be read, and erasing a person's mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ticket_engine.cli.arguments import filter_options, mailbox_argument, yes_option
from ticket_engine.cli.base import FAILED, OK, command
from ticket_engine.tickets import TicketFilter

if TYPE_CHECKING:
    from ticket_engine.cli.session import Session
    from ticket_engine.tickets import Replayed


@command()
@click.argument("text", required=False, default="", metavar="[TEXT]")
@filter_options
@click.option("--mails", type=click.Path(file_okay=False), metavar="FOLDER", help="Write the raw mails here, as .eml.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), metavar="FILE", help="Write the lines here.")
def export(session: Session, text: str, mails: str | None, output: str | None, **given: str | None) -> None:
    """Export tickets as JSON lines, with their messages and history; or their raw mails as .eml files.

    Takes what ticket list takes. --json changes nothing: the lines are JSON.
    """
    wanted = TicketFilter.read({"text": text} | {name: value or "" for name, value in given.items()})
    if mails is not None:
        _write_mails(session, wanted, Path(mails))
        return
    lines = session.engine.ticket_export.json_lines(wanted)
    if output is None:
        for line in lines:
            session.out.line(line)
        return
    count = 0
    with (
        _written(output),
        Path(output).open("w", encoding="utf-8") as file,
        session.out.progress("Exporting", None) as bar,
    ):
        for line in lines:
            file.write(f"{line}\n")
            count += 1
            bar.advance()
    session.out.done(f"Wrote {count} tickets to {output}.")


@command()
@mailbox_argument
@click.option("--quarantine", is_flag=True, help="Have the mails in quarantine tried again at the next poll too.")
def replay(session: Session, mailbox_id: str, quarantine: bool) -> int:
    """Read the mails of a mailbox again that could not be read, after a fix; their tickets stay the same."""
    out = session.out
    waiting = session.engine.quarantine.all(mailbox_id)
    found: list[Replayed] = []
    with out.progress("Reading", None) as bar:
        for each in session.engine.replay.run(mailbox_id, by=session.person):
            found.append(each)
            bar.advance()
    left = [each for each in found if not each.parsed]
    released = waiting if quarantine else []
    for item in released:
        session.engine.quarantine.release(mailbox_id, item.item, by=session.person)
    if out.as_json:
        out.json({"replayed": found, "released": released, "quarantined": len(waiting) - len(released)})
    for each in left:
        out.note(f"{each.ticket}: {each.problem}", fg="yellow")
    out.done(f"{len(found) - len(left)} of {len(found)} mails can be read now." if found else "Nothing is unparsed.")
    if released:
        out.done(f"{len(released)} mails leave quarantine; the next poll tries them again.")
    elif waiting:
        out.next_step(f"{len(waiting)} mails are in quarantine: --quarantine has them tried again")
    return FAILED if left else OK


@command()
@click.argument("address")
@click.option("--mailbox", "mailboxes", multiple=True, metavar="MAILBOX", help="Only here; may be given several times.")
@click.option("--proof", type=click.Path(dir_okay=False), metavar="FILE", help="Write the proof here too.")
@yes_option
def erase(session: Session, address: str, mailboxes: tuple[str, ...], proof: str | None, yes: bool) -> int:
    """Erase everything that the person with this mail ADDRESS sent: messages, tickets, raw mail, journal.

    Prints a proof of what was erased, which names the address by its SHA-256 only.
    Mail that lies on the mail server is not touched.
    """
    out, erasure = session.out, session.engine.erasure
    for each in mailboxes:
        session.engine.mailbox_setup.get(each)
    going = erasure.preview(address, mailboxes=mailboxes)
    where = sorted({mailbox_id for mailbox_id, _ in going})
    out.note(f"{len(going)} messages from {address} in {', '.join(where) or 'no mailbox'}.")
    if going:
        out.confirm("Erase them? Nobody can bring them back.", yes=yes)
    # Without messages there may still be lines of journal and history.
    given = erasure.erase(address, by=session.person, mailboxes=mailboxes)
    text = given.as_json()
    if proof is not None:
        with _written(proof):
            Path(proof).write_text(f"{text}\n", encoding="utf-8")
    if out.as_json:
        out.json(json.loads(text))
    else:
        out.line(text)
    out.done(f"Erased {given.messages} messages and {len(given.tickets)} tickets; proof {given.digest}.")
    for ticket_id in given.mentions:
        out.note(f"Ticket {ticket_id} still names the address in mails of others, which are theirs.", fg="yellow")
    if given.left:
        out.note(f"{given.left} messages came meanwhile: erase again.", fg="red")
    return FAILED if given.left else OK


def _write_mails(session: Session, wanted: TicketFilter, folder: Path) -> None:
    count = 0
    with _written(str(folder)), session.out.progress("Exporting", None) as bar:
        for name, raw in session.engine.ticket_export.mails(wanted):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
            count += 1
            bar.advance()
    if session.out.as_json:
        session.out.json({"mails": count, "folder": str(folder)})
    session.out.done(f"Wrote {count} mails to {folder}.")


@contextmanager
def _written(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"{path} can't be written: {error.strerror}.") from None
