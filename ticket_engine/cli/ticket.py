"""``ticket-engine ticket``: the commands, loaded when one of them runs."""

import click

from ticket_engine.cli.base import Group


@click.group(
    cls=Group,
    lazy={
        "list": ("ticket_show:list_", "List and search tickets, newest first."),
        "show": ("ticket_show:show", "Show a ticket: its mails, its history."),
        "open": ("ticket_change:open_", "Open tickets again, or take new ones up."),
        "close": ("ticket_change:close", "Close tickets."),
        "assign": ("ticket_change:assign", "Give a ticket to somebody, or to nobody."),
        "note": ("ticket_change:note", "Add a note to a ticket."),
        "export": ("ticket_files:export", "Export tickets as JSON lines, or their mails as .eml files."),
        "replay": ("ticket_files:replay", "Read again what could not be read, after a fix."),
        "erase": ("ticket_files:erase", "Erase a person's mail, with a proof."),
    },
)
def ticket() -> None:
    """Work with tickets: lists and searches, changes, notes, export, replay, erasure."""
