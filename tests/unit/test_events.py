"""Every event of the log is declared with its fields, and every log call carries just those."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticket_engine import events
from ticket_engine.events import EVENTS

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "ticket_engine",
    "mail_poll",
    "token_refresh",
    "oauth_callback",
    "task_delivery",
    "ticket_retention",
    "console",
)
DECLARED = {name: event for name, event in vars(events).items() if isinstance(event, events.Event)}


def calls() -> Iterator[tuple[str, set[str]]]:
    """Each ``EVENT.log(…)`` in the code: the event's constant, and the fields that the call gives."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "log":
                    owner = node.func.value
                    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                    if name in DECLARED:
                        yield name, {str(keyword.arg) for keyword in node.keywords}


def test_every_event_is_in_the_list_once() -> None:
    assert sorted(event.name for event in DECLARED.values()) == sorted(event.name for event in EVENTS)
    assert len({event.name for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize("name", DECLARED)
def test_every_event_is_logged_with_just_the_fields_that_it_declares(name: str) -> None:
    given = [fields for event, fields in calls() if event == name]
    assert given, f"{name} is never logged"
    for fields in given:
        assert fields == set(DECLARED[name].fields)


def test_no_event_is_logged_past_the_list() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "events.py":
                assert '"event":' not in path.read_text(), path
