"""The functions host, with both workers."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from azure.storage.queue import BinaryBase64DecodePolicy, QueueClient

from devcloud.cloud import DevCloud
from devcloud.functions import FunctionsHost
from devcloud.host import worker_library
from devcloud.host.model import HostError
from devcloud.host.queues import QueueSettings
from devcloud.host.timers import next_run
from devcloud.processes import ProcessFailedError

APP = Path(__file__).parent / "host_app"
WORKERS = [
    pytest.param(
        "library",
        marks=pytest.mark.skipif(not worker_library.available(), reason="the library needs Python 3.13"),
    ),
    "direct",
]


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module", params=WORKERS)
def host(
    request: pytest.FixtureRequest, cloud: DevCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionsHost]:
    running = FunctionsHost(tmp_path_factory.mktemp("host"), cloud.certificates, APP)
    settings = {**cloud.environment(), "TICK": "0 0 0 1 1 *", "DEVCLOUD_FUNCTION_KEY": "the-key"}
    running.start(settings, worker=request.param)
    yield running
    running.stop()


@pytest.fixture
def web(host: FunctionsHost, cloud: DevCloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.url, verify=cloud.certificates.context(), timeout=30) as client:
        yield client


def test_an_http_function_sees_route_query_body_and_headers(web: httpx.Client) -> None:
    answer = web.post("/api/echo/ada?x=1", content=b"\x00\xff", headers={"x-test": "yes"})
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen["name"], seen["query"], seen["body"], seen["header"]) == ("ada", {"x": "1"}, "00ff", "yes")
    assert answer.headers["content-type"].startswith("application/json")


def test_a_cookie_comes_out_with_its_attributes(web: httpx.Client) -> None:
    cookie = web.get("/api/echo/ada").headers["set-cookie"]
    parts = set(cookie.split("; "))
    assert {"__Host-a=1", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"} <= parts


def test_a_function_of_level_function_wants_its_key(web: httpx.Client) -> None:
    assert web.get("/api/secret").status_code == 401
    assert web.get("/api/secret", headers={"x-functions-key": "wrong"}).status_code == 401
    assert web.get("/api/secret", headers={"x-functions-key": "the-key"}).text == "open"
    assert web.get("/api/secret?code=the-key").text == "open"


def test_a_failing_function_answers_500_and_its_traceback_is_in_the_log(web: httpx.Client, host: FunctionsHost) -> None:
    assert web.get("/api/broken?code=do-not-log-me").status_code == 500
    log = host.log.read_text()
    assert "this function fails on purpose" in log
    assert "do-not-log-me" not in log


def test_timer_to_queue_to_function_with_continuation_and_poison(host: FunctionsHost, cloud: DevCloud) -> None:
    poison = QueueClient.from_connection_string(
        cloud.storage.connection_string, "numbers-poison", message_decode_policy=BinaryBase64DecodePolicy()
    )
    host.fire("tick")
    log = host.log.read_text
    # 3 queues 2, which queues 1; the 1 of the timer comes too.
    until(lambda: len(re.findall(r"number 1, delivery 1", log())) == 2)
    until(lambda: "Moving message to queue 'numbers-poison'" in log())
    assert len(re.findall(r"Function 'count_down'", log())) == 3
    bodies: list[bytes] = []

    def received() -> bool:
        bodies.extend(bytes(message.content) for message in poison.receive_messages())
        return bool(bodies)

    until(received)
    assert bodies == [b"poison"]


def test_the_admin_api_lists_the_functions(web: httpx.Client) -> None:
    names = {each["name"] for each in web.get("/admin/functions").json()}
    assert names == {"echo", "secret", "broken", "tick", "count_down"}
    assert web.post("/admin/functions/nobody", json={}).status_code == 404


def test_a_binding_that_names_an_unset_setting_says_which(cloud: DevCloud, tmp_path: Path) -> None:
    host = FunctionsHost(tmp_path, cloud.certificates, APP)
    with pytest.raises(ProcessFailedError, match="set the app setting TICK"):
        host.start(cloud.environment())


def test_an_app_that_cannot_be_imported_has_no_functions_and_says_why(cloud: DevCloud, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "function_app.py").write_text("import no_such_module_at_all\n")
    host = FunctionsHost(tmp_path, cloud.certificates, tmp_path)
    with pytest.raises(ProcessFailedError, match="no_such_module_at_all"):
        host.start({**os.environ, **cloud.environment()})
    assert "0 functions found" in host.log.read_text()


def test_host_json_gives_the_queue_settings_with_the_platforms_defaults() -> None:
    assert QueueSettings.read({}) == QueueSettings()
    read = QueueSettings.read({"batchSize": 4, "visibilityTimeout": "00:01:30"})
    assert (read.batch_size, read.new_batch_threshold, read.visibility_timeout) == (4, 2, 90.0)


@pytest.mark.parametrize("schedule", ["* * * *", "whenever", "0 61 * * * *"])
def test_a_schedule_that_is_none_says_what_it_takes(schedule: str) -> None:
    from datetime import UTC, datetime

    with pytest.raises(HostError, match="six fields"):
        next_run(schedule, datetime.now(UTC))
