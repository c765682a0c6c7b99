"""Spans and metrics through OpenTelemetry's API, which costs next to nothing where no SDK is configured.

In Azure the Functions worker configures the SDK (``PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY``). Metrics carry no
mailbox, so that their cost does not grow with the mailboxes: what one mailbox does is in the log and in /api/metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from ticket_engine.intake.poll import PollResult
    from ticket_engine.operations import MailboxView

_SCOPE = "ticket_engine"

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Instrument:
    """A metric: its name, its kind (counter or histogram), its unit (UCUM), what it means, and its attributes."""

    name: str
    kind: str
    unit: str
    meaning: str
    attributes: tuple[str, ...] = ()


POLLS = Instrument("ticket_engine.polls", "counter", "{poll}", "Polls that ended.", ("outcome",))
MAILS = Instrument("ticket_engine.mails", "counter", "{mail}", "Mails that were read from servers.")
TICKETS = Instrument("ticket_engine.tickets", "counter", "{ticket}", "Tickets that were opened.")
FAILURES = Instrument(
    "ticket_engine.failures",
    "counter",
    "{failure}",
    "Polls and rotations that failed, by why and by who must act.",
    ("operation", "code", "actor"),
)
DURATION = Instrument("ticket_engine.poll.duration", "histogram", "s", "How long polls took.", ("outcome",))
LAG = Instrument(
    "ticket_engine.mailbox.lag", "histogram", "s", "Time since each mailbox was last polled well, every ten minutes."
)
TOKEN_AGE = Instrument(
    "ticket_engine.mailbox.token_age", "histogram", "s", "Age of each mailbox's refresh token, every ten minutes."
)
INSTRUMENTS = (POLLS, MAILS, TICKETS, FAILURES, DURATION, LAG, TOKEN_AGE)

# The span of a poll, and the spans within it.
POLL = "poll"
PHASES = ("token", "login", "list", "fetch", "commit", "checkpoint", "settle")


@contextmanager
def span(name: str, **attributes: str) -> Iterator[Any]:
    """A span that holds while its block runs; an exception that leaves it marks it as failed."""
    with _tracer().start_as_current_span(name, attributes=attributes) as current:
        yield current


def traced(name: str) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Make each call of a function a span of this name."""

    def decorate(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @wraps(function)
        def run(*arguments: Given.args, **options: Given.kwargs) -> Answer:
            with _tracer().start_as_current_span(name):
                return function(*arguments, **options)

        return run

    return decorate


@contextmanager
def poll(mailbox_id: str) -> Iterator[Callable[[PollResult], None]]:
    """The span of a poll; the value takes the result, for the span and the metrics."""
    began = time.monotonic()
    with span(POLL, mailbox=mailbox_id) as current:

        def ended(result: PollResult) -> None:
            failure = result.failure
            outcome = "failed" if failure else "skipped" if result.skipped else "ok"
            current.set_attributes({"outcome": outcome, "mails": result.mails, "tickets": result.tickets})
            _add(POLLS, 1, outcome=outcome)
            _add(MAILS, result.mails)
            _add(TICKETS, result.tickets)
            _record(DURATION, time.monotonic() - began, outcome=outcome)
            if failure is not None:
                current.set_attributes({"code": failure.code, "actor": failure.actor.value})
                failed(POLL, failure.code, failure.actor.value)

        yield ended


def failed(operation: str, code: str, actor: str) -> None:
    """Count a failure; ``operation`` is ``poll`` or ``rotation``."""
    _add(FAILURES, 1, operation=operation, code=code, actor=actor)


def looked_at(views: Iterable[MailboxView]) -> None:
    """Record the lag and the token's age of each mailbox that is connected and not paused."""
    for view in views:
        if view.health.connected and not view.mailbox.paused:
            if view.lag is not None:
                _record(LAG, view.lag.total_seconds())
            if view.token.rotated_at is not None:
                _record(TOKEN_AGE, (view.at - view.token.rotated_at).total_seconds())


@cache
def _tracer() -> Any:
    from opentelemetry import trace

    return trace.get_tracer(_SCOPE)


@cache
def _instrument(instrument: Instrument) -> Any:
    from opentelemetry import metrics

    meter = metrics.get_meter(_SCOPE)
    make = meter.create_counter if instrument.kind == "counter" else meter.create_histogram
    return make(instrument.name, unit=instrument.unit, description=instrument.meaning)


def _add(instrument: Instrument, count: int, **attributes: str) -> None:
    _instrument(instrument).add(count, attributes)


def _record(instrument: Instrument, value: float, **attributes: str) -> None:
    _instrument(instrument).record(value, attributes)
