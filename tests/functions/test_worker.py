"""The app in Microsoft's own worker library: what Azure indexes, and one invocation of each kind of trigger."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from devcloud.cloud import DevCloud
from devcloud.host import worker_library
from devcloud.host.model import Function, HttpCall, QueueCall, TimerCall
from devcloud.host.timers import next_run
from devcloud.host.worker_library import LibraryWorker
from ticket_engine import __version__, process

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13) or not worker_library.available(),
    reason="Microsoft's worker library needs Python 3.13: run script/bootstrap with one (PYTHON=python3.13)",
)

ROOT = Path(__file__).parents[2]
HTTP_OUT = {"direction": "OUT", "type": "http", "name": "$return"}


def http(route: str, *methods: str, level: str = "ANONYMOUS") -> list[dict[str, Any]]:
    trigger = {"direction": "IN", "type": "httpTrigger", "name": "req", "authLevel": level}
    return [{**trigger, "route": route, "methods": list(methods) or ["GET"]}, HTTP_OUT]


def timer(schedule: str) -> dict[str, Any]:
    trigger = {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": schedule}
    return {**trigger, "runOnStartup": False, "useMonitor": True}


def queue(direction: str, kind: str, name: str, queue_name: str) -> dict[str, Any]:
    return {
        "direction": direction,
        "type": kind,
        "name": name,
        "queueName": queue_name,
        "connection": "AzureWebJobsStorage",
    }


EXPECTED: dict[str, list[dict[str, Any]]] = {
    "oauth_consent": http("consent/{mailbox_id}"),
    "oauth_callback": http("oauth/callback"),
    "health": http("health"),
    "health_mailboxes": http("health/mailboxes", level="FUNCTION"),
    "metrics": http("metrics", level="FUNCTION"),
    "console": http("console/{*path}", "GET", "POST"),
    "mail_poll_timer": [queue("OUT", "queue", "mailboxes", "mail-poll"), timer("%MAIL_POLL_SCHEDULE%")],
    "mail_poll_mailbox": [
        queue("OUT", "queue", "more", "mail-poll"),
        queue("IN", "queueTrigger", "message", "mail-poll"),
    ],
    "mail_poll_poison": [queue("IN", "queueTrigger", "message", "mail-poll-poison")],
    "token_refresh_poison": [queue("IN", "queueTrigger", "message", "token-refresh-poison")],
    "token_refresh_timer": [queue("OUT", "queue", "mailboxes", "token-refresh"), timer("%TOKEN_REFRESH_SCHEDULE%")],
    "task_delivery_timer": [queue("OUT", "queue", "mailboxes", "task-delivery"), timer("%TASK_DELIVERY_SCHEDULE%")],
    "ticket_retention_timer": [timer("%TICKET_RETENTION_SCHEDULE%")],
    "task_delivery_poison": [queue("IN", "queueTrigger", "message", "task-delivery-poison")],
    "task_delivery_mailbox": [queue("IN", "queueTrigger", "message", "task-delivery")],
    "token_refresh_mailbox": [queue("IN", "queueTrigger", "message", "token-refresh")],
}


@pytest.fixture(scope="module")
def worker() -> LibraryWorker:
    return LibraryWorker(ROOT)


@pytest.fixture(scope="module")
def functions(worker: LibraryWorker) -> dict[str, Function]:
    return {each.name: each for each in worker.index()}


@pytest.fixture(autouse=True)
def settings(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    process.engine.cache_clear()
    yield
    process.engine.cache_clear()


def http_call(path: str, query: dict[str, str], route: dict[str, str]) -> HttpCall:
    return HttpCall("GET", f"https://localhost{path}", {"cookie": "a=b"}, query, route, b"")


def queue_call(body: str) -> QueueCall:
    now = datetime.now(UTC)
    return QueueCall("id-1", body.encode(), 1, now, now + timedelta(days=7), now, "receipt")


def tick() -> TimerCall:
    now = datetime.now(UTC)
    return TimerCall(past_due=False, last=now, next=now + timedelta(minutes=10))


def test_azure_indexes_exactly_these_functions_with_these_bindings(functions: dict[str, Function]) -> None:
    assert {name: list(each.bindings) for name, each in functions.items()} == EXPECTED


def test_the_default_schedules_are_ncrontab_that_the_platform_reads() -> None:
    from ticket_engine.settings import Settings

    noon = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
    assert next_run(Settings.mail_poll_schedule, noon) == datetime(2026, 11, 23, 12, 10, tzinfo=UTC)
    assert next_run(Settings.token_refresh_schedule, noon) == datetime(2026, 11, 23, 12, 5, tzinfo=UTC)


def test_the_health_function_answers(worker: LibraryWorker, functions: dict[str, Function]) -> None:
    reply = worker.invoke(functions["health"], http_call("/api/health", {}, {}), "1").reply
    assert reply is not None
    assert reply.status == 200
    assert json.loads(reply.body)["status"] in {"ok", "degraded"}


def test_the_health_of_each_mailbox_says_who_must_act(
    worker: LibraryWorker, functions: dict[str, Function], new_desk: Callable[..., Any]
) -> None:
    desk = new_desk()
    reply = worker.invoke(functions["health_mailboxes"], http_call("/api/health/mailboxes", {}, {}), "h1").reply
    assert reply is not None
    body = json.loads(reply.body)
    assert (reply.status, body["status"], body["version"]) == (200, "degraded", __version__)
    (mine,) = [each for each in body["mailboxes"] if each["mailbox"]["id"] == desk.id]
    assert (mine["ok"], mine["actor"], mine["code"]) == (False, "mailbox owner", "not-connected")


def test_the_metrics_function_is_read_by_prometheus_own_parser(
    worker: LibraryWorker, functions: dict[str, Function], desk: Any
) -> None:
    desk.poll()
    reply = worker.invoke(functions["metrics"], http_call("/api/metrics", {}, {}), "m1").reply
    assert reply is not None
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {each.name: each for each in text_string_to_metric_families(reply.body.decode())}
    (ok,) = [each for each in families["ticket_engine_mailbox_ok"].samples if each.labels["mailbox"] == desk.id]
    assert ok.value == 1
    assert families["ticket_engine_mailbox_messages_ingested"].type == "counter"


def test_health_is_down_and_a_scrape_fails_when_storage_does_not_answer(
    worker: LibraryWorker, functions: dict[str, Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_TABLES_URL", "https://127.0.0.1:1")
    process.engine.cache_clear()
    for name, path in (("health", "health"), ("health_mailboxes", "health/mailboxes"), ("metrics", "metrics")):
        reply = worker.invoke(functions[name], http_call(f"/api/{path}", {}, {}), f"d-{name}").reply
        assert reply is not None
        assert reply.status == 503
        if name == "health":
            assert json.loads(reply.body) == {"status": "down"}


def test_the_consent_function_redirects_and_sets_a_host_cookie(
    worker: LibraryWorker, functions: dict[str, Function], new_desk: Callable[..., Any]
) -> None:
    desk = new_desk()
    call = http_call(f"/api/consent/{desk.id}", {"invite": desk.invite()}, {"mailbox_id": desk.id})
    reply = worker.invoke(functions["oauth_consent"], call, "2").reply
    assert reply is not None
    assert reply.status == 302
    assert reply.headers["Location"].startswith(desk.cloud.entra.url)
    (cookie,) = reply.cookies
    assert cookie.startswith("__Host-consent-")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


def test_the_callback_function_says_that_a_link_has_ended(
    worker: LibraryWorker, functions: dict[str, Function]
) -> None:
    call = http_call("/api/oauth/callback", {"code": "c", "state": "unknown"}, {})
    reply = worker.invoke(functions["oauth_callback"], call, "3").reply
    assert reply is not None
    assert reply.status == 404
    assert b"This link does not work any more" in reply.body
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_the_poll_timer_queues_each_connected_mailbox(
    worker: LibraryWorker, functions: dict[str, Function], desk: Any
) -> None:
    messages = worker.invoke(functions["mail_poll_timer"], tick(), "4").messages["mailboxes"]
    assert json.dumps({"mailbox": desk.id}) in messages


def test_the_poll_function_polls_the_mailbox_of_its_message(
    worker: LibraryWorker, functions: dict[str, Function], desk: Any, mail: Callable[..., bytes]
) -> None:
    desk.deliver(mail(1))
    result = worker.invoke(functions["mail_poll_mailbox"], queue_call(json.dumps({"mailbox": desk.id})), "5")
    assert result.messages.get("more", []) == []
    assert len(desk.messages()) == 1


def test_the_rotation_functions_rotate_what_is_due(
    worker: LibraryWorker, functions: dict[str, Function], desk: Any
) -> None:
    from dataclasses import replace

    before = desk.engine.stores.vault.refresh_token(desk.id)
    desk.engine.stores.states.update_token(
        desk.id, lambda state: replace(state, rotated_at=state.rotated_at - timedelta(days=2))
    )
    messages = worker.invoke(functions["token_refresh_timer"], tick(), "6").messages["mailboxes"]
    assert json.dumps({"mailbox": desk.id}) in messages
    worker.invoke(functions["token_refresh_mailbox"], queue_call(json.dumps({"mailbox": desk.id})), "7")
    assert desk.engine.stores.vault.refresh_token(desk.id).version != before.version


def test_a_message_for_a_mailbox_that_was_removed_is_dropped_with_a_log_line(
    worker: LibraryWorker, functions: dict[str, Function], caplog: pytest.LogCaptureFixture
) -> None:
    worker.invoke(functions["mail_poll_mailbox"], queue_call(json.dumps({"mailbox": "gone"})), "9")
    assert "There is no mailbox with the id 'gone'" in caplog.text


def test_a_message_that_names_no_mailbox_fails_so_that_it_ends_in_the_poison_queue(
    worker: LibraryWorker, functions: dict[str, Function]
) -> None:
    with pytest.raises(worker_library.FunctionFailedError, match="a queue message has the form"):
        worker.invoke(functions["mail_poll_mailbox"], queue_call("nonsense"), "8")


def test_a_message_that_was_given_up_is_recorded_at_its_mailbox_and_seen_by_health(
    worker: LibraryWorker, functions: dict[str, Function], desk: Any
) -> None:
    given_up = json.dumps({"mailbox": desk.id})
    worker.invoke(functions["mail_poll_poison"], queue_call(given_up), "10")
    worker.invoke(functions["token_refresh_poison"], queue_call(given_up), "11")
    worker.invoke(functions["task_delivery_poison"], queue_call(given_up), "13")
    events = [entry.code for entry in desk.engine.stores.journal.newest(desk.id, 3)]
    assert events == ["delivery-poisoned", "rotation-poisoned", "poll-poisoned"]
    (health,) = [each for each in desk.engine.health.mailboxes() if each.mailbox_id == desk.id]
    assert (health.ok, health.actor) == (False, "operator")
    desk.poll()
    assert desk.engine.stores.states.poll(desk.id)[0].failure is None


def test_a_senseless_message_that_was_given_up_is_logged_and_not_given_up_again(
    worker: LibraryWorker, functions: dict[str, Function], caplog: pytest.LogCaptureFixture
) -> None:
    worker.invoke(functions["mail_poll_poison"], queue_call("nonsense"), "12")
    assert "given up: id-1" in caplog.text
