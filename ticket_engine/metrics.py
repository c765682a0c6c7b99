"""The service's state as metrics in Prometheus' text format, from the records.

Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine import __version__

if TYPE_CHECKING:
    from ticket_engine.operations import MailboxView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "ticket_engine_"


@dataclass(frozen=True)
class Metric:
    """A metric: its name without the prefix, ``gauge`` or ``counter``, and what it means."""

    name: str
    kind: str
    meaning: str


BUILD_INFO = Metric("build_info", "gauge", "Always 1; the label version is the release that runs.")
OK = Metric("mailbox_ok", "gauge", "1 when the mailbox works or is paused, 0 when it needs someone.")
CONNECTED = Metric("mailbox_connected", "gauge", "1 when a consent gave the mailbox its token.")
PAUSED = Metric("mailbox_paused", "gauge", "1 when an operator paused the mailbox.")
FAILING = Metric("mailbox_failing", "gauge", "1 for a mailbox that needs someone: the labels say who and why.")
LAST_POLL = Metric("mailbox_last_poll_timestamp_seconds", "gauge", "When a poll last began.")
LAST_SUCCESS = Metric("mailbox_last_success_timestamp_seconds", "gauge", "When a poll last ended well.")
LAG = Metric("mailbox_lag_seconds", "gauge", "Time since a poll last ended well.")
FAILURES = Metric("mailbox_consecutive_failures", "gauge", "Polls that failed in a row, 0 after one that went well.")
ON_SERVER = Metric("mailbox_mails_on_server", "gauge", "Mails on the server at the last poll.")
INGESTED = Metric("mailbox_messages_ingested_total", "counter", "Mails that became ticket messages.")
QUARANTINED = Metric("mailbox_quarantined_mails", "gauge", "Mails that were set aside for a human.")
TOKEN_AGE = Metric("mailbox_token_age_seconds", "gauge", "Time since the refresh token was renewed.")
TOKEN_END = Metric("mailbox_token_end_timestamp_seconds", "gauge", "When the refresh token ends.")
SECRET_END = Metric("mailbox_secret_end_timestamp_seconds", "gauge", "When the client secret or certificate ends.")

METRICS = (
    BUILD_INFO,
    OK,
    CONNECTED,
    PAUSED,
    FAILING,
    LAST_POLL,
    LAST_SUCCESS,
    LAG,
    FAILURES,
    ON_SERVER,
    INGESTED,
    QUARANTINED,
    TOKEN_AGE,
    TOKEN_END,
    SECRET_END,
)

# One value of a metric: its labels, and the number, or None where there is none.
Sample = tuple[dict[str, str], float | None]


def exposition(views: Sequence[MailboxView]) -> str:
    """All metrics of these mailboxes, in the text format."""
    lines: list[str] = []
    for metric in METRICS:
        name = _PREFIX + metric.name
        values = [
            f"{name}{_labels(labels)} {_number(number)}"
            for labels, number in _samples(metric, views)
            if number is not None
        ]
        if values:
            lines += [f"# HELP {name} {metric.meaning}", f"# TYPE {name} {metric.kind}", *values]
    return "\n".join(lines) + "\n"


def _samples(metric: Metric, views: Iterable[MailboxView]) -> Iterator[Sample]:
    if metric is BUILD_INFO:
        yield {"version": __version__}, 1
        return
    for view in views:
        labels = {"mailbox": view.mailbox.id}
        if metric is FAILING:
            if not view.health.ok:
                yield {**labels, "actor": view.health.actor, "code": view.health.code}, 1
        else:
            yield labels, _value(metric, view)


def _value(metric: Metric, view: MailboxView) -> float | None:
    token, poll = view.token, view.poll
    age = None if token.rotated_at is None else (view.at - token.rotated_at).total_seconds()
    values: dict[Metric, float | None] = {
        OK: view.health.ok,
        CONNECTED: view.health.connected,
        PAUSED: view.mailbox.paused,
        LAST_POLL: _timestamp(poll.last_poll_at),
        LAST_SUCCESS: _timestamp(poll.last_success_at),
        LAG: None if view.lag is None else view.lag.total_seconds(),
        FAILURES: poll.consecutive_failures,
        ON_SERVER: poll.mails_on_server,
        INGESTED: poll.messages_ingested,
        QUARANTINED: poll.quarantined,
        TOKEN_AGE: age,
        TOKEN_END: _timestamp(token.refresh_token_expires_at),
        SECRET_END: _timestamp(token.credential_ends_at),
    }
    return values[metric]


def _timestamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _number(value: float) -> str:
    return repr(float(value)) if float(value) % 1 else str(int(value))


def _labels(labels: dict[str, str]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
