"""The root of the command line."""

from __future__ import annotations

import click

from ticket_engine import __version__
from ticket_engine.cli.base import Root
from ticket_engine.cli.session import ENV_FILE


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"ticket-engine {__version__}")
        context.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    lazy={
        "mailbox": ("mailbox:mailbox", "Set up, connect, test and remove mailboxes."),
        "ticket-type": ("ticket_type:ticket_type", "Say what becomes of a mailbox's mail."),
        "ticket": ("ticket:ticket", "Work with tickets: lists and searches, changes, notes, export, erasure."),
        "status": ("status:status", "Every mailbox on one screen: what works, what needs whom."),
        "journal": ("status:journal", "The history of one mailbox."),
        "apply": ("setup_file:apply", "Make mailboxes and ticket types as a file says, after showing the difference."),
        "export": ("setup_file:export", "Write mailboxes and ticket types as such a file."),
        "doctor": ("doctor:doctor", "Check the deployment: settings, roles, tables, queues, schedules, clock."),
        "completion": ("completion:completion", "Print the script that completes commands with the Tab key."),
    },
)
@click.option(
    "--env-file",
    envvar=ENV_FILE,
    metavar="FILE",
    help=f"Settings from a file: NAME=value lines, or JSON as the Azure CLI writes it. Also by {ENV_FILE}.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def app(env_file: str | None) -> None:
    """Turn Microsoft 365 mailboxes into tickets: the operator's command line.

    It works on the deployment's storage and Key Vault with your own Azure identity (az login).
    The settings STORAGE_TABLES_URL, STORAGE_BLOBS_URL and KEY_VAULT_URL say where they are.
    """
    del env_file
