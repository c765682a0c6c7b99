"""The guides say what is true."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import click
import pytest

from reference.commands import every
from reference.pages import BLOCKS, differing, places
from ticket_engine import settings
from ticket_engine.cli.app import app
from ticket_engine.oauth import scopes
from ticket_engine.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "infra/README.md"])
FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    return [
        line
        for page in PAGES
        for block in FENCE.findall(page.read_text())
        for line in block.splitlines()
        if line and not line.startswith("#")
    ]


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_documented_command_exists(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = shlex.split(command)
    if program == "func":
        assert arguments[:2] == ["azure", "functionapp"]
    elif program == "ticket-engine":
        (tmp_path / "mailboxes.yaml").touch()
        monkeypatch.chdir(tmp_path)
        understood(arguments)
    elif program.endswith("python"):
        assert program == ".venv/bin/python"
        assert arguments[0] == "-m"
        assert (ROOT / arguments[1].replace(".", "/") / "__main__.py").is_file()
    elif program == "pip":
        # The extra that is installed is one that there is.
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"\[(\w+)\]", command)) <= set(extras)
    elif program in ("az", "export"):
        assert arguments
    else:
        assert os.access(ROOT / program, os.X_OK), f"{program} is not executable"


def understood(arguments: list[str]) -> None:
    """The command line knows this command and every option and argument of it, as far as parsing goes."""
    group: click.Command = app
    name = "ticket-engine"
    context = click.Context(app, info_name=name)
    while isinstance(group, click.Group):
        assert arguments, f"{name} is no command, but a group of commands"
        name, *arguments = arguments
        found = group.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        group = found
    group.make_context(name, arguments, parent=context)


def test_every_command_of_the_command_line_is_documented() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    documented = set(re.findall(r"^#+ (ticket-engine[a-z -]*)$", page, re.MULTILINE))
    assert documented == {path for path, _ in every()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_that_is_named_in_a_sentence_exists(page: Path) -> None:
    paths = {path for path, _ in every()}
    for words in re.findall(r"`ticket-engine ((?:[a-z]+(?:-[a-z]+)* ?)+)", page.read_text()):
        first, _, rest = words.strip().partition(" ")
        group = f"ticket-engine {first}"
        assert group in paths, words
        if any(path.startswith(f"{group} ") for path in paths) and rest:
            assert f"{group} {rest.split()[0]}" in paths, words


def test_a_documented_command_is_really_checked() -> None:
    for wrong in (["mailbox", "lst"], ["mailbox"], ["mailbox", "add", "--colour", "red"], ["status", "x"]):
        with pytest.raises((AssertionError, click.UsageError)):
            understood(wrong)


@pytest.mark.parametrize("script", [each.name for each in sorted((ROOT / "script").iterdir())])
def test_every_script_is_documented(script: str) -> None:
    assert any(f"script/{script}" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: str(field.metadata["name"]))
def test_every_setting_is_documented_with_its_meaning_and_default(field: object) -> None:
    name, meaning = field.metadata["name"], field.metadata["meaning"]  # type: ignore[attr-defined]  # a dataclass field
    rows = [line for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1
    _, _, said, default, _ = (cell.strip() for cell in rows[0].split("|"))
    assert said == meaning
    if field.default is MISSING:  # type: ignore[attr-defined]
        assert default == "must be set"
    elif default == "empty":
        assert field.default == ""  # type: ignore[attr-defined]
    else:
        assert field.metadata["read"](default.strip("`")) == field.default  # type: ignore[attr-defined]


def test_no_setting_is_documented_that_is_not_read() -> None:
    known = {field.metadata["name"] for field in fields(Settings)}
    known |= {"AzureWebJobsStorage", "PYTHON_THREADPOOL_THREAD_COUNT", "WEBSITE_AUTH_ENABLED"}
    known |= {"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"}
    known |= {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"}
    known |= {"WEBSITE_AUTH_AAD_ALLOWED_TENANTS", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"}
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert documented == known


def test_every_function_is_documented_and_every_documented_one_exists() -> None:
    # In a process of its own, because an app can be indexed only once.
    code = "import function_app; print(*(each.get_function_name() for each in function_app.app.get_functions()))"
    exist = set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())
    page = (ROOT / "docs/architecture.md").read_text()
    table = page[page.index("## The functions") : page.index("## Consent")]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == exist
    readme = (ROOT / "README.md").read_text()
    of_operators = {"health", "health_mailboxes", "metrics", "mail_poll_timer", "token_refresh_timer"}
    of_operators |= {"mail_poll_poison", "token_refresh_poison"}
    of_operators |= {"task_delivery_timer", "task_delivery_poison", "ticket_retention_timer"}
    assert exist - of_operators <= set(re.findall(r"\w+", readme))


@pytest.mark.parametrize("name", [*settings.TABLES, *settings.QUEUES, *settings.POISON_QUEUES, settings.MAIL_CONTAINER])
def test_every_table_queue_and_container_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/architecture.md").read_text()


def test_every_permission_that_the_app_asks_for_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    for scope in [*scopes.READING.values(), scopes.SENDING]:
        assert f"`{scope.rpartition('/')[2]}`" in readme


def test_the_example_settings_name_what_the_app_and_its_timers_need() -> None:
    values = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]
    required = {field.metadata["name"] for field in fields(Settings) if field.default is MISSING}
    assert required | {"AzureWebJobsStorage", "MAIL_POLL_SCHEDULE", "TOKEN_REFRESH_SCHEDULE"} <= set(values)


def test_only_what_the_app_imports_is_published() -> None:
    ignored = (ROOT / ".funcignore").read_text().split()
    for folder in ("devcloud/", "tests/", "infra/", "docs/", "script/", "bench/"):
        assert folder in ignored
    for folder in (
        "ticket_engine",
        "oauth_callback",
        "token_refresh",
        "mail_poll",
        "task_delivery",
        "console",
        "host.json",
    ):
        assert folder not in {each.rstrip("/") for each in ignored}


def test_the_licence_and_the_changelog_are_there() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


def test_the_generated_parts_of_the_guides_are_as_the_code_says() -> None:
    assert differing(ROOT) == [], "run script/docs"
    assert places(ROOT) == set(BLOCKS)
