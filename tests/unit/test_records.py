"""What operators type is checked, and every error says what a field takes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ticket_engine.errors import Actor, Reaction
from ticket_engine.records import (
    Failure,
    Mailbox,
    MailboxType,
    PollState,
    RecordError,
    Task,
    TicketType,
    TokenState,
    is_identifier,
    ticket_id,
)
from ticket_engine.store import entities
from ticket_engine.store.entities import NewerFormatError, from_entity, to_entity

GOOD: dict[str, Any] = {
    "id": "support",
    "name": "Support",
    "username": "support@contoso.example",
    "tenant_id": "contoso.example",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "redirect_url": "https://tickets.contoso.example/api/oauth/callback",
}


def test_a_mailbox_knows_microsofts_defaults() -> None:
    mailbox = Mailbox.create(**GOOD)
    assert (mailbox.type, mailbox.host, mailbox.port) == (MailboxType.POP3, "outlook.office365.com", 995)
    assert (mailbox.use_ssl, mailbox.oauth_type) == (True, "Microsoft")
    assert Mailbox.create(**GOOD, type="IMAP - OAuth").port == 993


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("id", "Support Desk", "lower-case letters"),
        ("id", "a--b", "single dashes"),
        ("name", "two\nlines", "one line"),
        ("type", "POP3", "'POP3 - OAuth' or 'IMAP - OAuth'"),
        ("host", "https://outlook", "host name"),
        ("port", 0, "1 to 65535"),
        ("port", "many", "1 to 65535"),
        ("use_ssl", False, "only true"),
        ("username", "support", "mail address"),
        ("username", "a@b.example\r\nBcc: x", "mail address"),
        ("oauth_type", "Google", "'Microsoft'"),
        ("tenant_id", "my tenant", "tenant"),
        ("client_id", "client", "GUID"),
        ("redirect_url", "http://tickets.contoso.example/api/oauth/callback", "https"),
        ("redirect_url", "https://tickets.contoso.example/elsewhere", "/api/oauth/callback"),
        ("after_ingest", "burn", "'keep', 'mark read', 'move' or 'delete'"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_takes(field: str, value: Any, says: str) -> None:
    with pytest.raises(RecordError) as caught:
        Mailbox.create(**{**GOOD, field: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{field} takes ")
    assert says in problem


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(RecordError) as caught:
        Mailbox.create(id="x", name="", colour="red")
    fields = {problem.split()[0].rstrip(":") for problem in caught.value.problems}
    assert fields == {"name", "username", "tenant_id", "client_id", "redirect_url", "colour"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"after_ingest": "mark read"}, "POP3 can't mark read"),
        ({"after_ingest": "move", "move_to": "Done"}, "POP3 can't move"),
        ({"folder": "Support"}, "POP3 reads only the inbox"),
        ({"type": "IMAP - OAuth", "after_ingest": "move"}, "move_to is missing"),
        ({"type": "IMAP - OAuth", "after_ingest": "move", "move_to": "inbox"}, "choose another one"),
    ],
)
def test_fields_that_do_not_go_together_say_what_to_change(values: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError, match=says):
        Mailbox.create(**{**GOOD, **values})


def test_over_imap_any_folder_can_be_read_and_ingested_mails_moved() -> None:
    made = Mailbox.create(
        **GOOD | {"type": "IMAP - OAuth", "folder": "Support/Orders", "after_ingest": "move", "move_to": "Archive"}
    )
    assert (made.port, made.folder, made.move_to) == (993, "Support/Orders", "Archive")


def test_a_client_secret_is_no_field_of_a_mailbox() -> None:
    with pytest.raises(RecordError) as caught:
        Mailbox.create(**GOOD, client_secret="s3cret")
    assert "s3cret" not in str(caught.value)


def test_a_ticket_type_names_its_mailbox_and_admin() -> None:
    made = TicketType.create(id="support", name="Support", mailbox="support", admin_email="a@contoso.example")
    assert made.task is Task.SIMPLE_STORAGE
    with pytest.raises(RecordError, match=r"admin_email takes .*mail address"):
        TicketType.create(id="support", name="Support", mailbox="support", admin_email="nobody")


def test_the_consent_link_sits_beside_the_redirect_url() -> None:
    link = Mailbox.create(**GOOD).consent_url("abc")
    assert link == "https://tickets.contoso.example/api/consent/support?invite=abc"


NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "record",
    [
        Mailbox.create(**GOOD, paused=True),
        TokenState(connected_at=NOW, failure=Failure.of(Reaction(Actor.OWNER, "c", "s"), NOW)),
        PollState(checkpoint=bytes(range(256)) * 1000, messages_ingested=2**40, lease_until=NOW),
        PollState(checkpoint=b""),
    ],
)
def test_a_record_survives_the_table(record: Any) -> None:
    entity = to_entity(record, "p", "r")
    assert entity["Format"] == entities.FORMAT
    assert all(len(value) <= 64 * 1024 for value in entity.values() if isinstance(value, bytes))
    assert from_entity(type(record), entity) == record


def test_a_row_of_an_earlier_format_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    entity = to_entity(TokenState(connected_as="ada"), "p", "r")
    del entity["connected_as"]
    entity["account"] = "ada"

    def rename(kind: type[Any], row: dict[str, Any]) -> dict[str, Any]:
        assert kind is TokenState
        return {"connected_as": row.pop("account"), **row}

    monkeypatch.setattr(entities, "FORMAT", 2)
    monkeypatch.setitem(entities._UPGRADES, 1, rename)
    assert from_entity(TokenState, entity).connected_as == "ada"


def test_a_row_of_a_later_format_is_refused_with_what_to_do() -> None:
    entity = {**to_entity(TokenState(), "p", "token"), "Format": 99}
    with pytest.raises(NewerFormatError, match="deploy the newer release"):
        from_entity(TokenState, entity)


def test_ticket_ids_sort_newest_first_and_tell_mailboxes_apart() -> None:
    moments = [NOW + timedelta(milliseconds=n) for n in (0, 1, 2, 5_000, 10**9)]
    ids = [ticket_id("support", moment) for moment in moments]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids)
    assert {len(each) for each in ids} == {12}
    assert ticket_id("support", NOW) != ticket_id("billing", NOW)
    assert not set("".join(ids)) & set("ILOU")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("support-desk", True), ("a", True), ("", False), ("Support", False), ("a\n", False), ("a" * 61, False)],
)
def test_an_identifier_is_recognised(text: str, *, is_one: bool) -> None:
    assert is_identifier(text) is is_one


def test_a_certificates_name_has_no_line_end() -> None:
    with pytest.raises(RecordError, match="certificate_name takes"):
        Mailbox.create(**{**GOOD, "credential": "certificate", "certificate_name": "engine\n"})
