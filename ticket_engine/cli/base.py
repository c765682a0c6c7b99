"""Commands that load when they are used, take ``--json``, and end with a sentence and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

OK = 0
FAILED = 1
WRONG_INPUT = 2
NO_ANSWER = 3
INTERRUPTED = 130

EXIT_CODES = {
    OK: "done; nothing needs a person",
    FAILED: "it did not work, or something needs a person",
    WRONG_INPUT: "the command, its input or the settings are wrong; nothing was changed",
    NO_ANSWER: "storage, Key Vault, Microsoft or the mail server did not answer, or refused this identity",
    INTERRUPTED: "stopped by Ctrl-C",
}


class Group(click.Group):
    """A group whose commands are named here and loaded when one of them runs, so that help is quick.

    ``lazy`` maps a command's name to ``module:attribute`` and its line in the help.
    """

    def __init__(self, *arguments: Any, lazy: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        del ctx
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(f"ticket_engine.cli.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker; the table is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that is nearly right is named back."""
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.lazy, n=1)
            known = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(self.lazy)}."
            ctx.fail(f"No such command {args[0]!r}. {known}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])


class Root(Group):
    """The command line itself: turns every expected failure into a sentence and an exit code."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> NoReturn:
        """Run and exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in arguments
        # https://no-color.org
        color = False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
        try:
            code = super().main(arguments, *positional, **{**options, "standalone_mode": False, "color": color})
        except click.exceptions.Abort:
            # Ctrl-C, or the end of the input at a question.
            _say("Stopped; nothing more was done.", "stopped", as_json=as_json)
            code = INTERRUPTED
        except click.ClickException as error:
            code = _show(error, as_json=as_json)
        except BrokenPipeError:
            # The reader, such as head, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except Exception as error:  # noqa: BLE001 - what nobody expected is raised again
            code = _failure(error, as_json=as_json)
        sys.exit(code if isinstance(code, int) else OK)


def _show(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        _say(error.format_message(), "usage", as_json=True)
    else:
        error.show()
    return error.exit_code


def _failure(error: Exception, *, as_json: bool) -> int:
    """Say what an error of the domain means; one that nobody expected is raised again, for a report."""
    from ticket_engine.cli.failures import explain

    found = explain(error)
    if found is None:
        raise error
    _say(found.sentence, found.code, as_json=as_json, actor=found.actor, lines=found.lines)
    return found.exit_code


def _say(sentence: str, code: str, *, as_json: bool, actor: str = "", lines: Sequence[str] = ()) -> None:
    if as_json:
        body = {"code": code, "actor": actor or None, "sentence": sentence, "problems": list(lines)}
        click.echo(json.dumps({"error": body}), err=True)
        return
    click.secho(sentence, err=True, fg="red", color=False if os.environ.get("NO_COLOR") else None)
    for line in lines:
        click.echo(f"  - {line}", err=True)
    if actor:
        click.echo(f"Who must act: {actor}.", err=True)


def command(*arguments: Any, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command that takes ``--json`` and gets the session as its first argument."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        from ticket_engine.cli.session import Session

        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
        @click.pass_context
        def run(context: click.Context, /, as_json: bool, **given: Any) -> Any:
            root = context.find_root().params
            session = Session(env_file=root.get("env_file"), as_json=as_json)
            return function(session, **given)

        run.__doc__ = function.__doc__
        run = _with_parameters_of(function, run)
        decorated: click.Command = click.command(*arguments, **options)(run)
        return decorated

    return decorate


def _with_parameters_of(function: Callable[..., Any], run: Any) -> Any:
    # click collects the parameters of the decorators below on the function itself.
    given = getattr(function, "__click_params__", [])
    run.__click_params__ = [*getattr(run, "__click_params__", []), *given]
    return run
