"""Every `az` command of scripts, guides and the workflow goes through the real Azure CLI's parser."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("infra/deploy", "infra/verify", "infra/entra/register")
GROUP = ("--resource-group", "rg")
PLACEHOLDER = re.compile(r"<[a-z][^<>]*>")
# Not signed in, the CLI parses the command and then asks for a login: exit status 2 is the parser's alone.
PARSER = 2

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def az(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], str]:
    """Parses a command as the real Azure CLI does, signed in to nothing; raises where it does not understand."""
    program = tool("azure-cli") / "az"
    home = tmp_path_factory.mktemp("az")

    def parse(arguments: list[str]) -> str:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "AZURE_CONFIG_DIR": str(home), "AZURE_CORE_COLLECT_TELEMETRY": "no"},
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode != PARSER, f"az {shlex.join(arguments)}\n{said}"
        return said

    return parse


def documented() -> Iterator[str]:
    """The commands of guides (blocks and inline) and of the workflow's comments."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md")]:
        text = page.read_text()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            yield from re.findall(r"^az .*", block.replace("\\\n", " "), re.MULTILINE)
        yield from re.findall(r"`(az [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for workflow in ROOT.glob("infra/*.yml"):
        yield from re.findall(r"^#\s+(az .*)", workflow.read_text(), re.MULTILINE)
        yield from re.findall(r"^\s+(?:run: |- run: )?(az .*)", workflow.read_text(), re.MULTILINE)
    yield from advice()


def advice() -> Iterator[str]:
    """The commands that the scripts name in what they say."""
    for script in SCRIPTS:
        yield from re.findall(r': (az [^"$]+)(?:\$\w+)?"', (ROOT / script).read_text())


def arguments_of(command: str) -> list[str]:
    """A documented command's arguments, with something in place of what the reader fills in."""
    words = shlex.split(PLACEHOLDER.sub("example", command).partition(" > ")[0].partition(" | ")[0])
    return words[1:]


def test_the_parser_refuses_what_is_wrong(az: Callable[[list[str]], str]) -> None:
    with pytest.raises(AssertionError, match="frobnicate"):
        az(["group", "create", "--frobnicate"])
    assert "az login" in az(["group", "show", "--name", "rg"])


@pytest.mark.parametrize("command", sorted(set(documented())))
def test_a_documented_command_is_understood(az: Callable[[list[str]], str], command: str) -> None:
    arguments = arguments_of(command)
    if not any(each.startswith("-") for each in arguments[:-1]):
        # A mention, such as `az login`: the command is there.
        arguments = [*(each for each in arguments if not each.startswith("-")), "--help"]
    az(arguments)


@pytest.fixture
def recorded(desk: Any) -> list[list[str]]:
    """Every call of az that the scripts make, on every way through them that the stubs can lead to."""
    desk.stub("uv")
    runs: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("infra/deploy", *GROUP, "--yes"), {}),
        (("infra/deploy", *GROUP, "--yes", "--location", "westeurope"), {"GROUP_LOCATION": "", "DELETED_VAULT": "kv"}),
        (("infra/deploy", *GROUP, "--yes", "--no-roles", "--console-client-id", "id"), {"PROVIDER": "NotRegistered"}),
        (("infra/verify", *GROUP), {"CONSOLE": "console-1"}),
        (("infra/entra/register", *GROUP, "--send"), {}),
        (("infra/entra/register", *GROUP, "--az", "--multi-tenant", "--agent", "person-2"), {}),
    ]
    for command, environment in runs:
        done = desk.run(*command, **environment)
        assert done.returncode == 0, done.stderr
    calls: list[list[str]] = desk.called("az")
    return calls


def test_the_scripts_commands_are_understood(az: Callable[[list[str]], str], recorded: list[list[str]]) -> None:
    for call in {tuple(each[1:]) for each in recorded}:
        az(list(call))


def test_every_command_of_the_scripts_was_run(recorded: list[list[str]]) -> None:
    run = {" ".join(each[: _words(each)]) for each in recorded}
    written = {
        command.strip()
        for script in SCRIPTS
        for command in re.findall(r"(?<![\w-])(az(?: [a-z][a-z-]+)+)(?= --)", (ROOT / script).read_text())
    }
    assert len(written) >= 12
    said = " ".join(advice())
    assert {each for each in written - run if each not in said} == set()


def _words(call: list[str]) -> int:
    return next((at for at, word in enumerate(call) if word.startswith("-")), len(call))
