"""Dates of every kind."""

from tests.corpus.case import Case, bare


def _date(name: str, written: str, read: str | None) -> Case:
    raw = bare("From: ada@northwind.example", f"Date: {written}", "Subject: When")
    return Case(f"date-{name}", raw, {"kind": "parsed", "sent_at": read})


CASES = [
    _date("rfc-5322", "Mon, 23 Nov 2026 08:12:40 +0100", "2026-11-23T07:12:40+00:00"),
    _date("without-weekday", "23 Nov 2026 08:12:40 -0500", "2026-11-23T13:12:40+00:00"),
    _date("without-seconds", "Mon, 23 Nov 2026 08:12 +0000", "2026-11-23T08:12:00+00:00"),
    _date("comment", "Mon, 23 Nov 2026 08:12:40 +0100 (CET)", "2026-11-23T07:12:40+00:00"),
    _date("gmt", "Mon, 23 Nov 2026 08:12:40 GMT", "2026-11-23T08:12:40+00:00"),
    _date("est", "Mon, 23 Nov 2026 08:12:40 EST", "2026-11-23T13:12:40+00:00"),
    _date("zone-with-colon", "Mon, 23 Nov 2026 08:12:40 +05:30", "2026-11-23T02:42:40+00:00"),
    _date("unknown-zone", "Mon, 23 Nov 2026 08:12:40 XYZ", "2026-11-23T08:12:40+00:00"),
    _date("zone-of-minus-zero", "Mon, 23 Nov 2026 08:12:40 -0000", "2026-11-23T08:12:40+00:00"),
    _date("two-digit-year", "23 Nov 26 08:12:40 +0000", "2026-11-23T08:12:40+00:00"),
    _date("two-digit-year-of-the-last-century", "23 Nov 98 08:12:40 +0000", "1998-11-23T08:12:40+00:00"),
    _date("three-digit-year", "23 Nov 126 08:12:40 +0000", "2026-11-23T08:12:40+00:00"),
    _date("unix", "Mon Nov 23 08:12:40 2026", "2026-11-23T08:12:40+00:00"),
    _date("unix-with-zone", "Mon Nov 23 08:12:40 EST 2026", "2026-11-23T13:12:40+00:00"),
    _date("iso", "2026-11-23T08:12:40Z", "2026-11-23T08:12:40+00:00"),
    _date("iso-with-offset", "2026-11-23 08:12:40.123 +0100", "2026-11-23T07:12:40+00:00"),
    _date("iso-date-only", "2026-11-23", "2026-11-23T00:00:00+00:00"),
    _date("dashes", "23-Nov-2026 08:12:40 +0100", "2026-11-23T07:12:40+00:00"),
    _date("full-month", "Monday, 23 November 2026 08:12:40 +0100", "2026-11-23T07:12:40+00:00"),
    _date("american", "11/23/2026 8:12 PM", "2026-11-23T20:12:00+00:00"),
    _date("midnight-pm", "11/23/2026 12:05 AM", "2026-11-23T00:05:00+00:00"),
    _date("german-numbers", "23.11.2026 08:12:40", "2026-11-23T08:12:40+00:00"),
    _date("german", "Mo, 23 Dez 2026 08:12:40 +0100", "2026-12-23T07:12:40+00:00"),
    _date("french", "lun., 23 févr. 2026 08:12:40 +0100", "2026-02-23T07:12:40+00:00"),
    _date("spanish-weekday-like-a-month", "mar, 24 nov 2026 08:12:40 +0100", "2026-11-24T07:12:40+00:00"),
    _date("dots-in-the-time", "Mon, 23 Nov 2026 08.12.40 +0100", "2026-11-23T07:12:40+00:00"),
    _date("leap-second", "Wed, 31 Dec 2025 23:59:60 +0000", "2026-01-01T00:00:00+00:00"),
    _date("twenty-four-hours", "Mon, 23 Nov 2026 24:00:00 +0000", "2026-11-24T00:00:00+00:00"),
    _date("thirtieth-of-february", "Mon, 30 Feb 2026 08:12:40 +0000", None),
    _date("year-one", "Mon, 1 Jan 0001 00:00:00 +0000", None),
    _date("before-what-a-table-stores", "Mon, 23 Nov 1500 08:12:40 +0000", None),
    _date("year-of-five-digits", "Mon, 23 Nov 20260 08:12:40 +0000", "2026-11-23T08:12:40+00:00"),
    _date("last-moment-of-time", "Fri, 31 Dec 9999 23:59:59 -1200", None),
    _date("huge-offset", "Mon, 23 Nov 2026 08:12:40 +9999", "2026-11-23T08:12:40+00:00"),
    _date("words", "yesterday, after lunch", None),
    _date("empty", "", None),
]
