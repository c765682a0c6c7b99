"""How many mails came a day, over the last weeks, as one short text of a row."""

from __future__ import annotations

from datetime import date, timedelta

# What the console's chart shows: two weeks.
DAYS = 14


def count(text: str, day: date, mails: int) -> str:
    """The text with so many more mails on a day; days that are older than DAYS before it are dropped."""
    counts = read(text)
    counts[day] = counts.get(day, 0) + mails
    oldest = day - timedelta(days=DAYS - 1)
    return ",".join(f"{each:%Y%m%d}:{number}" for each, number in sorted(counts.items()) if each >= oldest)


def series(text: str, today: date) -> list[int]:
    """Mails of each of the last DAYS days, oldest first, today last; a day without mail is 0."""
    counts = read(text)
    return [counts.get(today - timedelta(days=ago), 0) for ago in range(DAYS - 1, -1, -1)]


def read(text: str) -> dict[date, int]:
    """Each day's number: ``20261124:12,20261125:3``."""
    pairs = (each.split(":") for each in text.split(",") if each)
    return {date(int(day[:4]), int(day[4:6]), int(day[6:])): int(number) for day, number in pairs}
