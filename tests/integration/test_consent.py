"""Consent against the identity platform's stand-in, a real mail server and the vault."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from devcloud.entra.tokens import SigningKeys
from ticket_engine.errors import Actor
from ticket_engine.oauth.consent import FLOW_LIFETIME, INVITE_LIFETIME, Page, Refusal

Desks = Callable[..., Any]


def refused(desk: Any, started: Any, parameters: dict[str, str], cookies: dict[str, str] | None = None) -> Refusal:
    cookies = {started.cookie_name: started.cookie_value} if cookies is None else cookies
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.finish(parameters, cookies)
    assert desk.engine.stores.vault.refresh_token(desk.id) is None, "nothing may be stored"
    assert not desk.engine.stores.states.token(desk.id).connected
    return caught.value


def test_a_consent_stores_the_refresh_token_with_its_expiry_and_connects_the_mailbox(new_desk: Desks) -> None:
    desk = new_desk()
    desk.deliver(b"Subject: waiting\r\n\r\nalready here\r\n")
    connected = desk.connect()
    assert (connected.mailbox.id, connected.mails) == (desk.id, 1)
    token = desk.engine.stores.vault.refresh_token(desk.id)
    state = desk.engine.stores.states.token(desk.id)
    assert token is not None
    assert token.expires_at is not None
    assert abs(token.expires_at - desk.cloud.clock() - timedelta(days=90)) < timedelta(minutes=1)
    assert state.connected_as == desk.address
    assert state.refresh_token_expires_at is not None
    assert desk.engine.stores.journal.newest(desk.id)[0].event == "connected"


def test_the_flow_in_the_table_holds_no_code_verifier(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    rows = list(desk.engine.stores.flows._rows.query("PartitionKey eq 'flow'", {}))
    assert rows
    assert started.cookie_value not in str(rows)


def test_a_callback_without_or_with_an_unknown_state_is_a_link_that_ended(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    for parameters in ({}, {"code": "x"}, {"code": "x", "state": "nobody-knows-this"}):
        assert refused(desk, started, parameters).page is Page.LINK_ENDED


def test_a_replayed_callback_finds_its_flow_gone(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cookies = {started.cookie_name: started.cookie_value}
    desk.engine.consent.finish(parameters, cookies)
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.finish(parameters, cookies)
    assert caught.value.page is Page.LINK_ENDED


def test_a_sign_in_that_comes_back_to_another_browser_is_refused(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    refusal = refused(desk, started, parameters, cookies={})
    assert refusal.reaction.code == "other-browser"


def test_another_account_than_the_mailbox_is_refused(new_desk: Desks) -> None:
    application = new_desk().application
    desk, other = new_desk(application), new_desk(application)
    started = desk.engine.consent.start(desk.id, desk.invite())
    refusal = refused(desk, started, desk.cloud_redirect(started.authorize_url, other.address))
    assert refusal.page is Page.WRONG_ACCOUNT
    assert desk.address in refusal.reaction.sentence


def test_a_declined_consent_says_so_and_stays_in_the_mailbox_state(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    refusal = refused(desk, started, desk.cloud_redirect(started.authorize_url, None))
    assert refusal.page is Page.DECLINED
    failure = desk.engine.stores.states.token(desk.id).failure
    assert failure is not None
    assert failure.actor is Actor.OWNER


def test_an_application_that_needs_approval_names_the_tenant_admin(new_desk: Desks) -> None:
    desk = new_desk()
    desk.application.admin_consent_required = True
    started = desk.engine.consent.start(desk.id, desk.invite())
    refusal = refused(desk, started, desk.cloud_redirect(started.authorize_url))
    assert refusal.page is Page.ADMIN_APPROVAL
    assert refusal.reaction.code == "AADSTS90094"


@pytest.mark.parametrize("invite", ["", "guessed"])
def test_a_link_without_the_right_invite_does_not_start(new_desk: Desks, invite: str) -> None:
    desk = new_desk()
    desk.invite()
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.start(desk.id, invite)
    assert caught.value.page is Page.LINK_ENDED


def test_an_unknown_mailbox_answers_like_a_wrong_invite(engine: Any) -> None:
    with pytest.raises(Refusal) as caught:
        engine.consent.start("no-such-mailbox", "x")
    assert caught.value.page is Page.LINK_ENDED
    assert caught.value.mailbox is None


def test_an_invite_is_spent_by_success_and_replaced_by_the_next_one(new_desk: Desks) -> None:
    desk = new_desk()
    first, second = desk.invite(), desk.invite()
    with pytest.raises(Refusal):
        desk.engine.consent.start(desk.id, first)
    started = desk.engine.consent.start(desk.id, second)
    desk.engine.consent.finish(desk.cloud_redirect(started.authorize_url), {started.cookie_name: started.cookie_value})
    with pytest.raises(Refusal):
        desk.engine.consent.start(desk.id, second)


def test_a_code_of_another_flow_is_refused(new_desk: Desks) -> None:
    desk = new_desk()
    invite = desk.invite()
    mine, theirs = desk.engine.consent.start(desk.id, invite), desk.engine.consent.start(desk.id, invite)
    stolen = desk.cloud_redirect(theirs.authorize_url)["code"]
    own = desk.cloud_redirect(mine.authorize_url)
    assert refused(desk, mine, {**own, "code": stolen}).page is Page.BROKEN


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"aud": "11111111-1111-1111-1111-111111111111"}, "InvalidAudienceError"),
        ({"iss": "https://evil.example/v2.0"}, "issuer"),
        ({"exp": 1_000_000_000}, "ExpiredSignatureError"),
        ({"tid": "22222222-2222-2222-2222-222222222222"}, "issuer"),
        ({"nonce": "another"}, "does not belong"),
    ],
)
def test_an_id_token_with_a_wrong_claim_is_refused(
    new_desk: Desks, cloud: DevCloud, forged: dict[str, Any], why: str
) -> None:
    desk = new_desk()

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        import jwt

        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        return {**answer, "id_token": cloud.entra.keys.sign({**claims, **forged})}

    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", replace=forge)
    refusal = refused(desk, started, parameters)
    assert refusal.page is Page.BROKEN
    assert why in refusal.reaction.sentence


@pytest.mark.parametrize("kind", ["unsigned", "other key"])
def test_an_id_token_that_microsoft_did_not_sign_is_refused(new_desk: Desks, cloud: DevCloud, kind: str) -> None:
    desk = new_desk()

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        import jwt

        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        kid = jwt.get_unverified_header(answer["id_token"])["kid"]
        if kind == "unsigned":
            return {**answer, "id_token": jwt.encode(claims, "", algorithm="none", headers={"kid": kid})}
        stranger = next(iter(SigningKeys()._keys.values()))
        return {**answer, "id_token": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid})}

    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", replace=forge)
    assert refused(desk, started, parameters).reaction.code == "sign-in-not-genuine"


def test_a_mail_server_that_refuses_leaves_nothing_stored(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk(port=cloud.mail.imap_port)
    started = desk.engine.consent.start(desk.id, desk.invite())
    refused(desk, started, desk.cloud_redirect(started.authorize_url))


def test_flows_expire_and_are_swept(new_desk: Desks, engine: Any, cloud: DevCloud) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    later = cloud.clock() + FLOW_LIFETIME + timedelta(seconds=1)
    desk.engine.consent._clock = lambda: later
    assert refused(desk, started, parameters).page is Page.LINK_ENDED
    desk.engine.consent._clock = cloud.clock
    desk.engine.consent.start(desk.id, desk.invite())
    assert engine.stores.flows.sweep(cloud.clock()) == 0
    assert engine.stores.flows.sweep(later) >= 1


def test_an_invite_expires(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    invite = desk.invite()
    desk.engine.consent._clock = lambda: cloud.clock() + INVITE_LIFETIME
    with pytest.raises(Refusal):
        desk.engine.consent.start(desk.id, invite)


def test_a_failed_consent_takes_nothing_from_a_connected_mailbox(desk: Any) -> None:
    before = desk.engine.stores.vault.refresh_token(desk.id)
    started = desk.engine.consent.start(desk.id, desk.invite())
    with pytest.raises(Refusal):
        desk.engine.consent.finish(
            desk.cloud_redirect(started.authorize_url, None), {started.cookie_name: started.cookie_value}
        )
    state = desk.engine.stores.states.token(desk.id)
    assert state.connected
    assert state.failure is None
    assert desk.engine.stores.vault.refresh_token(desk.id).version == before.version


def test_an_unreachable_vault_ends_in_a_page_and_an_entry_in_the_mailbox_state(
    new_desk: Desks, cloud: DevCloud
) -> None:
    desk = new_desk()
    invite = desk.invite()
    cloud.vault.faults.add("get", times=9, status=503)
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.start(desk.id, invite)
    cloud.vault.faults.clear()
    assert caught.value.page is Page.BROKEN
    failure = desk.engine.stores.states.token(desk.id).failure
    assert (failure.actor, failure.code) == (Actor.SERVICE, "vault-unavailable")
    assert desk.engine.consent.start(desk.id, invite)
