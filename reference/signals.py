"""What the service says about itself: events, instruments, metrics."""

from __future__ import annotations

import logging

from reference.tables import table
from ticket_engine.events import EVENTS
from ticket_engine.metrics import METRICS
from ticket_engine.telemetry import INSTRUMENTS


def events() -> str:
    """Every event of the log."""
    rows = [
        (f"`{each.name}`", logging.getLevelName(each.level).lower(), each.meaning, _names(each.fields))
        for each in EVENTS
    ]
    return table(("event", "level", "meaning", "fields"), rows)


def instruments() -> str:
    """Every OpenTelemetry metric."""
    rows = [(f"`{each.name}`", each.kind, each.unit, each.meaning, _names(each.attributes)) for each in INSTRUMENTS]
    return table(("metric", "kind", "unit", "meaning", "attributes"), rows)


def metrics() -> str:
    """Every Prometheus metric."""
    rows = [(f"`ticket_engine_{each.name}`", each.kind, each.meaning) for each in METRICS]
    return table(("metric", "kind", "meaning"), rows)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
