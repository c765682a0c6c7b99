"""Alerts ask for what the code logs, and every one says where its guide is."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ticket_engine.events import EVENTS
from ticket_engine.schedule import usual_interval

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/alerts.md").read_text()
FOLDERS = ("oauth_callback", "token_refresh", "mail_poll", "task_delivery", "ticket_retention", "console")
RULES = "Microsoft.Insights/scheduledQueryRules"
METRICS = "Microsoft.Insights/metricAlerts"
HEALTH_CODES = set(re.findall(r'code="([a-z-]+)"', (ROOT / "ticket_engine/health.py").read_text()))
FIELDS = {each.name: {"event", *each.fields} for each in EVENTS}


def queries(deployment: Any) -> dict[str, str]:
    return {
        each["name"].rpartition("-")[0]: each["properties"]["criteria"]["allOf"][0]["query"]
        for each in deployment.of(RULES)
    }


def test_what_should_wake_somebody_does(deployment: Any) -> None:
    names = {each["name"].rpartition("-")[0] for each in [*deployment.of(RULES), *deployment.of(METRICS)]}
    assert names == {
        "no-timer-run",
        "mailbox-not-polled",
        "rotation-failures",
        "credential-refused",
        "ends-soon",
        "message-poisoned",
        "mail-quarantined",
        "delivery-given-up",
        "callback-errors",
        "vault-throttling",
    }


def test_every_query_names_events_and_fields_that_the_code_logs(deployment: Any) -> None:
    asking = {name: query for name, query in queries(deployment).items() if "AppTraces" in query}
    assert len(asking) >= 4
    for name, query in asking.items():
        literals = set(re.findall(r"'([^']+)'", query))
        events = literals & set(FIELDS)
        assert events, name
        # What is no event is a reason that health gives.
        assert literals - events <= HEALTH_CODES, name
        fields = set(re.findall(r"Properties\.(\w+)", query))
        for field in fields:
            assert any(field in FIELDS[event] for event in events), f"{name} asks for {field}"


def test_every_event_of_an_alert_is_logged_somewhere(deployment: Any) -> None:
    import ticket_engine.events as module

    constants = {value.name: key for key, value in vars(module).items() if isinstance(value, module.Event)}
    sources = "\n".join(
        each.read_text() for folder in ("ticket_engine", *FOLDERS) for each in (ROOT / folder).rglob("*.py")
    )
    asked = set(re.findall(r"'([a-z-]+)'", "".join(queries(deployment).values()))) & set(FIELDS)
    assert len(asked) >= 6
    for event in asked:
        assert f"{constants[event]}.log(" in sources, event


def test_the_callbacks_alert_names_functions_that_exist(deployment: Any) -> None:
    functions = set(re.findall(r"'(\w+)'", queries(deployment)["callback-errors"]))
    source = (ROOT / "oauth_callback/__init__.py").read_text()
    assert functions == {"oauth_consent", "oauth_callback"}
    assert all(f"def {each}(" in source for each in functions)


def test_a_query_gives_the_columns_that_its_rule_measures_and_splits_by(deployment: Any) -> None:
    for each in deployment.of(RULES):
        (criterion,) = each["properties"]["criteria"]["allOf"]
        for column in [criterion["metricMeasureColumn"], *(one["name"] for one in criterion["dimensions"])]:
            assert re.search(rf"\b{column}\b", criterion["query"]), f"{each['name']}: {column}"


def test_every_alert_names_its_section_of_the_guide(deployment: Any) -> None:
    sections = set(re.findall(r"^## (\S+)$", GUIDE, re.MULTILINE))
    named = set()
    for each in [*deployment.of(RULES), *deployment.of(METRICS)]:
        link = re.search(r"docs/alerts\.md#(\S+)$", each["properties"]["description"])
        assert link is not None, each["name"]
        named.add(link[1])
    assert named == sections


def test_every_alert_goes_to_the_action_group(production: Any) -> None:
    group = production.one("Microsoft.Insights/actionGroups")
    assert [each["emailAddress"] for each in group["properties"]["emailReceivers"]] == ["operators@example.com"]
    for each in production.of(RULES):
        assert each["properties"]["actions"]["actionGroups"] == [group["id"]]
        assert each["properties"]["enabled"] is True
    for each in production.of(METRICS):
        assert [action["actionGroupId"] for action in each["properties"]["actions"]] == [group["id"]]


def test_a_timer_that_ran_never_is_seen_although_nothing_is_logged(deployment: Any) -> None:
    query = queries(deployment)["no-timer-run"]
    # The timers' names are data of the query, so a timer without a log line is a row with no runs.
    assert query.startswith("datatable(timer: string)['polls-queued', 'rotations-queued', 'deliveries-queued']")
    assert "kind=leftouter" in query


def test_every_timer_that_should_have_run_three_times_is_watched(development: Any) -> None:
    # What runs by the hour, such as the removal of old tickets, waits for nobody.
    sources = "".join((ROOT / folder / "__init__.py").read_text() for folder in FOLDERS)
    schedules = re.findall(r'@bp\.timer_trigger\([^)]*schedule="%(\w+)%"', sources)
    assert len(schedules) == sources.count("@bp.timer_trigger(")
    now = datetime.now(UTC)
    often = [each for each in schedules if usual_interval(development.settings[each], now) <= timedelta(minutes=10)]
    watched = re.search(r"\[(.*?)\]", queries(development)["no-timer-run"])
    assert watched is not None
    assert len(watched[1].split(",")) == len(often) >= 3


def test_what_is_logged_once_is_told_once(deployment: Any) -> None:
    for each in deployment.of(RULES):
        values = each["properties"]
        if not values["autoMitigate"]:
            assert values["windowSize"] == values["evaluationFrequency"], each["name"]
