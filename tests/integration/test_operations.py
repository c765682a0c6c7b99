"""Operators set mailboxes and ticket types up, change them and take them away; the journal has who did what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, ConflictError, MailboxNotFoundError, TicketTypeNotFoundError
from ticket_engine.operations import Outcome, Step
from ticket_engine.operations.probe import STEPS
from ticket_engine.records import RecordError

ADA = "ada@contoso.example"
Desks = Callable[..., Any]
Mail = Callable[..., bytes]


def values(desk: Any, **changes: Any) -> dict[str, Any]:
    """A new mailbox's fields, as an operator gives them."""
    given = {
        "id": f"{desk.id}-new",
        "name": "New",
        "username": f"{desk.id}-new@contoso.example",
        "tenant_id": desk.mailbox.tenant_id,
        "client_id": desk.mailbox.client_id,
        "redirect_url": desk.mailbox.redirect_url,
    }
    return {**given, **changes}


def entries(desk: Any, event: str, mailbox_id: str | None = None) -> list[Any]:
    found = desk.engine.mailbox_setup.journal(mailbox_id or desk.id)
    return [each for each in found if each.event == event]


def test_a_mailbox_is_added_with_microsofts_defaults_and_the_journal_says_by_whom(desk: Any) -> None:
    added = desk.engine.mailbox_setup.add(values(desk), by=ADA)
    assert (added.host, added.port, added.type) == ("outlook.office365.com", 995, "POP3 - OAuth")
    (entry,) = entries(desk, "added", added.id)
    assert entry.by == ADA
    desk.engine.mailbox_setup.remove(added.id, by=ADA)


def test_two_mailboxes_cant_read_one_address(desk: Any) -> None:
    same = values(desk, username=desk.address.upper(), host=desk.mailbox.host, port=desk.mailbox.port)
    with pytest.raises(ConflictError, match=f"{desk.id} reads"):
        desk.engine.mailbox_setup.add(same, by=ADA)
    with pytest.raises(ConflictError, match="exists already"):
        desk.engine.mailbox_setup.add(values(desk, id=desk.id), by=ADA)


def test_an_edit_says_what_changed_in_answer_and_journal(desk: Any) -> None:
    edited = desk.engine.mailbox_setup.edit(desk.id, {"name": "Help", "after_ingest": "delete"}, by=ADA)
    assert [str(each) for each in edited.changes] == [f"name: Desk {desk.id} -> Help", "after_ingest: keep -> delete"]
    (entry,) = entries(desk, "edited")
    assert (entry.by, entry.sentence) == (ADA, f"Changed name: Desk {desk.id} -> Help; after_ingest: keep -> delete.")
    again = desk.engine.mailbox_setup.edit(desk.id, {"name": "Help"}, by=ADA)
    assert again.changes == ()
    assert len(entries(desk, "edited")) == 1


def test_the_second_of_two_editors_is_told_and_nothing_is_overwritten(desk: Any) -> None:
    setup = desk.engine.mailbox_setup
    seen = setup.get(desk.id)
    setup.edit(desk.id, {"name": "First"}, by=ADA, etag=seen.etag)
    with pytest.raises(ConflictError, match="changed by someone else"):
        setup.edit(desk.id, {"name": "Second"}, by="bob", etag=seen.etag)
    assert desk.mailbox.name == "First"


def test_a_change_in_the_middle_of_an_edit_is_told_too(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, mailboxes = desk.engine.mailbox_setup, desk.engine.stores.mailboxes
    real = mailboxes.stored

    def with_a_race(mailbox_id: str) -> Any:
        stored = real(mailbox_id)
        mailboxes.put(stored.record.model_copy(update={"name": "First"}))
        return stored

    monkeypatch.setattr(mailboxes, "stored", with_a_race)
    with pytest.raises(ConflictError, match="changed by someone else"):
        setup.edit(desk.id, {"name": "Second"}, by=ADA)


def test_another_account_or_application_asks_for_a_new_consent(desk: Any, cloud: DevCloud) -> None:
    edited = desk.engine.mailbox_setup.edit(desk.id, {"username": cloud.add_account(f"{desk.id}-2")}, by=ADA)
    assert "must connect the mailbox again" in edited.notes[0]
    view = desk.engine.overview.of(desk.id)
    assert (view.connection, view.health.actor) == ("not connected", "mailbox owner")
    edited = desk.engine.mailbox_setup.edit(desk.id, {"client_id": cloud.add_application().client_id}, by=ADA)
    assert any("client secret" in each for each in edited.notes)


def test_a_new_protocol_brings_its_port_unless_the_port_was_special(desk: Any) -> None:
    setup = desk.engine.mailbox_setup
    assert setup.edit(desk.id, {"type": "IMAP - OAuth"}, by=ADA).record.port == desk.mailbox.port
    setup.edit(desk.id, {"port": 993}, by=ADA)
    assert setup.edit(desk.id, {"type": "POP3 - OAuth"}, by=ADA).record.port == 995


def test_an_id_cant_be_changed(desk: Any) -> None:
    with pytest.raises(RecordError, match="id can't be changed"):
        desk.engine.mailbox_setup.edit(desk.id, {"id": "other"}, by=ADA)


def test_a_paused_mailbox_is_not_polled_and_goes_on_where_it_stopped(desk: Any, mail: Mail) -> None:
    setup = desk.engine.mailbox_setup
    setup.pause(desk.id, by=ADA)
    desk.deliver(mail(1))
    assert desk.poll().skipped == "the mailbox is paused"
    assert desk.id not in desk.engine.poller.due()
    assert desk.engine.overview.of(desk.id).connection == "paused"
    setup.resume(desk.id, by="bob")
    assert desk.poll().messages == 1
    assert [entries(desk, event)[0].by for event in ("paused", "resumed")] == [ADA, "bob"]


def test_a_removed_mailbox_leaves_its_tickets_and_journal_and_nothing_else(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    engine = desk.engine
    going = engine.mailbox_setup.going(desk.id)
    removed = engine.mailbox_setup.remove(desk.id, by=ADA)
    assert (removed.ticket_types, removed.secrets) == (going.ticket_types, going.secrets)
    assert len(removed.secrets) == 2
    assert engine.stores.vault.refresh_token(desk.id) is None
    assert engine.stores.vault.client_secret(desk.id) is None
    assert desk.id not in engine.stores.states.all_tokens() | engine.stores.states.all_polls()
    assert engine.stores.ticket_types.of(desk.id) == []
    with pytest.raises(MailboxNotFoundError):
        engine.poller.poll(desk.id)
    assert len(desk.tickets()) == 1
    assert entries(desk, "removed")[0].by == ADA


def test_a_mailbox_that_is_added_again_recovers_its_secrets_and_doubles_nothing(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    before = desk.mailbox
    setup = desk.engine.mailbox_setup
    setup.remove(desk.id, by=ADA)
    setup.add(before.model_dump(), by=ADA)
    # The vault has the old secret as deleted, and takes no new version of it until it is recovered.
    setup.set_secret(desk.id, desk.application.add_secret(), ends_at=None, by=ADA)
    desk.add_ticket_type()
    desk.connect()
    assert desk.poll().messages == 0
    assert len(desk.messages()) == 1


def test_a_removal_that_broke_off_can_be_done_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = desk.engine.mailbox_setup
    with monkeypatch.context() as patch:
        patch.setattr(desk.engine.stores.ticket_types, "of", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            setup.remove(desk.id, by=ADA)
    assert desk.mailbox.paused
    assert len(setup.remove(desk.id, by=ADA).ticket_types) == 1


def test_an_invite_leads_to_a_connection_and_can_be_revoked(desk: Any, cloud: DevCloud) -> None:
    setup = desk.engine.mailbox_setup
    invite = setup.invite(desk.id, by=ADA)
    assert invite.url.startswith(f"{cloud.app_url}/api/consent/{desk.id}?invite=")
    assert invite.expires_at > cloud.clock()
    assert setup.revoke_invite(desk.id, by="bob")
    assert not setup.revoke_invite(desk.id, by="bob")
    # The newest is the one that this test made; the desk's own consent made another.
    assert entries(desk, "invited")[0].by == ADA
    assert entries(desk, "invite-revoked")[0].by == "bob"


def test_a_client_secret_is_stored_with_its_end_and_ends_the_warning(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    soon = cloud.clock() + timedelta(days=3)
    desk.engine.mailbox_setup.set_secret(desk.id, desk.application.add_secret(), ends_at=soon, by=ADA)
    desk.connect()
    desk.poll()
    assert "client secret ends" in desk.engine.overview.of(desk.id).health.warnings[0]
    later = cloud.clock() + timedelta(days=365)
    desk.engine.mailbox_setup.set_secret(desk.id, f" {desk.application.add_secret()}\n", ends_at=later, by=ADA)
    assert desk.engine.overview.of(desk.id).health.warnings == ()
    assert desk.engine.stores.vault.client_secret(desk.id).expires_at == later.replace(microsecond=0)
    desk.engine.broker.rotate(desk.mailbox)
    entry = entries(desk, "secret-stored")[0]
    assert (entry.by, entry.sentence) == (ADA, f"A client secret was stored; it ends on {later:%Y-%m-%d}.")


@pytest.mark.parametrize(
    ("secret", "days", "problem"),
    [
        ("", 10, "one word"),
        ("two words", 10, "one word"),
        ("11111111-2222-3333-4444-555555555555", 10, "the secret's id, not its value"),
        ("abc~right", -1, "has ended on"),
    ],
)
def test_what_cant_be_a_client_secret_is_refused(
    desk: Any, cloud: DevCloud, secret: str, days: int, problem: str
) -> None:
    ends_at = cloud.clock() + timedelta(days=days)
    with pytest.raises(RecordError, match=problem):
        desk.engine.mailbox_setup.set_secret(desk.id, secret, ends_at=ends_at, by=ADA)


def test_a_mailbox_without_a_secret_of_its_own_kind_takes_none(desk: Any) -> None:
    desk.change(credential="managed identity")
    with pytest.raises(RecordError, match="takes none"):
        desk.engine.mailbox_setup.set_secret(desk.id, "abc~right", ends_at=None, by=ADA)


def test_another_mailbox_of_the_application_gets_a_copy_of_the_secret(new_desk: Desks, cloud: DevCloud) -> None:
    first, stranger = new_desk(), new_desk()
    second = new_desk(first.application)
    setup = first.engine.mailbox_setup
    ends_at = cloud.clock().replace(microsecond=0) + timedelta(days=100)
    setup.set_secret(first.id, first.application.add_secret(), ends_at=ends_at, by=ADA)
    setup.copy_secret(second.id, first.id, by=ADA)
    vault = first.engine.stores.vault
    assert vault.client_secret(second.id).value == vault.client_secret(first.id).value
    assert vault.client_secret(second.id).expires_at == ends_at
    with pytest.raises(RecordError, match="another application"):
        setup.copy_secret(stranger.id, first.id, by=ADA)


def test_an_imported_token_connects_a_mailbox_under_the_persons_name(new_desk: Desks) -> None:
    desk = new_desk()
    desk.engine.mailbox_setup.import_token(desk.id, desk.token_by_hand(), by=ADA)
    assert entries(desk, "connected")[0].by == ADA
    assert desk.engine.overview.of(desk.id).connection == "connected"


def test_a_ticket_type_is_added_changed_and_removed_with_its_name_in_the_journal(desk: Any) -> None:
    setup = desk.engine.ticket_type_setup
    given = {"id": f"{desk.id}-sales", "name": "Sales", "mailbox": desk.id, "admin_email": "s@contoso.example"}
    setup.add(given, by=ADA)
    edited = setup.edit(given["id"], {"name": "Orders"}, by="bob")
    assert [str(each) for each in edited.changes] == ["name: Sales -> Orders"]
    assert [each.id for each in setup.all(desk.id)] == [desk.id, given["id"]]
    assert setup.remove(given["id"], by=ADA).notes == ()
    assert "no ticket type now" in setup.remove(desk.id, by=ADA).notes[0]
    with pytest.raises(TicketTypeNotFoundError):
        setup.get(given["id"])
    journal = [(each.event, each.by) for each in desk.engine.mailbox_setup.journal(desk.id)]
    assert ("ticket-type-added", ADA) in journal
    assert ("ticket-type-edited", "bob") in journal


def test_a_ticket_type_needs_a_mailbox_that_exists_and_an_editor_who_saw_the_newest(desk: Any) -> None:
    setup = desk.engine.ticket_type_setup
    given = {"id": f"{desk.id}-x", "name": "X", "mailbox": "nowhere", "admin_email": "s@contoso.example"}
    with pytest.raises(MailboxNotFoundError):
        setup.add(given, by=ADA)
    with pytest.raises(MailboxNotFoundError):
        setup.edit(desk.id, {"mailbox": "nowhere"}, by=ADA)
    seen = setup.get(desk.id)
    setup.edit(desk.id, {"name": "First"}, by=ADA, etag=seen.etag)
    with pytest.raises(ConflictError, match="changed by someone else"):
        setup.edit(desk.id, {"name": "Second"}, by=ADA, etag=seen.etag)


def test_the_overview_has_every_mailbox_with_its_state(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1))
    desk.poll()
    (view,) = [each for each in desk.engine.overview.all() if each.mailbox.id == desk.id]
    alone = desk.engine.overview.of(desk.id)
    assert (view.mailbox, view.token, view.ticket_types) == (alone.mailbox, alone.token, alone.ticket_types)
    assert (view.connection, view.health.ok, view.poll.messages_ingested) == ("connected", True, 1)
    assert view.lag is not None
    assert timedelta() <= view.lag < timedelta(minutes=1)
    assert [each.id for each in view.ticket_types] == [desk.id]


def probe(desk: Any, engine: Engine | None = None) -> list[Step]:
    return list((engine or desk.engine).probe.steps(desk.id))


def failed(steps: list[Step]) -> Step:
    """The one step that failed; those before went well, those after were not tried."""
    assert [each.name for each in steps] == list(STEPS)
    outcomes = [each.outcome for each in steps]
    at = outcomes.index(Outcome.FAILED)
    assert outcomes == [Outcome.OK] * at + [Outcome.FAILED] + [Outcome.SKIPPED] * (len(steps) - at - 1)
    return steps[at]


def test_the_test_of_a_mailbox_that_works_walks_every_step(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(1), mail(2))
    steps = probe(desk)
    assert [each.outcome for each in steps] == [Outcome.OK] * len(STEPS)
    assert steps[-1].sentence == "The mailbox holds 2 mails."
    assert desk.poll().messages == 2


def test_the_test_names_a_host_that_does_not_exist(desk: Any) -> None:
    desk.change(host="outlook.office365.invalid")
    step = failed(probe(desk))
    assert (step.name, step.actor, step.code) == ("dns", Actor.OPERATOR, "host-unknown")


def test_the_test_names_a_port_that_nothing_listens_on(desk: Any) -> None:
    desk.change(port=1)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("tls", "mail-refused")
    assert "995 is the usual one" in step.sentence


def test_the_test_names_a_port_without_tls(desk: Any, plain_server: int) -> None:
    desk.change(port=plain_server)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("tls", "mail-no-tls")


def test_the_test_names_a_certificate_that_cant_be_verified(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    step = failed(probe(desk))
    assert (step.name, step.actor, step.code) == ("tls", Actor.OPERATOR, "mail-certificate")


def test_the_test_names_a_port_of_the_other_protocol(desk: Any, cloud: DevCloud) -> None:
    desk.change(port=cloud.mail.imap_port)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("capability", "mail-other-protocol")
    assert "type and port" in step.sentence


def test_the_test_names_a_server_without_oauth(desk: Any, password_server: int) -> None:
    desk.change(port=password_server)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("capability", "mail-no-oauth")


def test_the_test_names_a_mailbox_that_is_not_connected(new_desk: Desks) -> None:
    step = failed(probe(new_desk()))
    assert (step.name, step.actor, step.code) == ("token", Actor.OWNER, "not-connected")


def test_the_test_names_a_revoked_token(desk: Any, cloud: DevCloud) -> None:
    cloud.entra.revoke_sessions(desk.user)
    step = failed(probe(desk))
    assert (step.name, step.actor, step.code) == ("token", Actor.OWNER, "AADSTS50173")


def test_the_test_names_a_mailbox_that_refuses_the_login(desk: Any, cloud: DevCloud) -> None:
    desk.engine.broker.access_token(desk.mailbox)
    cloud.mail.trust(["https://elsewhere.example/"])
    try:
        step = failed(probe(desk))
    finally:
        cloud.mail.trust(cloud._issuers())
    assert (step.name, step.actor, step.code) == ("login", Actor.TENANT_ADMIN, "login-refused")
    assert "switch POP3 on" in step.sentence


def test_the_test_of_a_mailbox_that_is_read_over_imap_walks_every_step_too(desk: Any, cloud: DevCloud) -> None:
    desk.change(type="IMAP - OAuth", port=cloud.mail.imap_port)
    assert [each.outcome for each in probe(desk)] == [Outcome.OK] * len(STEPS)
    desk.change(port=cloud.mail.pop3_port)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("capability", "mail-other-protocol")
    assert "does not speak IMAP" in step.sentence


def test_the_test_names_a_server_that_never_answers(
    desk: Any, silent_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket_engine.operations.probe._TIMEOUT", 0.3)
    desk.change(port=silent_server)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("tls", "mail-timeout")
    assert "firewall" in step.sentence


def test_the_test_names_a_network_that_does_not_lead_there(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError(113, "No route to host")

    monkeypatch.setattr("socket.create_connection", unreachable)
    step = failed(probe(desk))
    assert (step.name, step.code) == ("tls", "mail-unreachable")
    assert "No route to host" in step.sentence


def test_the_test_names_a_client_secret_that_is_missing_or_wrong(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    desk.connect()
    desk.engine.mailbox_setup.set_secret(desk.id, "not~the~right~one", ends_at=None, by=ADA)
    step = failed(probe(desk, Engine(desk.engine.settings, cloud.clock)))
    assert (step.name, step.actor, step.code) == ("token", Actor.OPERATOR, "AADSTS7000215")
    desk.engine.stores.vault._clients.secrets.begin_delete_secret(f"{desk.id}--client-secret").wait()
    step = failed(probe(desk, Engine(desk.engine.settings, cloud.clock)))
    assert (step.name, step.code) == ("token", "client-secret-missing")


def test_the_test_says_that_a_long_token_is_trouble_with_pop3(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticket_engine.operations.probe._LONG_TOKEN", 100)
    (token,) = [each for each in probe(desk) if each.name == "token"]
    assert "has refused POP3 logins with such long ones" in token.sentence


def test_the_secret_of_a_webhook_goes_with_its_ticket_type_and_with_its_mailbox(desk: Any) -> None:
    setup, vault = desk.engine.ticket_type_setup, desk.engine.stores.vault
    name = f"{desk.id}-hook"
    given = {"id": name, "name": "Hook", "mailbox": desk.id, "admin_email": "s@contoso.example"}
    removals: list[Callable[[], Any]] = [
        lambda: setup.remove(name, by=ADA),
        lambda: desk.engine.mailbox_setup.remove(desk.id, by=ADA),
    ]
    for remove in removals:
        setup.add({**given, "task": "Webhook", "webhook_url": "https://hooks.contoso.example/"}, by=ADA)
        setup.new_webhook_secret(name, by=ADA)
        remove()
        assert vault.webhook_secret(name) is None
