"""``ticket-engine ticket-type``: the commands, loaded when one of them runs."""

import click

from ticket_engine.cli.base import Group


@click.group(
    cls=Group,
    lazy={
        "add": ("ticket_type_setup:add", "Add a ticket type to a mailbox."),
        "list": ("ticket_type_setup:list_", "List the ticket types."),
        "show": ("ticket_type_setup:show", "Show one ticket type."),
        "edit": ("ticket_type_setup:edit", "Change fields of a ticket type."),
        "try": ("ticket_type_try:try_", "Try rules on stored mails before they are saved."),
        "webhook-secret": ("ticket_type_setup:webhook_secret", "Make the secret that signs webhook posts; shown once."),
        "remove": ("ticket_type_setup:remove", "Remove a ticket type; its tickets stay."),
    },
)
def ticket_type() -> None:
    """Say what becomes of a mailbox's mail."""
