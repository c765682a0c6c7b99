"""Mail servers that cut, stall, refuse and throttle, and mailboxes that change during the poll."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from imapclient import IMAPClient

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, ItemNotFoundError
from ticket_engine.intake.trouble import MAX_TRIES
from ticket_engine.mail import imap, pop3
from ticket_engine.records import MessageKind

Desks = Callable[..., Any]
Mail = Callable[..., bytes]
Rule = Callable[..., Any]

POP3 = "POP3 - OAuth"
IMAP = "IMAP - OAuth"
FETCH = {POP3: "^RETR ", IMAP: r"UID FETCH .*BODY\.PEEK\[\]"}


@pytest.fixture
def behind(new_desk: Desks, cloud: DevCloud, mail_proxy: Callable[[int], Any]) -> Callable[..., Any]:
    """Make a connected mailbox whose server is behind a proxy that misbehaves on demand."""

    def make(kind: str, **values: Any) -> tuple[Any, Any]:
        port = cloud.mail.pop3_port if kind == POP3 else cloud.mail.imap_port
        desk = new_desk(type=kind, port=port, **values)
        desk.connect()
        proxy = mail_proxy(port)
        desk.change(port=proxy.port)
        return desk, proxy

    return make


def later(desk: Any) -> Engine:
    """Another worker, after any lease and any wait."""
    return Engine(desk.engine.settings, lambda: desk.cloud.clock() + timedelta(hours=2))


def subjects(desk: Any) -> list[str]:
    return sorted(each.subject for each in desk.messages())


def requests(*numbers: int) -> list[str]:
    return [f"Request {n}" for n in numbers]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *((POP3, state) for state in ("(connect)", "^CAPA", "^AUTH", "^[A-Za-z0-9+/=]{200}", "^STAT", "^LIST")),
        *((POP3, state) for state in ("^UIDL", "^RETR 1", "^RETR 3", "^DELE 1", "^DELE 3", "^QUIT")),
        *((IMAP, state) for state in ("(connect)", " CAPABILITY", " AUTHENTICATE", " SELECT", r"RFC822\.SIZE")),
        *((IMAP, state) for state in (r"BODY\.PEEK\[\]", r"STORE", "EXPUNGE", " LOGOUT")),
    ],
)
@pytest.mark.parametrize(
    "octets", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(300, marks=pytest.mark.long)]
)
def test_a_connection_that_is_cut_in_any_state_loses_and_doubles_nothing(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str, state: str, octets: int
) -> None:
    desk, proxy = behind(kind, after_ingest="delete")
    desk.deliver(*(mail(n) for n in range(4)))
    proxy.rules.append(rule(state, cut=octets))
    desk.poll()
    for _ in range(2):
        assert desk.poll(by=later(desk)).failure is None
    assert proxy.rules[0].times == 0, "the state was never reached"
    assert subjects(desk) == requests(0, 1, 2, 3)
    assert desk.cloud.mail.messages(desk.address) == []


@pytest.mark.parametrize("kind", [POP3, IMAP])
@pytest.mark.parametrize("what", [{"cut": 100}, {"stall": True}], ids=["cut", "stall"])
def test_a_server_that_breaks_in_the_middle_of_a_mail_is_asked_again_in_the_same_poll(
    behind: Callable[..., Any], mail: Mail, rule: Rule, monkeypatch: pytest.MonkeyPatch, kind: str, what: Any
) -> None:
    monkeypatch.setattr(pop3, "TIMEOUT", 1.0)
    monkeypatch.setattr(imap, "TIMEOUT", 1.0)
    desk, proxy = behind(kind)
    desk.deliver(*(mail(n, body="x" * 500) for n in range(4)))
    proxy.rules.append(rule(FETCH[kind], **what))
    result = desk.poll()
    assert (result.messages, result.failure) == (4, None)
    assert proxy.sessions == 2


@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_a_mail_that_breaks_every_session_is_quarantined_and_the_others_come_at_once(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str
) -> None:
    desk, proxy = behind(kind)
    desk.deliver(*(mail(n) for n in range(4)))
    # The second of four, alone or in a set with others.
    bad = "^RETR 2" if kind == POP3 else r"UID FETCH (\d+,)*2(,\d+)* \(BODY"
    proxy.rules.append(rule(bad, times=10**6, cut=0))
    first = desk.poll()
    assert subjects(desk) == requests(0, 2, 3)
    assert (first.failure.code, first.failure.actor) == ("mail-not-delivered", Actor.SERVICE)
    for _ in range(MAX_TRIES - 1):
        assert desk.engine.quarantine.all(desk.id) == []
        last = desk.poll()
    (item,) = desk.engine.quarantine.all(desk.id)
    assert item.tries == MAX_TRIES
    assert item.item in last.failure.sentence
    sessions = proxy.sessions
    assert desk.poll().failure is None
    assert proxy.sessions == sessions + 1, "a quarantined mail is not touched again"


@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_a_mail_that_the_server_refuses_is_quarantined_and_comes_when_it_is_released(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str
) -> None:
    desk, proxy = behind(kind, after_ingest="delete")
    desk.deliver(*(mail(n) for n in range(3)))
    bad, refusal = (
        ("^RETR 1", b"-ERR the message is corrupt\r\n")
        if kind == POP3
        else (r"UID FETCH (\d+,)*1(,\d+)* \(BODY", b"TAG NO the message is corrupt\r\n")
    )
    proxy.rules.append(rule(bad, times=10**6, answer=refusal))
    for _ in range(MAX_TRIES):
        desk.poll()
    assert subjects(desk) == requests(1, 2)
    (item,) = desk.engine.quarantine.all(desk.id)
    assert "corrupt" in item.problem
    assert len(desk.cloud.mail.messages(desk.address)) == 1, "it is still on the server"
    assert desk.engine.stores.states.poll(desk.id)[0].quarantined == 1
    proxy.rules.clear()
    assert desk.poll().mails == 0
    desk.engine.quarantine.release(desk.id, item.item, by="Olive Operator")
    assert desk.poll().messages == 1
    assert desk.engine.quarantine.all(desk.id) == []
    assert desk.engine.stores.states.poll(desk.id)[0].quarantined == 0
    assert desk.cloud.mail.messages(desk.address) == []
    with pytest.raises(ItemNotFoundError, match="look at the list"):
        desk.engine.quarantine.release(desk.id, item.item)


def test_a_server_that_refuses_every_mail_puts_none_aside(behind: Callable[..., Any], mail: Mail, rule: Rule) -> None:
    desk, proxy = behind(POP3)
    desk.deliver(*(mail(n) for n in range(6)))
    proxy.rules.append(rule("^RETR", times=10**6, answer=b"-ERR temporary trouble\r\n"))
    for _ in range(MAX_TRIES + 1):
        assert desk.poll().failure is not None
    assert desk.engine.quarantine.all(desk.id) == []
    proxy.rules.clear()
    assert desk.poll().messages == 6


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (POP3, b"-ERR Session invalidated - AccessTokenExpired\r\n"),
        (IMAP, b"* BYE Session invalidated - AccessTokenExpired\r\n"),
        (IMAP, b"TAG NO AccessTokenExpired\r\n"),
    ],
)
def test_an_access_token_that_ends_in_mid_session_is_replaced_and_the_poll_goes_on(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str, answer: bytes
) -> None:
    desk, proxy = behind(kind)
    desk.deliver(*(mail(n) for n in range(4)))
    before = desk.engine.broker.access_token(desk.mailbox)
    proxy.rules.append(rule(FETCH[kind], answer=answer))
    result = desk.poll()
    assert (result.messages, result.failure) == (4, None)
    assert desk.engine.broker.access_token(desk.mailbox) != before
    assert desk.engine.quarantine.all(desk.id) == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (POP3, b"-ERR Request is throttled. Suggested Backoff Time: 900000 milliseconds\r\n"),
        (IMAP, b"TAG NO Request is throttled. Suggested Backoff Time: 900000 milliseconds\r\n"),
        (IMAP, b"TAG BAD Request is throttled. Suggested Backoff Time: 900000 milliseconds\r\n"),
    ],
)
def test_a_server_that_asks_to_slow_down_is_left_alone_for_as_long_as_it_says(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str, answer: bytes
) -> None:
    desk, proxy = behind(kind)
    desk.deliver(mail(1))
    proxy.rules.append(rule(FETCH[kind], answer=answer))
    assert desk.poll().failure.code == "mail-throttled"
    state = desk.engine.stores.states.poll(desk.id)[0]
    wait = state.next_poll_at - desk.engine.clock()
    assert timedelta(minutes=14) < wait <= timedelta(minutes=15)
    assert desk.id not in desk.engine.poller.due()
    assert proxy.sessions == 1
    assert desk.poll(by=later(desk)).messages == 1


def test_a_wrong_password_of_an_old_kind_is_a_refused_login_that_stores_nothing(
    behind: Callable[..., Any], mail: Mail, rule: Rule
) -> None:
    desk, proxy = behind(POP3)
    desk.deliver(mail(1))
    refusal = b"-ERR Authentication failure: unknown user name or bad password.\r\n"
    proxy.rules.append(rule("^[A-Za-z0-9+/=]{200}", answer=refusal))
    failure = desk.poll().failure
    assert (failure.code, failure.actor) == ("login-refused", Actor.TENANT_ADMIN)
    assert desk.messages() == []
    assert desk.poll(by=later(desk)).messages == 1


@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_mails_that_come_and_go_during_the_poll_are_each_there_once(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str
) -> None:
    desk, proxy = behind(kind)
    desk.deliver(*(mail(n) for n in range(3)))

    def someone_else() -> None:
        desk.deliver(mail(7))
        port = desk.cloud.mail.imap_port
        with IMAPClient("localhost", port, ssl_context=desk.cloud.certificates.context()) as client:
            token = desk.engine.broker._token(desk.mailbox, ["https://outlook.office.com/IMAP.AccessAsUser.All"])
            client.oauth2_login(desk.address, token)
            client.select_folder("INBOX")
            client.add_flags([2], [b"\\Deleted"])
            client.expunge()

    proxy.rules.append(rule(FETCH[kind], call=someone_else))
    desk.poll()
    desk.poll(by=later(desk))
    found = subjects(desk)
    assert set(requests(0, 2, 7)) <= set(found)
    assert len(found) == len(set(found))
    assert desk.engine.stores.states.poll(desk.id)[0].failure is None


@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_a_large_mail_whose_headers_could_not_be_asked_for_is_not_passed_over(
    behind: Callable[..., Any], mail: Mail, rule: Rule, kind: str
) -> None:
    desk, proxy = behind(kind)
    desk.engine.poller._max_message_bytes = 2_000
    desk.deliver(mail(1, body="x" * 5_000), mail(2), mail(3))
    throttled = b"-ERR" if kind == POP3 else b"TAG NO"
    headers = "^TOP" if kind == POP3 else "HEADER"
    proxy.rules.append(rule(headers, answer=throttled + b" Request is throttled.\r\n"))
    assert desk.poll().failure.code == "mail-throttled"
    assert subjects(desk) == requests(2, 3), "what came before the break is kept"
    desk.poll()
    assert subjects(desk) == requests(1, 2, 3)


@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_a_line_of_ten_megabytes_is_a_mail_like_any_other(behind: Callable[..., Any], mail: Mail, kind: str) -> None:
    desk, _ = behind(kind)
    raw = mail(1, body="x" * 10_000_000)
    desk.deliver(raw, mail(2))
    assert desk.poll().messages == 2
    (message,) = [each for each in desk.messages() if each.subject == "Request 1"]
    assert message.kind is MessageKind.PARSED
    assert desk.engine.stores.archive.read(message.archive, message.entry) == raw


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [POP3, IMAP])
def test_a_mailbox_of_fifty_thousand_mails_is_looked_at_in_one_poll(
    new_desk: Desks, mail: Mail, cloud: DevCloud, kind: str
) -> None:
    port = cloud.mail.pop3_port if kind == POP3 else cloud.mail.imap_port
    desk = new_desk(type=kind, port=port, backlog="from now on")
    cloud.mail.deliver_copies(desk.address, mail(1), 50_000)
    assert desk.connect().mails == 50_000
    desk.deliver(mail(2))
    assert desk.poll().messages == 1
    assert desk.poll().mails == 0
    assert subjects(desk) == ["Request 2"]
