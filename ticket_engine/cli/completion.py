"""The script that completes commands in a shell."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash, add to ~/.bashrc: eval "$(ticket-engine completion bash)"
    """
    from click.shell_completion import get_completion_class

    from ticket_engine.cli.app import app

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(app, {}, "ticket-engine", "_TICKET_ENGINE_COMPLETE").source())
