"""Every `az` command of scripts, guides and the workflow goes through the real Azure CLI's parser."""

from __future__ import annotations

import json
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
# Not signed in, the CLI parses the command and then asks for a login: the status 2 is the parser's alone.
PARSER = 2

Commands = list[list[str]]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def refused(
    tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Commands], dict[str, str]]:
    """Parses commands as the real Azure CLI does, signed in to nothing, and gives those that it does not understand."""
    python = tool("azure-cli") / "python"
    home = tmp_path_factory.mktemp("az")

    def parse(commands: Commands) -> dict[str, str]:
        done = subprocess.run(
            [python, Path(__file__).with_name("parse_az.py"), home / "answers"],
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            env={**os.environ, "AZURE_CONFIG_DIR": str(home), "AZURE_CORE_COLLECT_TELEMETRY": "no"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = json.loads((home / "answers").read_text())
        assert len(answers) == len(commands)
        return {
            shlex.join(command): said
            for command, (status, said) in zip(commands, answers, strict=True)
            if status == PARSER
        }

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
    arguments = shlex.split(PLACEHOLDER.sub("example", command).partition(" > ")[0].partition(" | ")[0])[1:]
    if any(each.startswith("-") for each in arguments[:-1]):
        return arguments
    # A mention, such as `az login`: the command is there.
    return [*(each for each in arguments if not each.startswith("-")), "--help"]


def test_the_parser_refuses_what_is_wrong(refused: Callable[[Commands], dict[str, str]]) -> None:
    wrong = ["group", "show", "--name", "rg", "--frobnicate"]
    assert set(refused([wrong, ["group", "show", "--name", "rg"]])) == {shlex.join(wrong)}


def test_documented_commands_are_understood(refused: Callable[[Commands], dict[str, str]]) -> None:
    commands = [arguments_of(each) for each in sorted(set(documented()))]
    assert len(commands) >= 15
    assert refused(commands) == {}


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


def test_the_scripts_commands_are_understood(
    refused: Callable[[Commands], dict[str, str]], recorded: list[list[str]]
) -> None:
    assert refused([list(call) for call in sorted({tuple(each[1:]) for each in recorded})]) == {}


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
