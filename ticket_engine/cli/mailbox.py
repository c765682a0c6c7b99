"""``ticket-engine mailbox``: the commands, loaded when one of them runs."""

import click

from ticket_engine.cli.base import Group


@click.group(
    cls=Group,
    lazy={
        "add": ("mailbox_setup:add", "Add a mailbox; asks for what is missing and ends with the consent link."),
        "list": ("mailbox_show:list_", "List the mailboxes."),
        "show": ("mailbox_show:show", "Show everything about one mailbox."),
        "edit": ("mailbox_setup:edit", "Change fields of a mailbox."),
        "pause": ("mailbox_setup:pause", "Stop polling a mailbox; its token is kept alive."),
        "resume": ("mailbox_setup:resume", "Poll a mailbox again, from where it stopped."),
        "remove": ("mailbox_setup:remove", "Remove a mailbox, its ticket types and its secrets; tickets stay."),
        "invite": ("mailbox_connect:invite", "Make the consent link for the mailbox's owner, or revoke it."),
        "test": ("mailbox_test:test", "Walk from name to mail, and say which step fails and who must act."),
        "quarantine": ("mailbox_show:quarantine", "List the mails that were set aside, and why."),
        "set-secret": ("mailbox_connect:set_secret", "Store the client secret and its end date; asks without echo."),
        "import-token": ("mailbox_connect:import_token", "Connect by a refresh token that was obtained by hand."),
    },
)
def mailbox() -> None:
    """Set up, connect, test and remove mailboxes."""
