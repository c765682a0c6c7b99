"""Erasing a person's mail, retention by age, export and replay, proven on everything that is stored."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.records import MessageKind, RecordError, TicketState
from ticket_engine.store.rows import Rows
from ticket_engine.tickets import TicketFilter, removal

Mail = Callable[..., bytes]
BY = "Olga Operator"


class KilledError(BaseException):
    """The process dies here."""


def everything(cloud: DevCloud, *partitions: str) -> Iterator[str]:
    """All text of these partitions of all tables, and of all blobs of these mailboxes, unpacked."""
    bundle = str(cloud.certificates.bundle)
    with TableServiceClient.from_connection_string(cloud.storage.connection_string, connection_verify=bundle) as tables:
        for table in tables.list_tables():
            for row in tables.get_table_client(table.name).list_entities():
                if row["PartitionKey"] in partitions or row.get("mailbox") in partitions:
                    yield from map(_text, row.values())
    with BlobServiceClient.from_connection_string(cloud.storage.connection_string, connection_verify=bundle) as blobs:
        container = blobs.get_container_client("mail")
        for blob in container.list_blobs():
            if blob.name.split("/")[0] in partitions:
                content = container.download_blob(blob.name).readall()
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    yield from (archive.read(name).decode("latin-1") for name in archive.namelist())


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return zlib.decompress(value).decode("utf-8", "replace")
        except zlib.error:
            return value.decode("latin-1")
    return str(value)


def found(cloud: DevCloud, desk: Any, text: str) -> list[str]:
    return [each for each in everything(cloud, desk.id) if text.casefold() in each.casefold()]


@pytest.fixture
def conversation(desk: Any, mail: Mail) -> Any:
    """Ada's ticket with Grace's answer, a ticket of Ada's alone, one that Grace began, one of Grace's alone."""
    desk.deliver(
        mail(1, subject="Ada asks for lovelace-one", body="secret one"),
        mail(2, subject="lovelace-two", body="secret two"),
        mail(3, subject="Grace begins", From="Grace <grace@navy.example>"),
        mail(4, subject="Grace alone", From="Grace <grace@navy.example>"),
    )
    desk.poll()
    begun = next(each for each in desk.tickets() if each.subject == "Grace begins")
    desk.engine.tickets.change(desk.id, begun.id, by=BY, state="closed")
    desk.deliver(
        mail(5, From="Grace <grace@navy.example>", In_Reply_To="<request-1@fabrikam.example>", subject="Answer"),
        mail(6, In_Reply_To="<request-3@fabrikam.example>", subject="Re: Grace begins", body="secret six"),
    )
    desk.poll()
    return desk


def test_an_erasure_leaves_nothing_of_the_person_anywhere_and_all_of_the_others(
    conversation: Any, cloud: DevCloud
) -> None:
    desk = conversation
    assert len(found(cloud, desk, "ada@fabrikam.example")) > 10
    assert found(cloud, desk, "secret six")
    raw = [desk.engine.tickets.raw(each) for each in desk.messages() if "ada@" in each.sender]
    proof = desk.engine.erasure.erase("Ada@Fabrikam.example ", by=BY, mailboxes=[desk.id])
    for trace in ("ada@fabrikam.example", "lovelace", "secret", "Ada asks"):
        assert found(cloud, desk, trace) == []
    assert (proof.messages, len(proof.tickets), proof.left, proof.mentions) == (3, 1, 0, ())
    assert sorted(proof.raw_sha256) == sorted(hashlib.sha256(each).hexdigest() for each in raw)
    assert "ada" not in proof.as_json()
    assert [(each.subject, each.messages) for each in desk.tickets()] == [
        ("Grace alone", 1),
        ("Grace begins", 1),
        ("Answer", 1),
    ]
    assert {each.sender_address for each in desk.tickets()} == {"grace@navy.example"}
    page = desk.engine.ticket_list.page(TicketFilter(mailbox=desk.id, text="grace"))
    assert {each.subject for each in page.tickets} == {"Grace alone", "Grace begins", "Answer"}
    for each in desk.messages():
        assert b"grace@navy.example" in desk.engine.tickets.raw(each)
    entry = desk.engine.stores.journal.newest(desk.id)[0]
    assert (entry.event, entry.by, proof.digest in entry.sentence) == ("erased", BY, True)
    assert desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id]).messages == 0


def test_a_preview_shows_what_would_go_and_takes_nothing(conversation: Any) -> None:
    preview = conversation.engine.erasure.preview("ada@fabrikam.example", mailboxes=[conversation.id])
    assert len(preview) == 3
    assert len(conversation.messages()) == 6


def test_tickets_of_others_that_name_the_person_are_told_and_stay(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1), mail(2, From="Grace <grace@navy.example>", body="On Monday ada@fabrikam.example said no."))
    desk.poll()
    graces = desk.tickets()[0]
    proof = desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id])
    assert proof.mentions == (graces.id,)
    assert [each.id for each in desk.tickets()] == [graces.id]


def test_an_erasure_takes_one_mail_address(engine: Engine) -> None:
    for wrong in ("", "ada", "@fabrikam.example", "*@fabrikam.example, b@c.example"):
        with pytest.raises(RecordError, match="takes one mail address"):
            engine.erasure.erase(wrong, by=BY)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["without", "change", "forget", "rewrite_events", "delete_events", "reduce"])
def test_an_erasure_that_dies_at_any_step_is_completed_by_the_next(
    conversation: Any, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    desk = conversation
    stores = desk.engine.stores
    owner = {"without": stores.archive, "change": stores.segments, "forget": stores.errands}.get(step, stores.tickets)
    real = getattr(owner, step)

    def dies(*arguments: Any, **options: Any) -> Any:
        if when == "after":
            real(*arguments, **options)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, dies)
        with pytest.raises(KilledError):
            desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id])
    proof = desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id])
    assert proof.left == 0
    for trace in ("ada@fabrikam.example", "lovelace", "secret"):
        assert found(cloud, desk, trace) == []
    assert len(desk.tickets()) == 3


def test_a_mail_that_comes_to_a_ticket_while_it_is_erased_is_kept(
    conversation: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = conversation
    real = desk.engine.stores.tickets.reduce

    def after_a_poll(*arguments: Any) -> None:
        monkeypatch.setattr(desk.engine.stores.tickets, "reduce", real)
        grace = {"From": "Grace <grace@navy.example>", "In_Reply_To": "<request-1@fabrikam.example>"}
        desk.deliver(mail(7, subject="Meanwhile", **grace))
        desk.poll()
        real(*arguments)

    monkeypatch.setattr(desk.engine.stores.tickets, "reduce", after_a_poll)
    assert desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id]).left == 0
    assert "Meanwhile" in {each.subject for each in desk.messages()}
    answered = next(each for each in desk.tickets() if each.subject == "Answer")
    assert answered.messages == 2


def test_a_thread_longer_than_a_transaction_is_erased_whole(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_PART", 2)
    desk.deliver(mail(0), *(mail(n, In_Reply_To="<request-0@fabrikam.example>") for n in range(1, 7)))
    desk.poll()
    assert desk.engine.erasure.erase("ada@fabrikam.example", by=BY, mailboxes=[desk.id]).messages == 7
    assert (desk.tickets(), desk.messages()) == ([], [])


def test_closed_tickets_are_removed_by_age_and_open_ones_never(desk: Any, mail: Mail, cloud: DevCloud) -> None:
    desk.engine.ticket_type_setup.edit(desk.id, {"keep_days": 30}, by=BY)
    desk.deliver(mail(1, body="old and closed"), mail(2), mail(3))
    desk.poll()
    third, second, first = desk.tickets()
    desk.engine.tickets.close([(desk.id, first.id)], by=BY)
    later = Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(days=29))
    later.tickets.close([(desk.id, second.id)], by=BY)
    later.retention.run()
    assert len(desk.tickets()) == 3
    Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(days=31)).retention.run()
    assert [each.id for each in desk.tickets()] == [third.id, second.id]
    assert found(cloud, desk, "old and closed") == []
    assert desk.engine.stores.journal.newest(desk.id)[0].event == "tickets-removed"
    Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(days=900)).retention.run()
    assert [each.id for each in desk.tickets()] == [third.id]


def test_tickets_of_a_type_without_an_age_are_kept_for_ever(desk: Any, mail: Mail, cloud: DevCloud) -> None:
    desk.deliver(mail(1))
    desk.poll()
    desk.engine.tickets.close([(desk.id, desk.tickets()[0].id)], by=BY)
    Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(days=9_000)).retention.run()
    assert len(desk.tickets()) == 1


def test_an_export_has_every_ticket_with_its_messages_history_and_raw_mails(conversation: Any) -> None:
    wanted = TicketFilter(mailbox=conversation.id)
    lines = [json.loads(each) for each in conversation.engine.ticket_export.json_lines(wanted)]
    assert [each["id"] for each in lines] == [each.id for each in conversation.tickets()]
    begun = next(each for each in lines if each["subject"] == "Grace begins")
    assert [each["subject"] for each in begun["messages"]] == ["Grace begins", "Re: Grace begins"]
    assert [(each["kind"], each["new"]) for each in begun["history"]] == [("state", "closed"), ("state", "open")]
    mails = dict(conversation.engine.ticket_export.mails(wanted))
    assert sorted(mails.values()) == sorted(conversation.engine.tickets.raw(each) for each in conversation.messages())
    assert f"{begun['id']}/0002.eml" in mails


def test_a_mail_that_could_not_be_read_is_replayed_into_its_ticket_when_it_can(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ticket_engine.intake import ingest
    from ticket_engine.mime import Parsed

    def fails(raw: bytes) -> Parsed:
        return Parsed(kind=MessageKind.UNPARSED, body=raw, problem="a defect of that release")

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "parse", fails)
        desk.deliver(mail(1, subject="Readable now", body="hidden words"))
        desk.poll()
    (ticket,) = desk.tickets()
    assert (ticket.unparsed, ticket.subject) == (True, "(no subject)")
    (result,) = list(desk.engine.replay.run(desk.id, by=BY))
    assert (result.parsed, result.ticket) == (True, ticket.id)
    (after,) = desk.tickets()
    assert (after.id, after.unparsed, after.subject) == (ticket.id, False, "Readable now")
    (message,) = desk.messages()
    assert (message.kind, after.message_keys) == (MessageKind.PARSED, [message.key])
    assert b"hidden words" in desk.engine.tickets.raw(message)
    page = desk.engine.ticket_list.page(TicketFilter(mailbox=desk.id, text="hidden"))
    assert [each.subject for each in page.tickets] == ["Readable now"]
    assert list(desk.engine.replay.run(desk.id, by=BY)) == []
    # The mail is now known by what it says: seen again, it is not doubled, and its answers find it.
    desk.deliver(mail(1, subject="Readable now", body="hidden words"))
    desk.deliver(mail(2, In_Reply_To="<request-1@fabrikam.example>"))
    desk.poll()
    assert [(each.id, each.messages) for each in desk.tickets()] == [(ticket.id, 2)]


def test_a_mail_that_still_cannot_be_read_says_so_and_stays(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    (message,) = desk.messages()
    rows: Rows = desk.engine.stores.tickets._rows
    rows.put(replace(message, kind=MessageKind.UNPARSED), desk.id, message.key)
    desk.engine.stores.archive.put(message.archive, _zip(message.entry, b"no header at all"))
    (result,) = list(desk.engine.replay.run(desk.id, by=BY))
    assert (result.parsed, result.problem) == (False, "The mail has no header.")
    assert desk.tickets()[0].state is TicketState.NEW


def _zip(entry: str, raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, raw)
    return buffer.getvalue()
