"""Segments of the index: what they hold, find and forget."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ticket_engine.records import Listed, Message, MessageKind, Segment, TicketState, created_at, ticket_id
from ticket_engine.store.entities import from_entity, to_entity

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROW = 1024**2


def message(number: int, text: str, ticket: str = "") -> Message:
    return Message(
        key=f"M{number:020}-{number:024}",
        ticket=ticket or ticket_id("desk", NOW + timedelta(milliseconds=number)),
        kind=MessageKind.PARSED,
        message_id="",
        subject=f"Subject {number}",
        sender="Ada <ada@fabrikam.example>",
        recipients="",
        received_at=NOW,
        size=1,
        archive="",
        entry="",
        source_item="",
        text=text,
    )


def listed(number: int, state: TicketState = TicketState.NEW, subject: str = "Subject") -> Listed:
    at = NOW + timedelta(milliseconds=number)
    return Listed(ticket_id("desk", at), "desk", "type", subject, "Ada <ada@fabrikam.example>", state, "a@b.example")


def test_a_segment_comes_back_from_its_row_as_it_was() -> None:
    tickets = [listed(2), listed(1, TicketState.CLOSED)]
    segment = Segment.of("desk", tickets, [message(1, "one"), message(2, "two")])
    assert from_entity(Segment, to_entity(segment, "open", "key")) == segment
    assert segment.listed() == tickets
    assert segment.open
    assert not segment.with_tickets([replace(tickets[0], state=TicketState.CLOSED)]).open


def test_a_segment_finds_and_forgets_texts_by_message_and_by_ticket() -> None:
    tickets = [listed(1), listed(2)]
    segment = Segment.of(
        "desk", tickets, [message(1, "Red APPLE"), message(2, "red pear"), message(3, "red", tickets[0].id)]
    )
    assert segment.hits(["red"]) == [tickets[0].id, tickets[1].id, tickets[0].id]
    assert segment.hits(["apple", "red"]) == [tickets[0].id]
    assert segment.without(messages=[message(1, "").key]).hits(["red"]) == [tickets[1].id, tickets[0].id]
    left = segment.without(tickets=[tickets[0].id])
    assert (left.hits(["red"]), left.listed()) == ([tickets[1].id], [tickets[1]])
    assert left.without(tickets=[tickets[1].id]).empty
    assert segment.with_text(message(2, "").key, message(2, "green pear")).hits(["green"]) == [tickets[1].id]


@pytest.mark.parametrize("separator", ["\x1e", "\x1f", "\x1e\x1f\x1e"])
def test_a_text_with_the_separators_stays_one_text(separator: str) -> None:
    segment = Segment.of("desk", [listed(1)], [message(1, f"before{separator}after{separator}")])
    assert segment.hits(["before", "after"]) == [listed(1).id]


def test_a_page_of_noise_fits_a_row_and_its_beginnings_are_found() -> None:
    chance = random.Random(1)

    def noise(length: int) -> str:
        return "".join(chr(chance.randrange(0x20000, 0xE0000)) for _ in range(length))

    tickets = [replace(listed(number, subject=noise(500)), sender=noise(500)) for number in range(99)]
    messages = [message(number, f"needle{number:03} {noise(2_000)}") for number in range(99)]
    messages = [
        replace(each, sender=noise(500), subject=f"word{number:03} {noise(480)}")
        for number, each in enumerate(messages)
    ]
    segment = Segment.of("desk", tickets, messages)
    assert max(len(segment.tickets), len(segment.texts)) < ROW / 2
    assert segment.hits(["word042"]) == [tickets[42].id]


def test_ids_count_down_from_the_moment_that_they_carry() -> None:
    moments = [NOW + timedelta(milliseconds=number) for number in (0, 1, 999, 86_400_000)]
    ids = [ticket_id("desk", each) for each in moments]
    assert sorted(ids, reverse=True) == ids
    assert [created_at(each) for each in ids] == moments
    for wrong in ("", "0" * 11, "0" * 13, "0123456789AI", "0123456789a0"):
        with pytest.raises(ValueError, match="is no ticket's id"):
            created_at(wrong)
