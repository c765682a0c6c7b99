"""Reading, recognising and paging mails: values in, values out."""

import threading
from datetime import timedelta

from devcloud.samples import samples
from ticket_engine.intake.commit import Incoming, archive_name, zipped
from ticket_engine.intake.fingerprint import message_key
from ticket_engine.intake.ingest import PAGE_BYTES, PAGE_MESSAGES, pages
from ticket_engine.intake.poll import backoff
from ticket_engine.intake.room import Room
from ticket_engine.mail import Item
from ticket_engine.mime import parse

SAMPLES = {each.name: each.raw for each in samples()}


def items(count: int, size: int = 100) -> list[Item]:
    return [Item(f"uidl-{n}", n, size) for n in range(1, count + 1)]


def test_the_key_ignores_how_lines_end_and_sees_any_other_difference() -> None:
    identity = (b"date", b"from", b"subject")
    key = message_key("<a@x>", identity, b"one\r\ntwo\r\n")
    assert key == message_key("<a@x>", identity, b"one\ntwo")
    others = [
        message_key("<b@x>", identity, b"one\ntwo"),
        message_key("<a@x>", (b"date", b"from", b"other"), b"one\ntwo"),
        message_key("<a@x>", identity, b"one\nthree"),
        message_key("", identity, b"one\ntwo"),
    ]
    assert len({key, *others}) == 5
    assert key.startswith(others[2].partition("-")[0])


def test_pages_are_bounded_by_count_and_size() -> None:
    assert [len(page) for page in pages(items(250), 10**9)] == [PAGE_MESSAGES, PAGE_MESSAGES, 250 - 2 * PAGE_MESSAGES]
    large = items(3, PAGE_BYTES // 2 + 1)
    assert [len(page) for page in pages(large, 10**9)] == [1, 1, 1]
    assert [len(page) for page in pages(large, 1_000)] == [3], "what is not fetched weighs nothing"
    assert list(pages([], 1)) == []


def test_the_wait_after_failures_doubles_up_to_an_hour() -> None:
    assert [backoff(n) for n in (1, 2, 3)] == [timedelta(minutes=n) for n in (1, 2, 4)]
    assert backoff(50) == timedelta(hours=1)


def test_the_same_page_is_the_same_archive_and_another_page_is_another_one() -> None:
    page = {name: Incoming(Item(name, 1, 1), raw, parse(raw)) for name, raw in SAMPLES.items()}
    assert zipped(page) == zipped(page)
    fewer = list(page)[:-1]
    assert archive_name(list(page)) != archive_name(fewer)


def test_room_for_mails_is_waited_for_and_one_mail_always_fits() -> None:
    room, order = Room(100), []
    room.take(500)

    def waits() -> None:
        room.take(60)
        order.append("taken")

    thread = threading.Thread(target=waits)
    thread.start()
    order.append("given")
    room.give(500)
    thread.join(timeout=10)
    assert order == ["given", "taken"]
    room.take(40)
    room.give(100)
