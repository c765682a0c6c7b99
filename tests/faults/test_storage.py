"""Storage that fails, lies and loses answers; workers that race; clocks that jump."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from ticket_engine.engine import Engine
from ticket_engine.errors import StorageUnavailableError
from ticket_engine.records import MessageKind
from ticket_engine.store import clients

Mail = Callable[..., bytes]
Send = Callable[..., requests.Response]
Broken = Callable[[Send, requests.Session, requests.PreparedRequest, dict[str, Any]], requests.Response]

ALWAYS = 10**6


def later(desk: Any) -> Engine:
    """Another worker, after any lease and any wait."""
    return Engine(desk.engine.settings, lambda: desk.cloud.clock() + timedelta(hours=2))


def answering(status: int, body: bytes = b"", kind: str = "application/json") -> Broken:
    """Answer instead of the service."""

    def broken(
        send: Send, session: requests.Session, request: requests.PreparedRequest, options: dict[str, Any]
    ) -> requests.Response:
        del send, session, options
        response = requests.Response()
        response.status_code = status
        response.headers["Content-Type"] = kind
        response.raw = io.BytesIO(body)
        response.request = request
        response.url = str(request.url)
        return response

    return broken


def losing(
    send: Send, session: requests.Session, request: requests.PreparedRequest, options: dict[str, Any]
) -> requests.Response:
    """Let the service do it, and lose its answer."""
    send(session, request, **options)
    raise requests.exceptions.ReadTimeout("the answer was lost")


def unreachable(
    send: Send, session: requests.Session, request: requests.PreparedRequest, options: dict[str, Any]
) -> requests.Response:
    """Never reach the service."""
    del send, session, request, options
    raise requests.exceptions.ConnectionError("no route")


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Break requests whose method and address contain these, from the nth on, so many times; those it broke."""
    monkeypatch.setitem(clients._PATIENCE, "retry_backoff_factor", 0.01)
    monkeypatch.setitem(clients._BLOB_PATIENCE, "initial_backoff", 0)
    monkeypatch.setitem(clients._BLOB_PATIENCE, "increment_base", 0)
    monkeypatch.setitem(clients._BLOB_PATIENCE, "random_jitter_range", 0.01)
    send = requests.Session.send

    def install(method: str, part: str, how: Broken, *, first: int = 1, times: int = 1, body: bytes = b"") -> list[str]:
        hits: list[str] = []
        seen = [0]

        def sending(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            there = body in (request.body if isinstance(request.body, bytes) else b"")
            if request.method == method and part in str(request.url) and there:
                seen[0] += 1
                if first <= seen[0] < first + times:
                    hits.append(f"{method} {part}")
                    return how(send, session, request, options)
            return send(session, request, **options)

        monkeypatch.setattr(requests.Session, "send", sending)
        return hits

    return install


def fresh(desk: Any) -> Engine:
    """A worker whose clients are made after the faults were set up."""
    return Engine(desk.engine.settings, desk.cloud.clock)


def complete(desk: Any, count: int) -> bool:
    """Whether each mail is one message, and its raw bytes are there."""
    found = desk.messages()
    read = {desk.engine.stores.archive.read(each.archive, each.entry) for each in found}
    return len(found) == len(read) == count


@pytest.mark.parametrize(("method", "part"), [("PUT", "/mail/"), ("POST", "$batch"), ("PUT", "MailboxStates")])
@pytest.mark.parametrize("how", [answering(503), losing, unreachable], ids=["503", "answer lost", "unreachable"])
def test_storage_that_fails_for_a_moment_is_asked_again_and_nothing_is_doubled(
    desk: Any, mail: Mail, breaks: Callable[..., list[str]], method: str, part: str, how: Broken
) -> None:
    desk.deliver(*(mail(n) for n in range(5)))
    hits = breaks(method, part, how)
    desk.poll(by=fresh(desk))
    desk.poll(by=later(desk))
    assert hits
    assert complete(desk, 5)


@pytest.mark.parametrize(("method", "part"), [("PUT", "/mail/"), ("POST", "$batch"), ("PUT", "MailboxStates")])
def test_storage_that_stays_away_fails_the_poll_and_the_next_one_completes_it(
    desk: Any, mail: Mail, breaks: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, method: str, part: str
) -> None:
    desk.change(after_ingest="delete")
    desk.deliver(*(mail(n) for n in range(5)))
    with monkeypatch.context():
        # Where the state itself can't be written, the first write is the lease.
        breaks(method, part, answering(503), first=2 if part == "MailboxStates" else 1, times=ALWAYS)
        result = desk.poll(by=fresh(desk))
    assert result.failure.code == "storage-unavailable"
    assert len(desk.cloud.mail.messages(desk.address)) == 5, "nothing was stored, so nothing may be deleted"
    monkeypatch.undo()
    desk.cloud.join()
    assert desk.poll(by=later(desk)).failure is None
    assert complete(desk, 5)
    assert desk.cloud.mail.messages(desk.address) == []


def test_a_mailbox_whose_record_cannot_be_read_is_delivered_again_by_the_queue(
    desk: Any, breaks: Callable[..., list[str]]
) -> None:
    breaks("GET", "Mailboxes(", unreachable, times=ALWAYS)
    with pytest.raises(StorageUnavailableError):
        desk.poll(by=fresh(desk))


def test_a_state_that_someone_else_changed_meanwhile_ends_the_poll_without_a_failure(
    desk: Any, mail: Mail, breaks: Callable[..., list[str]]
) -> None:
    desk.deliver(mail(1), mail(2))
    changed = b'{"odata.error":{"code":"UpdateConditionNotSatisfied","message":{"lang":"en-US","value":"changed"}}}'
    hits = breaks("PUT", "MailboxStates", answering(412, changed))
    assert "Another worker" in desk.poll(by=fresh(desk)).skipped
    assert hits
    assert desk.poll().messages == 2
    assert complete(desk, 2)


def test_rows_that_conflict_without_being_there_are_planned_anew(
    desk: Any, mail: Mail, breaks: Callable[..., list[str]]
) -> None:
    desk.deliver(*(mail(n) for n in range(3)))
    conflict = b'HTTP/1.1 409 Conflict\r\n\r\n{"odata.error":{"code":"EntityAlreadyExists"}}'
    hits = breaks("POST", "$batch", answering(202, conflict, "multipart/mixed; boundary=x"), times=2)
    assert desk.poll(by=fresh(desk)).messages == 3
    assert len(hits) == 2
    assert complete(desk, 3)


def test_a_mail_whose_content_storage_refuses_is_filed_by_its_raw_bytes_and_the_others_as_usual(
    desk: Any, mail: Mail, breaks: Callable[..., list[str]]
) -> None:
    desk.deliver(mail(1), mail(2, subject="Indigestible"), mail(3))
    refused = b'HTTP/1.1 400 Bad Request\r\n\r\n{"odata.error":{"code":"InvalidInput"}}'
    breaks("POST", "$batch", answering(202, refused, "multipart/mixed; boundary=x"), times=ALWAYS, body=b"Indigestible")
    result = desk.poll(by=fresh(desk))
    assert (result.messages, result.failure) == (3, None)
    kinds = sorted(each.kind for each in desk.messages())
    assert kinds == [MessageKind.PARSED, MessageKind.PARSED, MessageKind.UNPARSED]
    assert complete(desk, 3)


def test_a_mail_that_breaks_the_filing_itself_does_not_stop_the_others(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ticket_engine.intake import plan

    real = plan.Planner._conversation

    def breaking(self: Any, thread: Any, incoming: Any, *arguments: Any, **options: Any) -> Any:
        if any(incoming[key].parsed.subject == "Request 2" for key in thread.keys):
            raise RecursionError
        return real(self, thread, incoming, *arguments, **options)

    monkeypatch.setattr(plan.Planner, "_conversation", breaking)
    desk.deliver(mail(1), mail(2), mail(3))
    assert desk.poll().failure is None
    assert sorted(each.subject for each in desk.messages()) == ["", "Request 1", "Request 3"]


def test_two_workers_that_start_at_once_file_each_mail_once(desk: Any, mail: Mail) -> None:
    desk.deliver(*(mail(n) for n in range(20)))
    start, results = threading.Barrier(4), []

    def work() -> None:
        worker = fresh(desk)
        worker.broker.access_token(desk.mailbox)
        start.wait()
        results.append(desk.poll(by=worker))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each.failure for each in results] == [None] * 4
    assert sum(each.messages for each in results) == 20
    assert complete(desk, 20)


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(days=1)], ids=["back", "ahead"])
def test_a_clock_that_jumps_by_a_day_stops_no_mailbox(desk: Any, mail: Mail, jump: timedelta) -> None:
    from ticket_engine.intake.lease import Lease

    clock = desk.cloud.clock
    desk.deliver(mail(1))
    desk.poll()
    # A worker with this clock dies with the lease in hand, after a failure that makes the mailbox wait.
    dead = Lease(desk.engine.stores.states, desk.id, lambda: clock() - jump, timedelta(minutes=5))
    dead.read()
    dead.take()
    dead.save(next_poll_at=clock() - jump + timedelta(hours=1))
    assert desk.id in desk.engine.poller.due()
    desk.deliver(mail(2))
    assert desk.poll().messages == 1
    assert complete(desk, 2)


def test_a_mail_that_kills_its_workers_is_found_and_put_aside(desk: Any, mail: Mail, victim: Any) -> None:
    desk.deliver(*(mail(n) for n in range(4)))
    for _ in range(2):
        # It dies while it commits, whatever is in the page.
        assert victim.poll(desk.id, "blob PUT mail #1", "before")["code"] == 9
        desk.cloud.clock.advance(timedelta(minutes=15))
    # Now mails are taken one by one, and the first one is the one that kills.
    assert victim.poll(desk.id, "blob PUT mail #1", "before")["code"] == 9
    desk.cloud.clock.advance(timedelta(minutes=15))
    assert desk.poll().messages == 3
    (item,) = desk.engine.quarantine.all(desk.id)
    assert "died" in item.problem
    assert desk.engine.stores.states.poll(desk.id)[0].crashes == 0
