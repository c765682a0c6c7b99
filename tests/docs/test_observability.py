"""The guide to observability names only what the code logs, measures and serves."""

import re
from pathlib import Path

import pytest

from ticket_engine.events import EVENTS
from ticket_engine.telemetry import INSTRUMENTS, PHASES, POLL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/observability.md").read_text()
FIELDS = {event.name: set(event.fields) for event in EVENTS}
TABLES = {"AppTraces", "AppDependencies", "AppMetrics"}


def queries() -> list[str]:
    return re.findall(r"```kusto\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("query", queries())
def test_a_query_names_only_events_fields_spans_and_metrics_that_exist(query: str) -> None:
    table = query.split("\n", 1)[0].strip()
    assert table in TABLES
    if table == "AppTraces":
        named = set(re.findall(r'"([a-z-]+)"', query))
        assert named
        assert named <= set(FIELDS)
        used = set(re.findall(r"Properties\.(\w+)", query)) - {"event"}
        for event in named:
            assert used & FIELDS[event], f"the query asks nothing of {event}"
        assert used <= set.union(*(FIELDS[event] for event in named))
    elif table == "AppDependencies":
        assert set(re.findall(r'"(\w+)"', query)) == set(PHASES)
    else:
        assert set(re.findall(r'"([\w.]+)"', query)) <= {each.name for each in INSTRUMENTS}


def test_every_span_is_documented() -> None:
    documented = set(
        re.findall(r"^\| `(\w+)` \|", PAGE[PAGE.index("## Spans") : PAGE.index("## Metrics")], re.MULTILINE)
    )
    assert documented == set(PHASES)
    assert f"The span `{POLL}`" in PAGE


def test_every_event_that_needs_a_human_has_a_query() -> None:
    asked = set(re.findall(r'"([a-z-]+)"', "".join(queries())))
    assert {"mailbox-needs", "poll-failed", "expiry", "credential-refused", "polls-queued"} <= asked


def test_the_words_for_who_must_act_are_those_of_the_code() -> None:
    from ticket_engine.errors import Actor

    sentence = next(line for line in PAGE.splitlines() if line.startswith("`actor` is who must act"))
    assert set(re.findall(r"`([a-z ]+)`", sentence)) == {"actor", *(each.value for each in Actor)}
