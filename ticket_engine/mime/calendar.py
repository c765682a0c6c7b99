"""Invitations in mails (iCalendar, RFC 5545): what a reader needs to know of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ticket_engine.mime.words import one_line

_MAX_EVENTS = 20
_MAX_VALUE = 500
_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\([\\;,nN])")
_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?\Z")
_METHODS = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled",
    "REPLY": "Answer",
    "COUNTER": "Proposal",
    "PUBLISH": "Event",
}


@dataclass(frozen=True)
class Event:
    """An event: ``method`` is iTIP's (REQUEST, CANCEL, REPLY), times are as written, with their zone's name."""

    method: str
    summary: str
    starts: str = ""
    ends: str = ""
    location: str = ""
    organizer: str = ""

    def __str__(self) -> str:
        """The event in one line."""
        what = f"{_METHODS.get(self.method, 'Event')}: {self.summary or '(without a title)'}"
        when = f"{self.starts} to {self.ends}" if self.starts and self.ends else self.starts
        return ", ".join(filter(None, (what, when, self.location, self.organizer)))


def events_of(text: str) -> tuple[Event, ...]:
    """The events in a calendar, at most 20; what can't be read is left empty."""
    method = ""
    found: list[Event] = []
    fields: dict[str, str] | None = None
    nested = 0
    for line in _FOLD.sub("", text).splitlines():
        name, _, value = line.partition(":")
        name, _, given = name.partition(";")
        name = name.strip().upper()
        if name == "BEGIN":
            if value.strip().upper() == "VEVENT":
                fields, nested = {}, 0
            else:
                nested += fields is not None
        elif name == "END" and fields is not None:
            if value.strip().upper() == "VEVENT":
                found.append(_event(method, fields))
                fields = None
            else:
                nested -= 1
        elif name == "METHOD":
            method = value.strip().upper()[:20]
        elif fields is not None and not nested:
            fields.setdefault(name, _value(name, given, value))
        if len(found) == _MAX_EVENTS:
            break
    return tuple(found)


def _event(method: str, fields: dict[str, str]) -> Event:
    return Event(
        method=method,
        summary=fields.get("SUMMARY", ""),
        starts=fields.get("DTSTART", ""),
        ends=fields.get("DTEND", ""),
        location=fields.get("LOCATION", ""),
        organizer=fields.get("ORGANIZER", ""),
    )


def _value(name: str, given: str, value: str) -> str:
    if name in {"DTSTART", "DTEND"}:
        return _time(value.strip(), given)
    if name == "ORGANIZER":
        value = re.sub(r"\Amailto:", "", value.strip(), flags=re.IGNORECASE)
    return one_line(_ESCAPED.sub(lambda match: " " if match[1] in "nN" else match[1], value[: 2 * _MAX_VALUE]))[
        :_MAX_VALUE
    ]


def _time(value: str, given: str) -> str:
    match = _STAMP.match(value)
    if match is None:
        return ""
    year, month, day, hour, minute, utc = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zones = (each[5:].strip('"') for each in given.split(";") if each.upper().startswith("TZID="))
    zone = "UTC" if utc else next(zones, "")
    return one_line(f"{year}-{month}-{day} {hour}:{minute} {zone[:50]}")
