"""Mailboxes and ticket types on their pages."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from console.pages.ticket_types import in_order
from ticket_engine.intake import ingest
from ticket_engine.mime import Parsed
from ticket_engine.records import Mailbox, MessageKind, QuarantinedItem, TicketType

VALUES = {
    "name": "Sales desk",
    "username": "sales@contoso.example",
    "type": "POP3 - OAuth",
    "host": "localhost",
    "port": "",
    "tenant_id": "contoso.example",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "redirect_url": "https://app.example/api/oauth/callback",
    "credential": "client secret",
    "after_ingest": "keep",
}


def fresh(number: int, **more: str) -> dict[str, str]:
    return {**VALUES, "name": f"Sales desk {number}", "username": f"sales{number}@contoso.example", **more}


def test_a_new_mailbox_gets_its_id_from_its_name_and_its_port_from_its_type(olga: Any, engine: Any) -> None:
    answer = olga.post("/mailboxes/add", fresh(1, type="IMAP - OAuth"))
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/api/console/mailboxes/sales-desk-1?said=mailbox-added"
    assert engine.stores.mailboxes.get("sales-desk-1").port == 993


def test_a_field_that_is_wrong_says_what_it_takes_and_keeps_the_rest(olga: Any) -> None:
    answer = olga.post("/mailboxes/add", fresh(2, client_id="none", client_secret="marked-secret"))
    assert answer.status_code == 422
    assert "Nothing was saved." in answer.text
    assert "Takes the application (client) id, a GUID" in answer.text
    assert 'value="Sales desk 2"' in answer.text
    assert "marked-secret" not in answer.text


def test_a_name_that_is_markup_is_shown_as_text(olga: Any) -> None:
    olga.post("/mailboxes/add", fresh(3, id="markup", name="<script>alert(1)</script>"))
    for path in ("", "/mailboxes", "/mailboxes/markup", "/mailboxes/markup/edit", "/mailboxes/markup/remove"):
        assert "<script>alert" not in olga.get(path).text


def test_a_secret_is_on_no_page_after_it_was_stored(olga: Any, engine: Any) -> None:
    olga.post("/mailboxes/add", fresh(4, client_secret="marked-secret-4", secret_ends="2028-01-31"))
    assert engine.stores.vault.client_secret("sales-desk-4").value == "marked-secret-4"
    olga.post("/mailboxes/sales-desk-4", {"do": "secret", "client_secret": "marked-secret-5"})
    link = olga.post("/mailboxes/sales-desk-4", {"do": "invite"}).text
    invite = link.partition("invite=")[2][:43]
    assert len(invite) == 43
    for path in ("", "/mailboxes", "/mailboxes/sales-desk-4", "/mailboxes/sales-desk-4/edit"):
        text = olga.get(path).text
        assert "marked-secret" not in text
        assert invite not in text


def test_every_change_is_in_the_journal_with_the_person_s_name(olga: Any, engine: Any) -> None:
    olga.post("/mailboxes/add", fresh(5, client_secret="a-secret"))
    here = "/mailboxes/sales-desk-5"
    for what in ("pause", "resume", "invite", "revoke"):
        olga.post(here, {"do": what})
    etag = engine.mailbox_setup.get("sales-desk-5").etag
    olga.post(f"{here}/edit", fresh(5, name="Sales again", etag=etag))
    olga.post(
        "/ticket-types/add",
        {"name": "Offers", "mailbox": "sales-desk-5", "task": "Simple Storage", "admin_email": "a@b.example"},
    )
    entries = engine.stores.journal.newest("sales-desk-5")
    events = [each.event for each in reversed(entries)]
    assert events == [
        "added",
        "secret-stored",
        "paused",
        "resumed",
        "invited",
        "invite-revoked",
        "edited",
        "ticket-type-added",
    ]
    assert {each.by for each in entries} == {"olga@contoso.example"}
    assert olga.get(here).text.count("olga@contoso.example") >= len(entries)


def test_the_second_of_two_people_who_edit_is_told_and_nothing_is_overwritten(olga: Any, engine: Any) -> None:
    olga.post("/mailboxes/add", fresh(6))
    etag = engine.mailbox_setup.get("sales-desk-6").etag
    assert olga.post("/mailboxes/sales-desk-6/edit", fresh(6, name="First", etag=etag)).status_code == 303
    answer = olga.post("/mailboxes/sales-desk-6/edit", fresh(6, name="Second", etag=etag))
    assert answer.status_code == 409
    assert "someone else" in answer.text
    assert engine.stores.mailboxes.get("sales-desk-6").name == "First"


def test_a_mailbox_is_removed_only_after_its_id_was_typed(olga: Any, engine: Any) -> None:
    olga.post("/mailboxes/add", fresh(7))
    assert olga.post("/mailboxes/sales-desk-7/remove", {"confirm": "yes"}).status_code == 422
    assert engine.stores.mailboxes.get("sales-desk-7")
    assert olga.post("/mailboxes/sales-desk-7/remove", {"confirm": "sales-desk-7"}).status_code == 303
    assert olga.get("/mailboxes/sales-desk-7").status_code == 404


def test_another_mailbox_of_the_same_application_takes_over_its_settings_and_secret(olga: Any, engine: Any) -> None:
    olga.post("/mailboxes/add", fresh(8, client_secret="shared-secret", secret_ends="2028-01-31"))
    page = olga.get("/mailboxes/add?like=sales-desk-8").text
    assert f'value="{VALUES["client_id"]}"' in page
    olga.post("/mailboxes/add", fresh(9, like="sales-desk-8", same_secret="yes"))
    assert engine.stores.vault.client_secret("sales-desk-9").value == "shared-secret"


def test_every_field_of_the_manual_set_up_is_on_the_form(olga: Any) -> None:
    page = olga.get("/mailboxes/add").text
    for label in (
        "Name",
        "Type",
        "Host",
        "Port",
        "Use SSL",
        "Username",
        "Tenant id",
        "Client id",
        "Client secret",
        "Redirect URL",
    ):
        assert label in page
    fixed = {"use_ssl", "oauth_type", "paused"}
    for name in Mailbox.model_fields.keys() - fixed:
        assert f'name="{name}"' in page, name


def test_a_page_of_a_list_that_is_not_there_shows_the_nearest(olga: Any) -> None:
    for page in ("0", "-1", "99999", "x", "1e9", "9" * 400):
        assert olga.get(f"/mailboxes?page={page}").status_code == 200


def test_match_rules_are_tried_on_stored_mails_before_they_are_saved(
    olga: Any, desk: Any, mail: Callable[..., bytes]
) -> None:
    desk.deliver(mail(1, subject="Invoice 7"), mail(2, subject="Printer"))
    desk.poll()
    olga.get(f"/ticket-types/add?mailbox={desk.id}")
    form = {"mailbox": desk.id, "name": "Invoices", "task": "Simple Storage", "rules": "subject contains invoice"}
    page = olga.post("/ticket-types/try", form).text
    assert "2 newest tickets, 1 of which" in page
    assert "<strong>Invoices</strong> ← Invoice 7" in page
    assert "subject contains invoice" in page
    wrong = olga.post("/ticket-types/try", {**form, "rules": "subject resembles x"}).text
    assert "problem" in wrong
    whole = olga.post("/ticket-types/add", {**form, "do": "try"}).text
    assert "Which mail it takes" in whole
    assert len(desk.engine.stores.ticket_types.of(desk.id)) == 1


def test_a_ticket_type_is_asked_earlier_by_one_click(olga: Any, desk: Any) -> None:
    for name in ("first", "second", "third"):
        values = {"mailbox": desk.id, "id": f"{desk.id}-{name}", "name": name, "task": "Simple Storage"}
        values |= {"admin_email": "a@b.example", "rules": f"subject contains {name}", "priority": "100"}
        assert olga.post("/ticket-types/add", values).status_code == 303
    olga.get("/ticket-types")
    assert olga.post("/ticket-types", {"type": f"{desk.id}-third"}).status_code == 303
    types = in_order(desk.engine.stores.ticket_types.of(desk.id))
    assert [each.name for each in types] == ["first", "third", "second", "Requests"]
    assert desk.engine.stores.journal.newest(desk.id)[0].by == "olga@contoso.example"


def test_a_quarantined_mail_is_tried_again_by_one_click(olga: Any, desk: Any) -> None:
    now = desk.engine.clock()
    item = QuarantinedItem("uid-1", 812, 5, now, now, "The server breaks off while it sends this mail.")
    desk.engine.stores.quarantine.put(desk.id, item)
    state, etag = desk.engine.stores.states.poll(desk.id)
    desk.engine.stores.states.save_poll(desk.id, replace(state, quarantined=1), etag)
    page = olga.get("/quarantine").text
    assert "The server breaks off while it sends this mail." in page
    assert olga.post("/quarantine", {"mailbox": desk.id, "item": "uid-1"}).status_code == 303
    assert olga.post("/quarantine", {"mailbox": desk.id, "item": "uid-1"}).status_code == 409
    assert desk.engine.stores.journal.newest(desk.id)[0].by == "olga@contoso.example"


def test_a_mail_that_could_not_be_read_is_listed_in_quarantine(olga: Any, desk: Any) -> None:
    desk.deliver(b"no header at all, only this line of desk " + desk.id.encode())
    desk.poll()
    (ticket,) = desk.tickets()
    assert f"/api/console/tickets/{desk.id}/{ticket.id}" in olga.get("/quarantine").text
    assert olga.get("/quarantine?after=nonsense").status_code == 200
    raw = olga.get(f"/tickets/{desk.id}/{ticket.id}/raw")
    assert raw.data.startswith(b"no header at all")
    assert raw.headers["Content-Disposition"].startswith("attachment")
    answer = olga.post("/quarantine", {"do": "replay", "ticket": f"{desk.id}/{ticket.id}"})
    assert answer.status_code == 409
    assert "still can&#39;t be read" in answer.text


def test_a_mail_that_can_be_read_by_now_is_read_again_by_one_click(
    olga: Any, desk: Any, mail: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "parse", lambda raw: Parsed(MessageKind.UNPARSED, body=raw, problem="Not yet."))
    desk.deliver(mail(1, subject="Readable after all"))
    desk.poll()
    (ticket,) = desk.tickets()
    assert ticket.unparsed
    answer = olga.post("/quarantine", {"do": "replay", "ticket": f"{desk.id}/{ticket.id}"})
    assert answer.status_code == 303
    (ticket,) = desk.tickets()
    assert (ticket.subject, ticket.unparsed) == ("Readable after all", False)
    assert "olga@contoso.example" in olga.get(f"/tickets/{desk.id}/{ticket.id}").text


def test_a_webhook_gets_a_signing_secret_that_is_shown_once(olga: Any, desk: Any) -> None:
    name = f"{desk.id}-hook"
    values = {"mailbox": desk.id, "id": name, "name": "Hook", "task": "Webhook", "admin_email": "a@b.example"}
    assert olga.post("/ticket-types/add", values).status_code == 422
    assert olga.post("/ticket-types/add", {**values, "webhook_url": "https://hooks.example/in"}).status_code == 303
    page = olga.post(f"/ticket-types/{name}", {"do": "secret"}).text
    secret = page.partition('id="webhook-secret" value="')[2].partition('"')[0]
    assert secret
    assert secret not in olga.get(f"/ticket-types/{name}").text
    assert desk.engine.stores.journal.newest(desk.id)[0].by == "olga@contoso.example"


def test_every_field_of_a_ticket_type_is_on_its_form(olga: Any, desk: Any) -> None:
    page = olga.get(f"/ticket-types/add?mailbox={desk.id}").text
    for name in TicketType.model_fields:
        assert f'name="{name}"' in page, name
