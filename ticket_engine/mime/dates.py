"""When a mail says it was sent: RFC 5322 dates, obsolete ones, ISO 8601, and what else mailers write."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

_MAX_TEXT = 200
_COMMENT = re.compile(r"\([^()]*\)")
_ISO = re.compile(
    r"\b(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:[.,]\d+)?(?:\s*([ap])\.?m\b\.?)?(?![.\d])", re.IGNORECASE)
_NUMERIC = re.compile(r"\b(\d{1,2})([./])(\d{1,2})\2(\d{4}|\d{2})\b")
_OFFSET = re.compile(r"(?<![\d\w])([+-])(\d{1,2}):?(\d{2})\b")
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_LONG_YEAR = 4
_HOURS_A_DAY = 24
_NOON = 12
# RFC 5322, section 4.3: two digits up to 49 are of this century, and three count from 1900.
_THIS_CENTURY = 50
# Azure Table Storage keeps dates from 1601 on; a mail from before there was mail has a wrong clock.
_FIRST_YEAR, _LAST_YEAR = 1970, 9_998
# Obsolete zones (RFC 5322, section 4.3) and those that mailers abbreviate, in hours east of UTC.
_ZONES = {
    "gmt": 0, "ut": 0, "utc": 0, "z": 0, "wet": 0, "bst": 1, "cet": 1, "met": 1, "mez": 1, "west": 1, "cest": 2,
    "mest": 2, "mesz": 2, "eet": 2, "sast": 2, "eest": 3, "msk": 3, "ist": 5.5, "hkt": 8, "jst": 9, "kst": 9,
    "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
}  # fmt: skip
# Months begin like this in English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish and Polish.
_MONTHS = {
    prefix: number
    for number, prefixes in enumerate(
        (
            "jan jän ene gen sty", "feb fev fév lut", "mar mär mrz maa mrt", "apr abr avr kwi", "may mai maj mag mei",
            "jun juin giu cze", "jul juil lug lip", "aug ago aoû aou sie", "sep set wrz", "oct okt out ott paź paz",
            "nov lis", "dec dez déc dic gru",
        ),
        1,
    )
    for prefix in prefixes.split()
}  # fmt: skip


def parse_date(text: str) -> datetime | None:
    """The moment in UTC that this text names, or None; without a zone it is taken as UTC."""
    short = text[:_MAX_TEXT].strip()
    clean = _COMMENT.sub(" ", short) or short
    try:
        moment = _iso(clean) or _written(clean)
    except (ValueError, OverflowError):
        return None
    return moment if moment is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def _iso(text: str) -> datetime | None:
    match = _ISO.search(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(each or 0) for each in match.groups()[:6])
    offset = match[7]
    zone = _offset(_OFFSET.search(offset)) if offset and offset not in "Zz" else UTC
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone).astimezone(UTC)


def _written(text: str) -> datetime | None:
    # Dots may stand in a time as well ("08.12.40"), but then the month has a name.
    named = any(_month(token) for token in _TOKEN.findall(text))
    numeric = None if named else _NUMERIC.search(text)
    rest = _without(text, numeric)
    time = _TIME.search(rest)
    rest = _without(rest, time)
    offset = _OFFSET.search(rest) if time else None
    rest = _without(rest, offset)
    date = _numeric_date(numeric) if numeric else _named_date(rest)
    hour, minute, second = (int(each or 0) for each in time.groups()[:3]) if time else (0, 0, 0)
    if time and time[4]:
        hour = hour % _NOON + (_NOON if time[4].lower() == "p" else 0)
    if date is None or hour > _HOURS_A_DAY:
        return None
    zone = _offset(offset) if offset else _named_zone(rest)
    # A leap second, or a clock that has 24:00, is the next moment.
    moment = datetime(*date, tzinfo=zone) + timedelta(hours=hour, minutes=minute, seconds=second)
    return moment.astimezone(UTC)


def _without(text: str, match: re.Match[str] | None) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}" if match else text


def _numeric_date(numeric: re.Match[str]) -> tuple[int, int, int]:
    first, second = int(numeric[1]), int(numeric[3])
    # With slashes the month comes first, as Americans write it, unless it can't be one.
    month_first = numeric[2] == "/" and first <= _NOON
    month, day = (first, second) if month_first else (second, first)
    return _year(numeric[4]), month, day


def _named_date(text: str) -> tuple[int, int, int] | None:
    month, numbers = 0, []
    for token in _TOKEN.findall(text):
        if token.isdigit():
            numbers.append(token)
        else:
            month = _month(token) or month
    if not month or len(numbers) < 2:  # noqa: PLR2004 - a day and a year
        return None
    day, year = numbers[:2]
    if len(day) == _LONG_YEAR:
        day, year = year, day
    return _year(year), month, int(day)


def _month(token: str) -> int:
    lower = unicodedata.normalize("NFC", token.lower())
    if lower in _ZONES:
        return 0
    return _MONTHS.get(lower[:4]) or _MONTHS.get(lower[:3]) or 0


def _year(digits: str) -> int:
    year = int(digits[:_LONG_YEAR])
    if len(digits) < _LONG_YEAR:
        year += 2000 if len(digits) == 2 and year < _THIS_CENTURY else 1900  # noqa: PLR2004
    return year


def _offset(match: re.Match[str] | None) -> timezone:
    if match is None:
        return UTC
    sign = -1 if match[1] == "-" else 1
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(sign * ahead) if ahead < timedelta(days=1) else UTC


def _named_zone(text: str) -> timezone:
    hours = next((_ZONES[token] for token in reversed(_TOKEN.findall(text.lower())) if token in _ZONES), 0)
    return timezone(timedelta(hours=hours))
