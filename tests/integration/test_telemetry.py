"""What an operator's monitoring sees of a poll, a rotation and a mailbox that needs someone."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from devcloud.cloud import DevCloud
from mail_poll import bp
from ticket_engine import events, process, telemetry
from ticket_engine.engine import Engine

Desks = Callable[..., Any]
Mail = Callable[..., bytes]


class Message:
    """A queue message for one mailbox."""

    def __init__(self, mailbox_id: str) -> None:
        self._body = f'{{"mailbox": "{mailbox_id}"}}'.encode()

    def get_body(self) -> bytes:
        return self._body


class Out:
    """Where a function puts what goes on by a new message."""

    def set(self, value: str) -> None:
        self.value = value


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """OpenTelemetry's SDK, as the Functions worker configures it, but with exporters into memory."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    return spans


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    memory = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([memory]))
    telemetry._instrument.cache_clear()
    return memory


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Callable[[], list[ReadableSpan]]]:
    exporter.clear()
    yield lambda: list(exporter.get_finished_spans())
    exporter.clear()


@pytest.fixture
def poll(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The very function that the queue triggers."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    process.engine.cache_clear()
    (function,) = [
        each._function for each in bp._function_builders if each._function.get_function_name() == "mail_poll_mailbox"
    ]
    yield lambda mailbox_id: function.get_user_function()(Message(mailbox_id), Out())
    process.engine.cache_clear()


def points(reader: InMemoryMetricReader, instrument: telemetry.Instrument) -> list[Any]:
    data = reader.get_metrics_data()
    found = [] if data is None else [each for r in data.resource_metrics for s in r.scope_metrics for each in s.metrics]
    for each in found:
        if each.name == instrument.name:
            assert (each.unit, each.description) == (instrument.unit, instrument.meaning)
    return [point for each in found if each.name == instrument.name for point in each.data.data_points]


def total(reader: InMemoryMetricReader, instrument: telemetry.Instrument, **attributes: str) -> float:
    mine = [each for each in points(reader, instrument) if attributes.items() <= dict(each.attributes).items()]
    return sum(getattr(each, "value", getattr(each, "count", 0)) for each in mine)


def test_a_poll_is_a_span_with_its_phases_within(
    desk: Any, mail: Mail, poll: Callable[[str], None], spans: Callable[[], list[ReadableSpan]]
) -> None:
    desk.change(after_ingest="delete")
    desk.deliver(mail(1), mail(2))
    poll(desk.id)
    (whole,) = [each for each in spans() if each.name == telemetry.POLL]
    assert dict(whole.attributes or {}) == {"mailbox": desk.id, "outcome": "ok", "mails": 2, "tickets": 2}
    assert whole.context is not None
    within = [each for each in spans() if each.context is not None and each is not whole]
    assert {each.name for each in within} >= set(telemetry.PHASES)
    assert {each.context.trace_id for each in within if each.context} == {whole.context.trace_id}


def test_a_poll_that_fails_says_why_in_span_log_and_metric(
    desk: Any,
    cloud: DevCloud,
    poll: Callable[[str], None],
    spans: Callable[[], list[ReadableSpan]],
    reader: InMemoryMetricReader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud.entra.revoke_sessions(desk.user)
    why = {"code": "AADSTS50173", "actor": "mailbox owner"}
    before = total(reader, telemetry.FAILURES, operation="poll", **why)
    poll(desk.id)
    (whole,) = [each for each in spans() if each.name == telemetry.POLL]
    assert {"outcome": "failed", **why}.items() <= dict(whole.attributes or {}).items()
    assert total(reader, telemetry.FAILURES, operation="poll", **why) == before + 1
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == events.POLL_FAILED.name]
    assert {"mailbox": desk.id, **why}.items() <= record.__dict__.items()


def test_mails_tickets_and_polls_are_counted(
    desk: Any, mail: Mail, poll: Callable[[str], None], reader: InMemoryMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    names = (telemetry.MAILS, telemetry.TICKETS, telemetry.POLLS, telemetry.DURATION)
    before = [total(reader, each) for each in names]
    desk.deliver(mail(1), mail(2), mail(3, References="<request-1@fabrikam.example>"))
    with caplog.at_level(logging.INFO):
        poll(desk.id)
    assert [total(reader, each) - earlier for each, earlier in zip(names, before, strict=True)] == [3, 2, 1, 1]
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == events.MAILBOX_POLLED.name]
    fields = {name: record.__dict__[name] for name in ("mailbox", "mails", "tickets", "messages")}
    assert fields == {"mailbox": desk.id, "mails": 3, "tickets": 2, "messages": 3}
    assert record.__dict__["seconds"] > 0


def test_a_mailbox_whose_polls_never_run_is_reported_by_the_other_timer(
    desk: Any, cloud: DevCloud, reader: InMemoryMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    desk.poll()
    before = total(reader, telemetry.LAG), total(reader, telemetry.TOKEN_AGE)
    later = Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(hours=1))
    later.overview.report()
    reported = [each.__dict__ for each in caplog.records if getattr(each, "event", "") == events.MAILBOX_NEEDS.name]
    (mine,) = [each for each in reported if each["mailbox"] == desk.id]
    assert (mine["code"], mine["actor"]) == ("not-polled", "operator")
    assert total(reader, telemetry.LAG) > before[0]
    assert total(reader, telemetry.TOKEN_AGE) > before[1]


def test_a_mailbox_that_is_paused_is_not_reported(desk: Any, caplog: pytest.LogCaptureFixture) -> None:
    desk.engine.mailbox_setup.pause(desk.id, by="ada")
    desk.engine.overview.report()
    assert desk.id not in [getattr(each, "mailbox", "") for each in caplog.records]


def test_every_instrument_has_a_name_of_its_own() -> None:
    assert len({each.name for each in telemetry.INSTRUMENTS}) == len(telemetry.INSTRUMENTS)
