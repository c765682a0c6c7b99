"""Polls over IMAP from a real mail server, with a person who uses the same mailbox meanwhile."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from imapclient import IMAPClient

from devcloud.cloud import DevCloud
from ticket_engine.errors import Actor
from ticket_engine.intake import ingest as ingest_module
from ticket_engine.mail import imap as imap_module
from ticket_engine.records import MessageKind

Desks = Callable[..., Any]
Mail = Callable[..., bytes]


@pytest.fixture
def imap_desk(new_desk: Desks, cloud: DevCloud) -> Desks:
    """Make a connected mailbox that is read over IMAP."""

    def make(**values: Any) -> Any:
        desk = new_desk(type="IMAP - OAuth", port=cloud.mail.imap_port, **values)
        desk.connect()
        return desk

    return make


@contextlib.contextmanager
def person(desk: Any, folder: str = "INBOX") -> Iterator[IMAPClient]:
    """Someone who has the mailbox open in a mail program."""
    with IMAPClient("localhost", desk.mailbox.port, ssl_context=desk.cloud.certificates.context()) as client:
        client.oauth2_login(desk.address, desk.engine.broker.access_token(desk.mailbox))
        client.select_folder(folder)
        yield client


def subjects(desk: Any) -> list[str]:
    return sorted(each.subject for each in desk.messages())


def test_each_new_mail_becomes_a_ticket_once_and_is_not_marked_read(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    desk.deliver(mail(1), mail(2))
    assert desk.poll().tickets == 2
    assert desk.poll().mails == 0
    desk.deliver(mail(3))
    assert desk.poll().tickets == 1
    with person(desk) as client:
        assert client.search("UNSEEN") == [1, 2, 3]


def test_the_raw_mail_is_the_same_as_over_pop3(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    raw = mail(1, body="..dots\r\n.\r\nand an end")
    desk.deliver(raw)
    desk.poll()
    (message,) = desk.messages()
    assert desk.engine.stores.archive.read(message.archive, message.entry) == raw


def test_a_mail_that_a_person_has_read_is_still_ingested(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    desk.deliver(mail(1))
    with person(desk) as client:
        client.add_flags([1], [b"\\Seen"])
    assert desk.poll().messages == 1


def test_a_mail_that_a_person_moves_away_and_back_is_not_doubled(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    desk.deliver(mail(1), mail(2))
    desk.poll()
    with person(desk) as client:
        client.create_folder("Aside")
        client.move([1], "Aside")
    with person(desk, "Aside") as client:
        client.move([1], "INBOX")
    desk.poll()
    assert subjects(desk) == ["Request 1", "Request 2"]


def test_ingested_mails_are_marked_read(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk(after_ingest="mark read")
    desk.deliver(mail(1), mail(2))
    desk.poll()
    with person(desk) as client:
        assert client.search("UNSEEN") == []
        client.remove_flags([1], [b"\\Seen"])
    desk.poll()
    with person(desk) as client:
        assert client.search("UNSEEN") == [1], "what a person marks as unread stays so"


@pytest.mark.parametrize("capabilities", [True, False], ids=["MOVE", "COPY and EXPUNGE"])
def test_ingested_mails_are_moved_to_a_folder_that_is_made_when_missing(
    imap_desk: Desks, mail: Mail, monkeypatch: pytest.MonkeyPatch, capabilities: bool
) -> None:
    if not capabilities:
        real = IMAPClient.has_capability
        monkeypatch.setattr(IMAPClient, "has_capability", lambda self, name: name != "MOVE" and real(self, name))
    desk = imap_desk(after_ingest="move", move_to="Support/Done")
    desk.deliver(mail(1), mail(2))
    assert desk.poll().messages == 2
    with person(desk) as client:
        assert client.search() == []
    with person(desk, "Support/Done") as client:
        assert len(client.search()) == 2


def test_ingested_mails_are_deleted_and_what_a_person_marked_stays(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    desk.deliver(mail(1))
    desk.poll()
    with person(desk) as client:
        client.add_flags([1], [b"\\Deleted"])
    desk.change(after_ingest="delete")
    desk.deliver(mail(2))
    desk.poll()
    with person(desk) as client:
        assert client.search() == [1]


def test_another_folder_than_the_inbox_can_be_read(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    with person(desk) as client:
        client.create_folder("Bestellungen/Süd")
        client.append("Bestellungen/Süd", mail(1))
    desk.change(folder="Bestellungen/Süd")
    desk.deliver(mail(2))
    desk.poll()
    assert subjects(desk) == ["Request 1"]


def test_a_folder_that_does_not_exist_names_those_that_do(imap_desk: Desks) -> None:
    desk = imap_desk()
    desk.change(folder="Suport")
    failure = desk.poll().failure
    assert (failure.code, failure.actor) == ("folder-not-found", Actor.OPERATOR)
    assert "INBOX" in failure.sentence


def test_a_folder_that_is_made_anew_under_the_same_name_loses_and_doubles_nothing(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk()
    with person(desk) as client:
        client.create_folder("Orders")
        client.append("Orders", mail(1))
        client.append("Orders", mail(2))
    desk.change(folder="Orders")
    desk.poll()
    with person(desk) as client:
        client.delete_folder("Orders")
        client.create_folder("Orders")
        for number in (3, 2, 1):
            client.append("Orders", mail(number))
    assert desk.poll().messages == 1
    assert subjects(desk) == ["Request 1", "Request 2", "Request 3"]


def test_a_change_from_pop3_to_imap_and_back_loses_and_doubles_nothing(desk: Any, mail: Mail, cloud: DevCloud) -> None:
    desk.deliver(*(mail(n) for n in range(4)))
    desk.poll()
    desk.change(type="IMAP - OAuth", port=cloud.mail.imap_port)
    desk.deliver(mail(4))
    assert desk.poll().messages == 1
    desk.change(type="POP3 - OAuth", port=cloud.mail.pop3_port)
    desk.deliver(mail(5))
    assert desk.poll().messages == 1
    assert subjects(desk) == [f"Request {n}" for n in range(6)]


def test_an_oversize_mail_is_not_fetched_and_not_moved(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk(after_ingest="move", move_to="Done")
    desk.engine.poller._max_message_bytes = 2_000
    desk.deliver(mail(1, body="x" * 5_000), mail(2))
    desk.poll()
    kinds = {each.subject: each.kind for each in desk.messages()}
    assert kinds == {"Request 1": MessageKind.OVERSIZE, "Request 2": MessageKind.PARSED}
    with person(desk) as client:
        assert client.search() == [1]
    assert desk.poll().mails == 0


def test_more_mails_than_a_page_and_a_set_come_in_order(
    imap_desk: Desks, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(imap_module, "FETCH_SET", 3)
    desk = imap_desk()
    desk.deliver(*(mail(n) for n in range(10)))
    assert desk.poll().messages == 10
    assert [each.subject for each in desk.tickets()] == [f"Request {n}" for n in reversed(range(10))]


def test_a_mailbox_can_start_with_the_mail_that_comes_after_its_connection(
    new_desk: Desks, mail: Mail, cloud: DevCloud
) -> None:
    desk = new_desk(type="IMAP - OAuth", port=cloud.mail.imap_port, backlog="from now on", after_ingest="delete")
    desk.deliver(mail(1), mail(2))
    assert desk.connect().mails == 2
    state = desk.engine.stores.states.poll(desk.id)[0]
    assert state.backlog_mails == 2
    desk.deliver(mail(3))
    desk.poll()
    assert subjects(desk) == ["Request 3"]
    assert len(cloud.mail.messages(desk.address)) == 2, "what is none of ours is not deleted"


@pytest.mark.parametrize("first", ["POP3 - OAuth", "IMAP - OAuth"])
def test_what_was_there_before_the_start_stays_out_when_the_protocol_changes(
    new_desk: Desks, mail: Mail, cloud: DevCloud, first: str
) -> None:
    ports = {"POP3 - OAuth": cloud.mail.pop3_port, "IMAP - OAuth": cloud.mail.imap_port}
    (other,) = ports.keys() - {first}
    desk = new_desk(type=first, port=ports[first], backlog="from now on")
    received = "from relay.example by mx.example; Mon, 23 Nov {} 10:00:00 +0000"
    cloud.mail.deliver(desk.address, mail(1, Received=received.format(2020)), at=datetime(2020, 11, 23, tzinfo=UTC))
    desk.connect()
    desk.change(type=other, port=ports[other])
    cloud.mail.deliver(desk.address, mail(2, Received=received.format(2099)))
    desk.poll()
    assert subjects(desk) == ["Request 2"]


def test_a_connection_again_does_not_skip_what_waits(imap_desk: Desks, mail: Mail) -> None:
    desk = imap_desk(backlog="from now on")
    desk.deliver(mail(1))
    desk.connect()
    assert desk.poll().messages == 1


def test_a_token_that_is_refused_is_a_refused_login(imap_desk: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = imap_desk()
    monkeypatch.setattr(desk.engine.broker, "access_token", lambda _: "x.y.z")
    assert desk.poll().failure.code == "login-refused"


def test_no_token_reaches_a_log(imap_desk: Desks, mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    import base64

    caplog.set_level("DEBUG")
    desk = imap_desk()
    desk.deliver(mail(1))
    caplog.clear()
    desk.poll()
    token = desk.engine.broker.access_token(desk.mailbox)
    blob = base64.b64encode(f"user={desk.address}\x01auth=Bearer {token}\x01\x01".encode()).decode()
    assert token not in caplog.text
    assert blob not in caplog.text
