"""Telemetry as it leaves the Functions worker, at a stand-in for Application Insights' ingestion endpoint."""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from devcloud.cloud import DevCloud
from devcloud.demo import MAILBOXES, consent, deliver, set_up
from devcloud.host import worker_library
from ticket_engine import events, telemetry
from ticket_engine.engine import Engine
from ticket_engine.settings import Settings

DISABLED = "azure_sdk,flask,requests,urllib,urllib3"
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        sys.version_info < (3, 13) or not worker_library.available(), reason="Microsoft's worker library needs 3.13"
    ),
]


@pytest.fixture
def ingestion() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of an ingestion endpoint, and the envelopes that it was sent."""
    received: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            envelopes = json.loads(body)
            received.extend(envelopes)
            answer = json.dumps({"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


def test_polls_reach_application_insights_as_spans_events_and_metrics_without_secrets(
    ingestion: tuple[str, list[dict[str, Any]]],
) -> None:
    address, received = ingestion
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": (
            f"InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint={address}/"
        ),
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        # As docs/observability.md recommends, but with every trace.
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": DISABLED,
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    with DevCloud(host=True, settings=settings) as cloud:
        cloud.join()
        engine = Engine(Settings.from_environment(cloud.environment()))
        set_up(cloud, engine)
        for name in MAILBOXES:
            consent(cloud, engine, name)
        mails = deliver(cloud, engine)
        cloud.host.fire("mail_poll_timer")
        secrets = [engine.stores.vault.refresh_token(name) for name in MAILBOXES]
        secrets += [engine.stores.vault.client_secret(name) for name in MAILBOXES]

        def polled() -> bool:
            found = _metric(received, telemetry.MAILS.name)
            return found >= mails and {telemetry.POLL, *telemetry.PHASES} - {"settle"} <= _spans(received)

        deadline = time.monotonic() + 120
        while not polled():
            assert time.monotonic() < deadline, (_metric(received, telemetry.MAILS.name), _spans(received))
            time.sleep(0.5)
        httpx.get(f"{cloud.app_url}/api/health", verify=cloud.certificates.context()).raise_for_status()
    logged = [each["data"]["baseData"]["properties"] for each in received if each["data"]["baseType"] == "MessageData"]
    by_event = {each["event"]: each for each in logged if "event" in each}
    assert events.MAILBOX_POLLED.name in by_event
    assert set(events.MAILBOX_POLLED.fields) <= set(by_event[events.MAILBOX_POLLED.name])
    assert _spans(received) <= {telemetry.POLL, *telemetry.PHASES}
    everything = json.dumps(received)
    assert all(each is not None and each.value not in everything for each in secrets)


def _spans(received: list[dict[str, Any]]) -> set[str]:
    found = (each["data"]["baseData"] for each in received if each["data"]["baseType"] == "RemoteDependencyData")
    return {each["name"] for each in found}


def _metric(received: list[dict[str, Any]], name: str) -> float:
    found = (each["data"]["baseData"]["metrics"] for each in received if each["data"]["baseType"] == "MetricData")
    return sum(float(metric["value"]) for metrics in found for metric in metrics if metric["name"] == name)
