"""How values are written on a page: times, sizes, counts, addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from console.chart import bars
from ticket_engine.oauth.expiry import WARN_AT
from ticket_engine.records import days

# From here on the watch over what ends warns, too.
SOON = timedelta(days=max(WARN_AT))
_KILO = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def when(moment: datetime | None, style: str = "long") -> Markup:
    """A ``time`` element in UTC, which the page's script turns into the reader's zone; ``style`` is long or short."""
    if moment is None:
        return Markup('<span class="none">never</span>')
    moment = moment.astimezone(UTC)
    text = f"{moment:%-d %b %H:%M} UTC" if style == "short" else f"{moment:%-d %b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}" data-style="{}">{}</time>').format(f"{moment:%Y-%m-%dT%H:%M:%SZ}", style, text)


def span(seconds: float) -> str:
    """A length of time in its largest unit: ``40 s``, ``5 min``, ``3 h``, ``12 days``."""
    seconds = abs(seconds)
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    return f"{seconds // _DAY:.0f} days"


def size(count: int) -> str:
    """A number of bytes: ``812 bytes``, ``4.1 KB``, ``12 MB``."""
    if count < _KILO:
        return counted(count, "byte")
    value = count / _KILO
    for unit in ("KB", "MB"):
        if value < _KILO:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"  # noqa: PLR2004 - one digit
        value /= _KILO
    return f"{value:.1f} GB"


def number(value: int) -> str:
    """A whole number with thousands apart: ``12 345`` with a narrow no-break space."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 mail``, ``2 mails``."""
    return f"{number(value)} {noun if value == 1 else plural or noun + 's'}"


def query(values: Mapping[str, Any] | None = None, **more: Any) -> str:
    """A query string of the values that are set."""
    every = {**(values or {}), **more}
    return urlencode([(name, str(value)) for name, value in every.items() if value not in (None, "", False)])


def left(time: timedelta) -> Markup:
    """What is left of something that ends: ``12 days``, ``3 h``, or that it has ended; marked when that is soon."""
    text = span(time.total_seconds()) if time > timedelta() else "ended"
    return Markup('<strong class="soon">{}</strong>').format(text) if time < SOON else Markup("{}").format(text)


def daily(text: str, today: date) -> Markup:
    """The chart of a mailbox's mails a day."""
    return bars(days.series(text, today))


FILTERS: dict[str, Callable[..., Any]] = {
    "when": when,
    "span": span,
    "size": size,
    "number": number,
    "counted": counted,
    "query": query,
    "left": left,
    "daily": daily,
}
