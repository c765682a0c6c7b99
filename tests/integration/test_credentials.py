"""The application's credential: secret, certificate or none; refused, replaced, and near its end."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, CredentialRefusedError, TokenError
from ticket_engine.oauth.outcome import Refusal

Desks = Callable[..., Any]
CERTIFICATE = {"credential": "certificate", "certificate_name": "engine"}


def ahead(cloud: DevCloud, by: timedelta) -> Callable[[], datetime]:
    return lambda: cloud.clock() + by


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[logging.LogRecord]:
    return [each for each in caplog.records if getattr(each, "event", "") == event]


@pytest.mark.parametrize("pem", [True, False])
def test_an_application_with_a_certificate_connects_polls_and_rotates(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes], *, pem: bool
) -> None:
    desk = new_desk(**CERTIFICATE)
    desk.application.secrets.clear()
    desk.application.certificates.append(cloud.vault.create_certificate("engine", pem=pem))
    desk.connect()
    desk.deliver(mail(1))
    assert desk.poll().messages == 1
    ends_at = desk.engine.stores.states.token(desk.id).credential_ends_at
    assert abs(ends_at - cloud.clock() - timedelta(days=365)) < timedelta(minutes=5)
    # Key Vault renews it; the newest version is used at once, also in a process that knew the old one.
    desk.application.certificates[:] = [cloud.vault.create_certificate("engine", pem=pem)]
    desk.engine.broker.rotate(desk.mailbox)


def test_a_certificate_that_nobody_uploaded_asks_the_operator(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk(**CERTIFICATE)
    cloud.vault.create_certificate("engine")
    with pytest.raises(Refusal, match="AADSTS700027") as caught:
        desk.connect()
    assert caught.value.reaction.actor is Actor.OPERATOR


@pytest.mark.parametrize(("value", "code"), [(None, "certificate-missing"), ("secret", "certificate-unreadable")])
def test_a_missing_or_unreadable_certificate_asks_the_operator(new_desk: Desks, value: str | None, code: str) -> None:
    desk = new_desk(credential="certificate", certificate_name="broken-one")
    if value is not None:
        desk.engine.clients.secrets.set_secret("broken-one", value)
    with pytest.raises(TokenError) as caught:
        desk.engine.applications.of(desk.mailbox)
    assert (caught.value.reaction.actor, caught.value.reaction.code) == (Actor.OPERATOR, code)


def federate(desk: Any, cloud: DevCloud, subject: str | None = None) -> None:
    issuer = f"{cloud.entra.url}/{cloud.tenant.id}/v2.0"
    desk.application.federated.append((issuer, subject or cloud.identity.principal_id))


def test_an_application_without_any_secret_proves_itself_by_the_managed_identity(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    desk = new_desk(credential="managed identity")
    desk.application.secrets.clear()
    federate(desk, cloud)
    desk.connect()
    desk.deliver(mail(1))
    assert desk.poll().messages == 1
    desk.engine.broker.rotate(desk.mailbox)
    assert desk.engine.stores.states.token(desk.id).credential_ends_at is None


def test_a_federated_credential_of_another_identity_asks_the_operator(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk(credential="managed identity")
    with pytest.raises(Refusal, match="AADSTS70021"):
        desk.connect()
    federate(desk, cloud, subject="someone else")
    engine = Engine(desk.engine.settings, ahead(cloud, timedelta(minutes=10)))
    desk.engine = engine
    with pytest.raises(Refusal, match="AADSTS700213") as caught:
        desk.connect()
    assert caught.value.reaction.actor is Actor.OPERATOR


def test_an_identity_that_gives_no_token_asks_the_operator(
    new_desk: Desks, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = new_desk(credential="managed identity")
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    monkeypatch.setattr(cloud.entra.directory, "identities", [])
    with pytest.raises(Refusal, match="managed-identity-unavailable") as caught:
        desk.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value})
    assert caught.value.reaction.actor is Actor.OPERATOR


def test_an_expired_secret_pauses_all_its_mailboxes_with_one_alert_and_they_resume_by_themselves(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    application = cloud.add_application()
    secret = application.client_secret
    desks = [new_desk(application) for _ in range(3)]
    for desk in desks:
        desk.engine.stores.vault.store_client_secret(desk.id, secret)
        desk.connect()
        desk.deliver(mail(1))
    versions = {desk.id: desk.engine.stores.vault.refresh_token(desk.id).version for desk in desks}
    application.secrets[0].expires_at = cloud.clock()
    engine = Engine(desks[0].engine.settings, cloud.clock)
    before = cloud.entra.requests["token"]
    with caplog.at_level(logging.INFO):
        for desk in desks * 2:
            failure = desk.poll(by=engine).failure
            assert (failure.actor, failure.code) == (Actor.OPERATOR, "AADSTS7000222")
    assert len(events(caplog, "credential-refused")) == 1
    assert cloud.entra.requests["token"] == before + 1, "one request for all of them"
    for desk in desks:
        assert desk.engine.stores.vault.refresh_token(desk.id).version == versions[desk.id]
        assert [each.event for each in desk.engine.stores.journal.newest(desk.id)].count("poll-failed") == 1
        assert desk.id in engine.poller.due(), "no backoff: the next round finds a replaced secret"
    replaced = application.add_secret()
    for desk in desks:
        desk.engine.stores.vault.store_client_secret(desk.id, replaced)
        assert desk.poll(by=engine).messages == 1
        assert engine.stores.states.poll(desk.id)[0].failure is None


def test_a_secret_that_works_again_is_found_by_one_mailbox_and_frees_all(
    new_desk: Desks, cloud: DevCloud, caplog: pytest.LogCaptureFixture
) -> None:
    application = cloud.add_application()
    desks = [new_desk(application) for _ in range(2)]
    for desk in desks:
        desk.engine.stores.vault.store_client_secret(desk.id, application.client_secret)
        desk.connect()
    kept = application.secrets[:]
    application.secrets.clear()
    engine = desks[0].engine
    for desk in desks:
        with pytest.raises(CredentialRefusedError):
            engine.broker.rotate(desk.mailbox)
    application.secrets[:] = kept
    with pytest.raises(CredentialRefusedError):
        engine.broker.rotate(desks[0].mailbox)
    later = Engine(engine.settings, ahead(cloud, timedelta(minutes=9)))
    with caplog.at_level(logging.INFO):
        for desk in desks:
            later.broker.rotate(desk.mailbox)
    assert len(events(caplog, "credential-accepted")) == 1
    assert engine.stores.states.token(desks[0].id).failure is None


def test_an_attempt_after_a_refusal_that_is_refused_again_waits_again_without_another_alert(
    new_desk: Desks, cloud: DevCloud, caplog: pytest.LogCaptureFixture
) -> None:
    desk = new_desk()
    desk.connect()
    desk.application.secrets.clear()
    later = Engine(desk.engine.settings, ahead(cloud, timedelta(minutes=10)))
    for engine in (desk.engine, later, later):
        with caplog.at_level(logging.INFO), pytest.raises(CredentialRefusedError):
            engine.broker.rotate(desk.mailbox)
    assert len(events(caplog, "credential-refused")) == 1
    assert [each.event for each in desk.engine.stores.journal.newest(desk.id)].count("rotation-failed") == 1


def test_two_instances_that_try_again_at_once_make_one_request(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    desk.connect()
    desk.application.secrets.clear()
    with pytest.raises(CredentialRefusedError):
        desk.engine.broker.rotate(desk.mailbox)
    first, second = (Engine(desk.engine.settings, ahead(cloud, timedelta(minutes=10))) for _ in range(2))
    credential = first.applications._credentials.of(desk.mailbox)
    refusals, table = first.applications._refusals, first.stores.credentials
    found = table.get(desk.mailbox.client_id, credential.fingerprint)
    with pytest.raises(CredentialRefusedError):
        second.broker.rotate(desk.mailbox)
    assert found is not None
    assert not refusals._claims(desk.mailbox.client_id, credential, found)


def test_expiry_warnings_are_given_once_each_in_journal_log_and_health(
    new_desk: Desks, cloud: DevCloud, caplog: pytest.LogCaptureFixture
) -> None:
    desk = new_desk()
    vault, states = desk.engine.stores.vault, desk.engine.stores.states
    ends_at = cloud.clock() + timedelta(days=31)
    vault.store_client_secret(desk.id, desk.application.add_secret(), ends_at)
    desk.connect()
    given = []
    for days in (0, 2, 2, 18, 25, 30.5, 30.5, 32):
        engine = Engine(desk.engine.settings, ahead(cloud, timedelta(days=days)))
        caplog.clear()
        with caplog.at_level(logging.INFO):
            engine.expiry.look()
        mine = [each for each in events(caplog, "expiry") if each.__dict__["mailbox"] == desk.id]
        given += [(days, each.__dict__["days"], each.__dict__["what"]) for each in mine]
    assert given == [
        (2, 30, "client secret"),
        (18, 14, "client secret"),
        (25, 7, "client secret"),
        (30.5, 1, "client secret"),
    ]
    entries = [each for each in desk.engine.stores.journal.newest(desk.id) if each.event == "expiry"]
    assert len(entries) == 4
    assert all(each.actor is Actor.OPERATOR for each in entries)
    later = cloud.clock() + timedelta(days=2)
    assert (
        "client secret ends on"
        in desk.engine.health.judge(desk.mailbox, states.token(desk.id), None, later).warnings[0]
    )
    vault.store_client_secret(desk.id, desk.application.add_secret(), ends_at + timedelta(days=700))
    desk.engine.broker.rotate(desk.mailbox)
    assert desk.engine.health.judge(desk.mailbox, states.token(desk.id), None, later).warnings == ()


def test_a_refresh_token_that_could_not_be_renewed_warns_that_its_owner_must_act(
    new_desk: Desks, cloud: DevCloud, caplog: pytest.LogCaptureFixture
) -> None:
    desk = new_desk()
    ends_at = cloud.clock() + timedelta(days=700)
    desk.engine.stores.vault.store_client_secret(desk.id, desk.application.add_secret(), ends_at)
    desk.connect()
    given = []
    for days in (59, 61, 61, 84, 89.5, 91):
        engine = Engine(desk.engine.settings, ahead(cloud, timedelta(days=days)))
        caplog.clear()
        with caplog.at_level(logging.INFO):
            engine.expiry.look()
        mine = [each for each in events(caplog, "expiry") if each.__dict__["mailbox"] == desk.id]
        given += [(days, each.__dict__["days"], each.__dict__["what"]) for each in mine]
    assert given == [(61, 30, "refresh token"), (84, 7, "refresh token"), (89.5, 1, "refresh token")]
    entry = desk.engine.stores.journal.newest(desk.id)[0]
    assert (entry.event, entry.actor) == ("expiry", Actor.OWNER)
    assert f"{desk.address} must open a new consent link" in entry.sentence


def test_a_secret_whose_end_nobody_told_ends_after_two_years_at_the_latest(desk: Any, cloud: DevCloud) -> None:
    ends_at = desk.engine.stores.states.token(desk.id).credential_ends_at
    assert abs(ends_at - cloud.clock() - timedelta(days=730)) < timedelta(minutes=5)


def test_a_missing_client_secret_asks_the_operator_and_an_unknown_tenant_too(new_desk: Desks) -> None:
    desk = new_desk()
    desk.engine.clients.secrets.begin_delete_secret(f"{desk.id}--client-secret").wait()
    with pytest.raises(TokenError, match="client-secret-missing"):
        desk.engine.applications.of(desk.mailbox)
    other = new_desk(tenant_id="nobody.example")
    with pytest.raises(TokenError, match="tenant-not-found"):
        other.engine.applications.of(other.mailbox)


def test_only_so_many_clients_are_kept(new_desk: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticket_engine.oauth.applications._KEPT_CLIENTS", 2)
    application = new_desk().application
    desks = [new_desk(application) for _ in range(3)]
    for desk in desks:
        desk.engine.applications.of(desk.mailbox)
    assert len(desks[0].engine.applications._clients) == 2
