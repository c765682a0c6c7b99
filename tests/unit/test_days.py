"""Mails a day."""

from datetime import date, timedelta

from ticket_engine.records import days

TODAY = date(2026, 11, 24)


def test_mails_of_one_day_add_up() -> None:
    text = days.count(days.count("", TODAY, 3), TODAY, 4)
    assert days.series(text, TODAY) == [0] * 13 + [7]


def test_a_day_without_mail_is_nought_and_keeps_its_place() -> None:
    text = days.count(days.count("", TODAY - timedelta(days=2), 5), TODAY, 1)
    assert days.series(text, TODAY)[-3:] == [5, 0, 1]


def test_a_series_moves_on_with_the_day_though_no_mail_comes() -> None:
    text = days.count("", TODAY, 5)
    assert days.series(text, TODAY + timedelta(days=1))[-2:] == [5, 0]
    assert days.series(text, TODAY + timedelta(days=20)) == [0] * 14


def test_the_text_never_grows_beyond_two_weeks() -> None:
    text = ""
    for ago in range(60, -1, -1):
        text = days.count(text, TODAY - timedelta(days=ago), 100_000)
    assert len(text) <= 14 * len("20261124:100000,")
