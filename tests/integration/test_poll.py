"""Polls over POP3 from a real mail server into real storage."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from devcloud.samples import samples
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor
from ticket_engine.intake import ingest as ingest_module
from ticket_engine.records import Mailbox, MessageKind, TicketState, days
from ticket_engine.store.segments import Shelf
from ticket_engine.store.transactions import TransactionConflictError

Desks = Callable[..., Any]
Mail = Callable[..., bytes]


class KilledError(BaseException):
    """The process dies here."""


def listed(desk: Any) -> list[str]:
    """The ids of the mailbox's tickets in the index."""
    found = [dict(desk.engine.stores.segments.read(shelf, mailbox=desk.id)).values() for shelf in Shelf]
    return sorted(ticket.id for segments in found for segment in segments for ticket in segment.listed())


def test_a_mailboxs_row_that_can_not_be_read_stops_no_other_and_shows_in_health(new_desk: Any) -> None:
    broken = new_desk()
    desk = new_desk(broken.application)
    for each in (broken, desk):
        each.connect()
    table, sound = desk.engine.stores.mailboxes, broken.mailbox
    table._rows.put(Mailbox.model_construct(**{**dict(sound), "port": 70_000, "host": "?"}), "mailbox", broken.id)
    try:
        assert [each.id for each in table.all() if each.id in (broken.id, desk.id)] == [desk.id]
        assert desk.id in desk.engine.poller.due()
        assert broken.id not in desk.engine.poller.due()
        desk.engine.broker.rotations_due()
        health = {each.mailbox_id: each for each in desk.engine.health.mailboxes()}
        assert health[desk.id].ok
        assert (health[broken.id].ok, health[broken.id].actor) == (False, "operator")
        assert "(host, port)" in health[broken.id].sentence
    finally:
        table.put(sound)
    assert table.unreadable() == {}


def test_each_new_mail_becomes_a_ticket_by_the_ticket_type(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1), mail(2))
    result = desk.poll()
    assert (result.mails, result.tickets, result.messages) == (2, 2, 2)
    newest, oldest = desk.tickets()
    assert (newest.subject, oldest.subject) == ("Request 2", "Request 1")
    assert {each.assignee for each in desk.tickets()} == {"lead@contoso.example"}


def test_polling_again_doubles_nothing(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    assert desk.poll().mails == 0
    desk.deliver(mail(2))
    assert desk.poll().messages == 1
    assert len(desk.messages()) == 2


def test_the_raw_mail_is_kept_byte_for_byte(desk: Any, mail: Mail) -> None:
    raw = mail(1, body="..dots\r\n.\r\nand an end")
    desk.deliver(raw)
    desk.poll()
    (message,) = desk.messages()
    assert desk.engine.stores.archive.read(message.archive, message.entry) == raw


def test_every_sample_becomes_a_message(desk: Any) -> None:
    desk.deliver(*(sample.raw for sample in samples()))
    result = desk.poll()
    assert result.failure is None
    assert (len(desk.messages()), len(desk.tickets())) == (len(samples()), len(samples()) - 1)
    stored = {desk.engine.stores.archive.read(each.archive, each.entry) for each in desk.messages()}
    assert stored == {sample.raw for sample in samples()}


def test_a_reply_joins_its_ticket_and_reopens_it_when_closed(desk: Any, mail: Mail) -> None:
    from dataclasses import replace

    desk.deliver(mail(1))
    desk.poll()
    (ticket,) = desk.tickets()
    rows = desk.engine.stores.tickets._rows
    rows.put(replace(ticket, state=TicketState.CLOSED), desk.id, f"T{ticket.id}")
    desk.deliver(mail(2, References="<request-1@fabrikam.example>"))
    assert desk.poll().tickets == 0
    (ticket,) = desk.tickets()
    assert (ticket.messages, ticket.state) == (2, TicketState.OPEN)


def test_a_thread_longer_than_a_page_is_one_ticket(desk: Any, mail: Mail) -> None:
    count = ingest_module.PAGE_MESSAGES + 20
    desk.deliver(mail(0))
    desk.deliver(*(mail(n, In_Reply_To=f"<request-{n - 1}@fabrikam.example>") for n in range(1, count)))
    result = desk.poll()
    assert (result.tickets, result.messages) == (1, count)
    assert desk.tickets()[0].messages == count


@pytest.mark.parametrize(
    ("adapter", "method"),
    [
        ("archive", "put"),
        ("segments", "add"),
        ("tickets", "commit"),
        ("states", "save_poll"),
        ("journal", "add"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("after_ingest", ["keep", "delete"])
def test_a_poll_that_is_killed_around_a_write_loses_and_doubles_nothing(  # noqa: PLR0917
    desk: Any,
    mail: Mail,
    monkeypatch: pytest.MonkeyPatch,
    cloud: DevCloud,
    adapter: str,
    method: str,
    when: str,
    after_ingest: str,
) -> None:
    desk.change(after_ingest=after_ingest)
    desk.deliver(*(mail(n) for n in range(5)))
    store = getattr(desk.engine.stores, adapter)
    real, calls = getattr(store, method), []

    def dies(*arguments: Any, **options: Any) -> Any:
        calls.append(method)
        # The first state write is the lease; the checkpoint is the second.
        fatal = len(calls) == (2 if method == "save_poll" else 1)
        if fatal and when == "before":
            raise KilledError
        answer = real(*arguments, **options)
        if fatal:
            raise KilledError
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(store, method, dies)
        with pytest.raises(KilledError):
            desk.poll()
    other = Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(minutes=30))
    desk.poll(by=other)
    desk.poll(by=other)
    assert sorted(each.subject for each in desk.messages()) == [f"Request {n}" for n in range(5)]
    assert len(desk.tickets()) == 5
    assert listed(desk) == sorted(each.id for each in desk.tickets())
    assert len(cloud.mail.messages(desk.address)) == (5 if after_ingest == "keep" else 0)


def test_a_page_whose_first_half_was_committed_is_completed(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch, cloud: DevCloud
) -> None:
    desk.deliver(*(mail(n) for n in range(80)))
    real, calls = desk.engine.stores.tickets.commit, []

    def dies_at_the_second(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KilledError
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(desk.engine.stores.tickets, "commit", dies_at_the_second)
        with pytest.raises(KilledError):
            desk.poll()
    assert 0 < len(desk.messages()) < 80
    desk.poll(by=Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(minutes=30)))
    assert (len(desk.messages()), len(desk.tickets())) == (80, 80)
    assert listed(desk) == sorted(each.id for each in desk.tickets())


def test_a_commit_whose_answer_was_lost_is_done_once_and_listed(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver(mail(1), mail(2))
    real = desk.engine.stores.tickets.commit

    def answer_lost(*arguments: Any) -> None:
        real(*arguments)
        raise TransactionConflictError("the retry met its own rows")

    monkeypatch.setattr(desk.engine.stores.tickets, "commit", answer_lost)
    assert desk.poll().tickets == 2
    assert listed(desk) == sorted(each.id for each in desk.tickets())


def test_a_ticket_id_that_is_taken_gets_another_one(desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deliver(mail(1))
    real, calls = desk.engine.stores.tickets.commit, []

    def conflicts_once(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise TransactionConflictError("the ticket's id is taken")
        real(*arguments)

    monkeypatch.setattr(desk.engine.stores.tickets, "commit", conflicts_once)
    assert desk.poll().messages == 1
    assert len(desk.tickets()) == 1


def test_the_same_mail_delivered_twice_is_one_message_and_two_with_one_message_id_are_two(
    desk: Any, mail: Mail
) -> None:
    desk.deliver(mail(1), mail(1), mail(1, body="another text"))
    desk.poll()
    assert len(desk.messages()) == 2


def test_a_mail_without_message_id_becomes_a_ticket(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1, Message_ID=""), mail(2, Message_ID=""))
    assert desk.poll().tickets == 2


def test_an_oversize_mail_becomes_a_ticket_from_its_headers_and_stays(desk: Any, mail: Mail, cloud: DevCloud) -> None:
    desk.change(after_ingest="delete")
    desk.engine.poller._max_message_bytes = 2_000
    desk.deliver(mail(1, body="x" * 5_000), mail(2))
    desk.poll()
    kinds = {each.subject: each.kind for each in desk.messages()}
    assert kinds == {"Request 1": MessageKind.OVERSIZE, "Request 2": MessageKind.PARSED}
    assert len(cloud.mail.messages(desk.address)) == 1
    # A limit that was raised since must not make the next poll settle what was never stored whole.
    desk.engine.poller._max_message_bytes = 50_000
    assert desk.poll().mails == 0
    assert len(cloud.mail.messages(desk.address)) == 1


def test_a_poll_that_runs_out_of_time_stops_at_a_page_and_asks_for_more(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "PAGE_MESSAGES", 2)
    desk.deliver(*(mail(n) for n in range(5)))
    desk.engine.poller._time_budget = timedelta()
    rounds = 1
    while desk.poll().more:
        rounds += 1
    assert rounds == 3
    assert len(desk.messages()) == 5


def test_a_mailbox_without_a_ticket_type_stores_nothing_and_says_so(new_desk: Desks, mail: Mail) -> None:
    desk = new_desk(ticket_type=False)
    desk.connect()
    desk.deliver(mail(1))
    result = desk.poll()
    assert result.failure.code == "no-ticket-type"
    assert result.failure.actor is Actor.OPERATOR
    assert desk.messages() == []
    assert desk.engine.stores.states.poll(desk.id)[0].failure.code == "no-ticket-type"
    desk.add_ticket_type()
    assert desk.poll().messages == 1


def test_an_unreachable_mail_server_backs_off_and_leaves_other_mailboxes_alone(
    new_desk: Desks, desk: Any, mail: Mail
) -> None:
    broken = new_desk()
    broken.connect()
    broken.change(port=1)
    desk.deliver(mail(1))
    assert broken.poll().failure.code == "mail-unreachable"
    assert desk.poll().messages == 1
    state = broken.engine.stores.states.poll(broken.id)[0]
    assert state.next_poll_at is not None
    assert state.lease_holder is None
    assert broken.id not in broken.engine.poller.due()
    assert desk.id in desk.engine.poller.due()


def test_a_certificate_that_cannot_be_verified_names_the_operator(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.engine.broker.access_token(desk.mailbox)
    monkeypatch.delenv("SSL_CERT_FILE")
    failure = desk.poll().failure
    assert (failure.code, failure.actor) == ("mail-certificate", Actor.OPERATOR)


def test_a_paused_mailbox_is_not_polled(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.change(paused=True)
    assert desk.id not in desk.engine.poller.due()
    assert desk.poll().skipped
    assert desk.messages() == []


def test_two_workers_on_one_mailbox_poll_it_once(desk: Any, mail: Mail) -> None:
    from ticket_engine.intake.lease import Lease

    desk.deliver(mail(1))
    lease = Lease(desk.engine.stores.states, desk.id, desk.engine.clock, timedelta(minutes=5))
    lease.read()
    lease.take()
    assert "Another worker" in desk.poll().skipped
    lease.release()
    assert desk.poll().messages == 1


def test_a_state_write_whose_answer_was_lost_does_not_lose_the_lease(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ticket_engine.errors import ConflictError, Reaction

    desk.deliver(mail(1))
    real, calls = desk.engine.stores.states.save_poll, []

    def answer_lost(*arguments: Any) -> str:
        calls.append(arguments)
        etag = str(real(*arguments))
        if len(calls) == 2:
            raise ConflictError(Reaction(Actor.SERVICE, "changed", "the retry met its own write"))
        return etag

    monkeypatch.setattr(desk.engine.stores.states, "save_poll", answer_lost)
    result = desk.poll()
    assert (result.messages, result.skipped) == (1, "")


def test_a_mailbox_that_does_not_exist_is_an_error_that_names_it(engine: Any) -> None:
    from ticket_engine.errors import MailboxNotFoundError

    with pytest.raises(MailboxNotFoundError, match="no-such-mailbox"):
        engine.poller.poll("no-such-mailbox")


def test_deleting_mails_leaves_none_on_the_server(desk: Any, mail: Mail, cloud: DevCloud) -> None:
    desk.change(after_ingest="delete")
    desk.deliver(mail(1), mail(2))
    desk.poll()
    assert cloud.mail.messages(desk.address) == []
    assert len(desk.messages()) == 2


def test_an_error_nobody_foresaw_stays_with_its_mailbox(desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deliver(mail(1))
    with monkeypatch.context() as patch:
        patch.setattr(desk.engine.stores.ticket_types, "of", lambda _: 1 / 0)
        failure = desk.poll().failure
    assert failure.code == "unexpected"
    assert desk.poll().messages == 1


def test_a_poll_counts_the_day_s_mails_and_remembers_the_last(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1), mail(2))
    desk.poll()
    desk.deliver(mail(3))
    desk.poll()
    state = desk.engine.stores.states.all_polls()[desk.id]
    now = desk.engine.clock()
    assert days.series(state.mails_by_day, now.date())[-1] == 3
    assert state.last_mail_at <= now
