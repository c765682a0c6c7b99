"""Working with tickets: lists, searches, changes, conflicts and history, in real storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ticket_engine.errors import ConflictError, TicketNotFoundError
from ticket_engine.records import EventKind, Listed, Mailbox, RecordError, Ticket, TicketState
from ticket_engine.store.segments import Shelf
from ticket_engine.tickets import NOT_CLOSED, TicketFilter, TicketPage, listing, work

Mail = Callable[..., bytes]
BY = "Olga Operator"


@pytest.fixture
def tickets(desk: Any, mail: Mail) -> list[Ticket]:
    """Five tickets of one mailbox, newest first."""
    desk.deliver(*(mail(n) for n in range(5)))
    desk.poll()
    found: list[Ticket] = desk.tickets()
    return found


def pages(desk: Any, wanted: TicketFilter, limit: int = 2) -> Iterator[TicketPage]:
    """Every page of a list."""
    after = None
    while True:
        page = desk.engine.ticket_list.page(wanted, after=after, limit=limit)
        yield page
        if page.next is None:
            return
        after = page.next


def whole(desk: Any, **values: str) -> list[Listed]:
    """Every ticket of this mailbox and filter, read in small pages."""
    wanted = TicketFilter.read({"mailbox": desk.id, **values})
    return [each for page in pages(desk, wanted) for each in page.tickets]


def subjects(desk: Any, **values: str) -> list[str]:
    return [each.subject for each in whole(desk, **values)]


def test_a_list_has_every_ticket_of_a_mailbox_once_newest_first(desk: Any, tickets: list[Ticket]) -> None:
    assert [each.id for each in whole(desk)] == [each.id for each in tickets]
    assert [each.id for each in whole(desk, state="not-closed")] == [each.id for each in tickets]


def test_the_list_over_all_mailboxes_is_in_order_and_has_every_ticket_once(
    new_desk: Callable[..., Any], mail: Mail
) -> None:
    desks = [new_desk(), new_desk(), new_desk()]
    for desk in desks:
        desk.connect()
    for number in range(3):
        for desk in desks:
            desk.deliver(mail(number))
            desk.poll()
    work_ = desks[0].engine.tickets
    closed = desks[1].tickets()[1]
    work_.change(desks[1].id, closed.id, by=BY, state="closed")
    since = min(ticket.created_at for desk in desks for ticket in desk.tickets())
    # Other tests' mailboxes are in the same storage.
    ours = {desk.id for desk in desks}
    found = [
        each for page in pages(desks[0], TicketFilter(since=since)) for each in page.tickets if each.mailbox in ours
    ]
    assert [each.id for each in found] == sorted(ticket.id for desk in desks for ticket in desk.tickets())
    assert {each.mailbox for each in found} == ours
    not_closed = pages(desks[0], TicketFilter(since=since, states=NOT_CLOSED))
    left = [each.id for page in not_closed for each in page.tickets if each.mailbox in ours]
    assert left == [each.id for each in found if each.id != closed.id]


def test_filters_by_type_state_assignee_sender_and_date(desk: Any, tickets: list[Ticket], mail: Mail) -> None:
    change = desk.engine.tickets.change
    change(desk.id, tickets[0].id, by=BY, state="pending")
    change(desk.id, tickets[1].id, by=BY, state="closed")
    change(desk.id, tickets[2].id, by=BY, assignee="Zoe@contoso.example")
    desk.deliver(mail(9, From="Grace <grace@navy.example>"))
    desk.poll()
    assert subjects(desk, state="pending") == ["Request 4"]
    assert subjects(desk, state="closed") == ["Request 3"]
    assert subjects(desk, state="pending,closed") == ["Request 4", "Request 3"]
    assert subjects(desk, assignee="zoe@contoso.example") == ["Request 2"]
    assert subjects(desk, sender="NAVY") == ["Request 9"]
    assert subjects(desk, ticket_type="no-such-type") == []
    assert len(subjects(desk, ticket_type=desk.id)) == 6
    today = f"{desk.cloud.clock():%Y-%m-%d}"
    assert len(subjects(desk, since=today, until=today)) == 6
    assert subjects(desk, until=f"{desk.cloud.clock() - timedelta(days=1):%Y-%m-%d}") == []
    moment = tickets[1].created_at
    assert subjects(desk, since=moment.isoformat()) == ["Request 9", "Request 4", "Request 3"]
    assert subjects(desk, until=moment.isoformat()) == ["Request 2", "Request 1", "Request 0"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"state": "opne"}, "state takes new, open, pending, closed, not-closed, any; got 'opne'"),
        ({"since": "yesterday"}, "since takes a day such as 2026-11-24"),
        ({"colour": "red"}, "there is no such filter"),
    ],
)
def test_a_filter_that_cannot_be_read_says_what_it_takes(values: dict[str, str], problem: str) -> None:
    with pytest.raises(RecordError, match=problem):
        TicketFilter.read(values)


@pytest.mark.parametrize("after", ["nonsense", "a", "h0123", "a0123456789AI", "x" * 5000, "a0000000000Z0.5' or 1"])
def test_a_place_in_a_list_that_nobody_gave_out_is_refused(desk: Any, after: str) -> None:
    with pytest.raises(RecordError, match="go back to the first page"):
        desk.engine.ticket_list.page(TicketFilter(), after=after)


def test_a_search_finds_words_in_subject_sender_and_text_whatever_their_case(desk: Any, mail: Mail) -> None:
    desk.deliver(
        mail(1, subject="Straße gesperrt"),
        mail(2, body="The PRINTER on floor\r\nthree is broken."),
        mail(3, From="Wanda <wanda@printers.example>"),
        mail(4, body="printer", subject="Paper"),
    )
    desk.poll()
    assert subjects(desk, text="STRASSE") == ["Straße gesperrt"]
    assert subjects(desk, text="printer") == ["Paper", "Request 3", "Request 2"]
    assert subjects(desk, text="broken printer") == ["Request 2"]
    assert subjects(desk, text="printer nowhere") == []
    assert subjects(desk, text="printer", sender="wanda") == ["Request 3"]
    assert subjects(desk, text="' or 1 eq 1") == []


def test_a_search_finds_the_text_of_a_later_message_and_shows_its_ticket_as_it_is(
    desk: Any, tickets: list[Ticket], mail: Mail
) -> None:
    desk.deliver(mail(7, body="the missing serial number", In_Reply_To="<request-2@fabrikam.example>"))
    desk.poll()
    assert subjects(desk, text="serial") == ["Request 2"]
    desk.engine.tickets.change(desk.id, tickets[2].id, by=BY, state="closed")
    assert subjects(desk, text="serial", state="not-closed") == []
    assert subjects(desk, text="serial", state="closed") == ["Request 2"]


@pytest.mark.parametrize("form", ["{}", "[#{}]", "#{}", " {} "])
def test_a_search_for_a_tickets_code_finds_it(desk: Any, tickets: list[Ticket], form: str) -> None:
    text = form.format(tickets[3].id.lower().replace("0", "O").replace("1", "l"))
    page = desk.engine.ticket_list.page(TicketFilter(text=text))
    assert [each.id for each in page.tickets] == [tickets[3].id]


def test_a_page_reads_a_bounded_number_of_rows_and_the_next_goes_on(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LIST_ROWS", 2)
    monkeypatch.setattr(listing, "SEARCH_ROWS", 2)
    for number in range(7):
        desk.deliver(mail(number))
        desk.poll()
    for wanted in (
        TicketFilter(mailbox=desk.id, sender="ada"),
        TicketFilter(mailbox=desk.id, states=NOT_CLOSED),
        TicketFilter(mailbox=desk.id, text="request"),
    ):
        found = list(pages(desk, wanted, limit=3))
        assert [each.subject for page in found for each in page.tickets] == [f"Request {n}" for n in range(6, -1, -1)]
        assert len(found) >= 3
    nothing = list(pages(desk, TicketFilter(mailbox=desk.id, sender="nobody"), limit=3))
    assert [page.tickets for page in nothing] == [()] * len(nothing)
    assert nothing[0].searched_to is not None
    assert len(nothing) >= 3


def test_a_change_is_in_the_ticket_the_list_and_the_history(desk: Any, tickets: list[Ticket]) -> None:
    desk.engine.tickets.change(
        desk.id, tickets[0].id, by=BY, state="closed", assignee="zoe@contoso.example", note=" Done. "
    )
    view = desk.engine.tickets.get(desk.id, tickets[0].id)
    assert (view.ticket.state, view.ticket.assignee) == (TicketState.CLOSED, "zoe@contoso.example")
    assert [(each.kind, each.old, each.new, each.by) for each in sorted(view.history, key=lambda e: e.kind)] == [
        (EventKind.ASSIGNEE, "lead@contoso.example", "zoe@contoso.example", BY),
        (EventKind.NOTE, "", "Done.", BY),
        (EventKind.STATE, "new", "closed", BY),
    ]
    assert [each.subject for each in view.messages] == ["Request 4"]
    (entry,) = whole(desk, state="closed")
    assert (entry.id, entry.assignee) == (tickets[0].id, "zoe@contoso.example")


def test_the_second_of_two_people_is_told_who_was_first_and_overwrites_nothing(
    desk: Any, tickets: list[Ticket]
) -> None:
    seen = desk.engine.tickets.get(desk.id, tickets[0].id).etag
    desk.engine.tickets.change(desk.id, tickets[0].id, by="Ann", etag=seen, assignee="ann@contoso.example")
    with pytest.raises(ConflictError, match=r"by Ann, at .* look at it again"):
        desk.engine.tickets.change(desk.id, tickets[0].id, by="Ben", etag=seen, assignee="ben@contoso.example")
    assert desk.engine.tickets.get(desk.id, tickets[0].id).ticket.assignee == "ann@contoso.example"


def test_two_people_at_the_very_same_moment_one_is_told(
    desk: Any, tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = desk.engine.tickets.get(desk.id, tickets[0].id).etag
    real = desk.engine.stores.tickets.commit

    def after_ann(*arguments: Any) -> None:
        monkeypatch.setattr(desk.engine.stores.tickets, "commit", real)
        desk.engine.tickets.change(desk.id, tickets[0].id, by="Ann", etag=seen, state="open")
        real(*arguments)

    monkeypatch.setattr(desk.engine.stores.tickets, "commit", after_ann)
    with pytest.raises(ConflictError, match="by Ann"):
        desk.engine.tickets.change(desk.id, tickets[0].id, by="Ben", etag=seen, state="closed")
    assert desk.engine.tickets.get(desk.id, tickets[0].id).ticket.state is TicketState.OPEN


def test_two_notes_at_once_are_both_kept(desk: Any, tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch) -> None:
    real = desk.engine.stores.tickets.commit

    def after_ann(*arguments: Any) -> None:
        monkeypatch.setattr(desk.engine.stores.tickets, "commit", real)
        desk.engine.tickets.note(desk.id, tickets[0].id, "first", by="Ann")
        real(*arguments)

    monkeypatch.setattr(desk.engine.stores.tickets, "commit", after_ann)
    desk.engine.tickets.note(desk.id, tickets[0].id, "second", by="Ben")
    assert [each.new for each in desk.engine.tickets.get(desk.id, tickets[0].id).history] == ["first", "second"]


@pytest.mark.parametrize(
    "change",
    [{"state": "done"}, {"assignee": "nobody"}, {"assignee": "A <a@b.example>"}, {"note": "x" * 10_001}],
    ids=["state", "assignee", "display-name", "note"],
)
def test_a_change_that_is_not_acceptable_says_what_is(desk: Any, tickets: list[Ticket], change: dict[str, str]) -> None:
    with pytest.raises(RecordError, match="takes"):
        desk.engine.tickets.change(desk.id, tickets[0].id, by=BY, **change)
    assert desk.engine.tickets.get(desk.id, tickets[0].id).history == ()


def test_a_ticket_that_is_not_there_is_an_error_that_names_it(desk: Any, tickets: list[Ticket]) -> None:
    for mailbox_id, ticket_id in ((desk.id, "0" * 12), ("another-desk", tickets[0].id)):
        with pytest.raises(TicketNotFoundError, match=ticket_id):
            desk.engine.tickets.get(mailbox_id, ticket_id)


def test_many_tickets_are_closed_at_once_and_those_that_are_gone_are_named(
    desk: Any, tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_BULK", 2)
    desk.engine.tickets.change(desk.id, tickets[4].id, by="Ann", state="closed")
    wanted = [(desk.id, each.id) for each in tickets]
    result = desk.engine.tickets.close([*wanted, (desk.id, "0" * 12)], by=BY, note="Spring cleaning")
    assert result.closed == 4
    assert [each for each, _ in result.failed] == ["0" * 12]
    assert whole(desk, state="not-closed") == []
    assert len(whole(desk, state="closed")) == 5
    assert not dict(desk.engine.stores.segments.read(Shelf.OPEN, mailbox=desk.id))
    notes = [each.new for each in desk.engine.tickets.get(desk.id, tickets[0].id).history if each.kind == "note"]
    assert notes == ["Spring cleaning"]


class KilledError(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.OPEN])
@pytest.mark.parametrize("step", ["put", "delete", "transact", "replace"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_that_dies_never_hides_an_open_ticket_and_the_next_change_mends_the_list(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch, state: TicketState, step: str, when: str
) -> None:
    from ticket_engine.store.rows import Rows

    desk.deliver(mail(1))
    desk.poll()
    (ticket,) = desk.tickets()
    if state is TicketState.OPEN:
        desk.engine.tickets.change(desk.id, ticket.id, by=BY, state="closed")
    real = getattr(Rows, step)

    def dies(*arguments: Any, **options: Any) -> Any:
        if when == "after":
            real(*arguments, **options)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Rows, step, dies)
        try:
            desk.engine.tickets.change(desk.id, ticket.id, by=BY, state=state)
        except KilledError:
            pass
        else:
            assert step == "replace", "a change of state moves the row, and writes the ticket"
    (now,) = desk.tickets()
    if now.state is not TicketState.CLOSED:
        assert [each.id for each in whole(desk, state="not-closed", text="request")] == [ticket.id]
    desk.engine.tickets.change(desk.id, ticket.id, by=BY, state=state)
    in_open = [each.id for each in whole(desk, state="not-closed")]
    assert in_open == ([] if state is TicketState.CLOSED else [ticket.id])
    assert [each.state for each in whole(desk)] == [state]


def test_the_messages_of_merged_tickets_are_read_with_the_ticket_that_goes_on(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    desk.deliver(mail(2))
    desk.poll()
    both = "<request-2@fabrikam.example> <request-1@fabrikam.example>"
    desk.deliver(mail(3, In_Reply_To=both))
    desk.poll()
    younger, older = desk.tickets()
    view = desk.engine.tickets.get(desk.id, older.id)
    assert [each.subject for each in view.messages] == ["Request 1", "Request 2", "Request 3"]
    with pytest.raises(RecordError, match=f"merged into {older.id}"):
        desk.engine.tickets.change(desk.id, younger.id, by=BY, state="open")
    assert [each.id for each in whole(desk, state="not-closed")] == [older.id]


def test_a_long_thread_is_read_from_its_end(desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MESSAGES", 3)
    parent = "<request-0@fabrikam.example>"
    desk.deliver(mail(0), *(mail(n, In_Reply_To=parent) for n in range(1, 7)))
    desk.poll()
    (ticket,) = desk.tickets()
    newest = desk.engine.tickets.get(desk.id, ticket.id)
    assert ({each.subject for each in newest.messages}, newest.earlier) == ({"Request 4", "Request 5", "Request 6"}, 4)
    before = desk.engine.tickets.get(desk.id, ticket.id, before=newest.earlier)
    assert ({each.subject for each in before.messages}, before.earlier) == ({"Request 1", "Request 2", "Request 3"}, 1)


def test_a_reopened_ticket_is_back_in_the_open_list(desk: Any, tickets: list[Ticket], mail: Mail) -> None:
    desk.engine.tickets.close([(desk.id, each.id) for each in tickets], by=BY)
    desk.deliver(mail(8, In_Reply_To="<request-3@fabrikam.example>"))
    desk.poll()
    assert [(each.subject, each.state) for each in whole(desk, state="not-closed")] == [("Request 3", "open")]


def test_a_mailbox_record_is_not_needed_to_read_its_tickets(desk: Any, tickets: list[Ticket]) -> None:
    assert isinstance(desk.mailbox, Mailbox)
    desk.engine.stores.mailboxes._rows.delete("mailbox", desk.id)
    assert len(whole(desk)) == 5
    assert datetime.now(UTC) - tickets[0].created_at < timedelta(days=1)
