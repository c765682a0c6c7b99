"""Consent against the identity platform's stand-in, a real mail server and the vault."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from devcloud.cloud import DevCloud
from devcloud.entra.tokens import SigningKeys
from ticket_engine.errors import Actor
from ticket_engine.oauth.consent import FLOW_LIFETIME, INVITE_LIFETIME, hashed
from ticket_engine.oauth.outcome import Page, Refusal

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


def test_the_flow_in_the_table_holds_neither_state_nor_code_verifier(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    state = httpx.URL(started.authorize_url).params["state"]
    rows = list(desk.engine.stores.flows._rows.query("PartitionKey eq 'flow'", {}))
    assert hashed(state) in {each["RowKey"] for each in rows}
    assert started.cookie_value not in str(rows)
    assert state not in str(rows)


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
    approval = httpx.URL(refusal.approval_url or "")
    assert str(approval).startswith(f"{desk.cloud.entra.url}/{desk.cloud.tenant.id}/v2.0/adminconsent?")
    assert approval.params["client_id"] == desk.application.client_id
    assert approval.params["redirect_uri"] == desk.cloud.redirect_url


def test_what_no_approval_settles_comes_without_the_link_for_it(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    desk.user.disabled = True
    refusal = refused(desk, started, parameters)
    assert (refusal.page, refusal.reaction.code) == (Page.ADMIN_APPROVAL, "AADSTS50057")
    assert refusal.approval_url is None


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


@pytest.mark.parametrize("skewed", [{"iat": 100, "nbf": 100}, {"exp": -100}])
def test_clocks_that_differ_by_less_than_two_minutes_do_not_matter(
    new_desk: Desks, cloud: DevCloud, skewed: dict[str, int]
) -> None:
    desk = new_desk()

    def skew(answer: dict[str, Any]) -> dict[str, Any]:
        import jwt

        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        claims |= {name: int(time.time()) + seconds for name, seconds in skewed.items()}
        return {**answer, "id_token": cloud.entra.keys.sign(claims)}

    cloud.entra.faults.add("token", replace=skew)
    assert desk.connect().mailbox.id == desk.id


def test_a_mailbox_that_is_read_over_imap_is_opened_over_imap_at_the_consent(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    desk = new_desk(type="IMAP - OAuth", port=cloud.mail.imap_port)
    desk.deliver(mail(1), mail(2))
    assert desk.connect().mails == 2
    refusal = refused_by_imap(new_desk, cloud)
    assert refusal.page is Page.MAILBOX_REFUSED
    assert "IMAP" in refusal.reaction.sentence


def refused_by_imap(new_desk: Desks, cloud: DevCloud) -> Refusal:
    """The right delegate of a shared mailbox, whom the server does not let in over IMAP."""
    delegate = new_desk()
    values = {"type": "IMAP - OAuth", "port": cloud.mail.imap_port, "shared_mailbox": True}
    shared = new_desk(delegate.application, delegate=delegate.address, **values)
    started = shared.engine.consent.start(shared.id, shared.invite())
    return refused(shared, started, shared.cloud_redirect(started.authorize_url, delegate.address))


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


def test_a_named_delegate_connects_a_shared_mailbox_and_nobody_else_does(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    delegate = new_desk()
    shared = new_desk(delegate.application, shared_mailbox=True, delegate=delegate.address)
    started = shared.engine.consent.start(shared.id, shared.invite())
    assert f"login_hint={delegate.address.replace('@', '%40')}" in started.authorize_url
    refusal = refused(shared, started, shared.cloud_redirect(started.authorize_url, shared.address))
    assert refusal.page is Page.WRONG_ACCOUNT
    assert f"the shared mailbox {shared.address}" in refusal.reaction.sentence
    # The right delegate, whom Exchange does not let in: nothing is stored.
    started = shared.engine.consent.start(shared.id, shared.invite())
    refusal = refused(shared, started, shared.cloud_redirect(started.authorize_url, delegate.address))
    assert refusal.page is Page.MAILBOX_REFUSED
    user = cloud.entra.directory.user(delegate.address)
    assert user is not None
    user.full_access = shared.address
    started = shared.engine.consent.start(shared.id, shared.invite())
    cookies = {started.cookie_name: started.cookie_value}
    shared.engine.consent.finish(shared.cloud_redirect(started.authorize_url, delegate.address), cookies)
    assert shared.engine.stores.states.token(shared.id).connected_as == delegate.address
    shared.deliver(mail(1))
    assert shared.poll().messages == 1


def test_a_delegate_does_not_consent_for_a_mailbox_that_is_not_marked_shared(new_desk: Desks, cloud: DevCloud) -> None:
    desk, helper = new_desk(), new_desk()
    user = cloud.entra.directory.user(helper.address)
    assert user is not None
    user.full_access = desk.address
    started = desk.engine.consent.start(desk.id, desk.invite())
    assert refused(desk, started, desk.cloud_redirect(started.authorize_url, helper.address)).page is Page.WRONG_ACCOUNT


def test_an_application_of_several_tenants_pins_the_tenant_of_the_first_consent(
    new_desk: Desks, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    desk = new_desk(tenant_id="organizations")
    desk.application.multi_tenant = True
    other = cloud.add_tenant("fabrikam.example")
    desk.change(username=cloud.add_account("far-desk", other))
    started = desk.engine.consent.start(desk.id, desk.invite())
    cookies = {started.cookie_name: started.cookie_value}
    desk.engine.consent.finish(desk.cloud_redirect(started.authorize_url, desk.mailbox.username), cookies)
    assert desk.engine.stores.states.token(desk.id).tenant_id == other.id
    cloud.mail.deliver(desk.mailbox.username, mail(1))
    assert desk.poll().messages == 1
    desk.engine.broker.rotate(desk.mailbox)
    # The same name turns up in a third tenant.
    user = cloud.entra.directory.user(desk.mailbox.username)
    assert user is not None
    user.tenant = cloud.add_tenant("tailspin.example")
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url, desk.mailbox.username)
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value})
    assert (caught.value.page, caught.value.reaction.code) == (Page.BROKEN, "wrong-tenant")
    assert desk.engine.stores.states.token(desk.id).tenant_id == other.id


def test_a_personal_account_is_no_organisations(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk(tenant_id="organizations")
    desk.application.multi_tenant = True
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        import jwt

        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        claims |= {"tid": personal, "iss": f"{cloud.entra.url}/{personal}/v2.0"}
        return {**answer, "id_token": cloud.entra.keys.sign(claims)}

    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", replace=forge)
    assert "the tenant is another one" in refused(desk, started, parameters).reaction.sentence


def test_another_tenants_token_is_refused_though_its_issuer_is_genuine(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    stranger = "33333333-2222-2222-2222-222222222222"

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        import jwt

        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        claims |= {"tid": stranger, "iss": f"{cloud.entra.url}/{stranger}/v2.0"}
        return {**answer, "id_token": cloud.entra.keys.sign(claims)}

    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", replace=forge)
    assert "the tenant is another one" in refused(desk, started, parameters).reaction.sentence


def test_the_state_of_another_mailbox_connects_neither(new_desk: Desks) -> None:
    first = new_desk()
    second = new_desk(first.application)
    mine = first.engine.consent.start(first.id, first.invite())
    theirs = second.engine.consent.start(second.id, second.invite())
    code = first.cloud_redirect(mine.authorize_url)
    other_state = second.cloud_redirect(theirs.authorize_url)["state"]
    both = {each.cookie_name: each.cookie_value for each in (mine, theirs)}
    refused(second, theirs, {**code, "state": other_state}, both)
    assert not first.engine.stores.states.token(first.id).connected


def test_a_revoked_invite_starts_nothing_and_ends_what_it_started(new_desk: Desks) -> None:
    desk = new_desk()
    invite = desk.invite()
    started = desk.engine.consent.start(desk.id, invite)
    parameters = desk.cloud_redirect(started.authorize_url)
    assert desk.engine.consent.revoke_invite(desk.id)
    assert not desk.engine.consent.revoke_invite(desk.id)
    assert refused(desk, started, parameters).page is Page.LINK_ENDED
    with pytest.raises(Refusal):
        desk.engine.consent.start(desk.id, invite)


def test_after_the_wrong_account_the_same_browser_may_try_again(new_desk: Desks) -> None:
    application = new_desk().application
    desk, other = new_desk(application), new_desk(application)
    started = desk.engine.consent.start(desk.id, desk.invite())
    refusal = refused(desk, started, desk.cloud_redirect(started.authorize_url, other.address))
    retry = refusal.retry
    assert retry is not None
    desk.engine.consent.finish(desk.cloud_redirect(retry.authorize_url), {retry.cookie_name: retry.cookie_value})
    assert desk.engine.stores.states.token(desk.id).connected


def test_a_vault_that_fails_after_the_wrong_account_only_takes_the_offer_away(new_desk: Desks, cloud: DevCloud) -> None:
    application = new_desk().application
    desk, other = new_desk(application), new_desk(application)
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url, None)
    cloud.vault.faults.add("get", status=403, body="{}", times=1)
    assert refused(desk, started, parameters).retry is None
    assert other.address != desk.address


def test_a_removed_mailbox_ends_its_sign_in(new_desk: Desks) -> None:
    desk = new_desk(ticket_type=False)
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    desk.engine.stores.mailboxes._rows.delete("mailbox", desk.id)
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value})
    assert (caught.value.page, caught.value.mailbox) == (Page.LINK_ENDED, None)


def test_a_response_without_a_refresh_token_names_the_missing_permission(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()

    def without(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "refresh_token"}

    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", replace=without)
    assert "offline_access" in refused(desk, started, parameters).reaction.sentence


def test_keys_that_can_not_be_read_are_the_services_problem(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("keys", status=503)
    assert refused(desk, started, parameters).reaction.actor is Actor.SERVICE


def test_an_odd_error_of_the_authorize_page_is_no_decline(new_desk: Desks) -> None:
    desk = new_desk()
    started = desk.engine.consent.start(desk.id, desk.invite())
    state = desk.cloud_redirect(started.authorize_url)["state"]
    refusal = refused(desk, started, {"error": "server_error", "state": state, "error_description": "<b>x</b>"})
    assert (refusal.page, refusal.reaction.actor) == (Page.BROKEN, Actor.SERVICE)
    assert "<b>" not in str(refusal)


def test_ten_thousand_started_flows_expire_and_are_cleaned_a_hundred_at_a_time(engine: Any, cloud: DevCloud) -> None:
    from ticket_engine.records import ConsentFlow
    from ticket_engine.store.entities import to_entity
    from ticket_engine.store.transactions import create

    now = cloud.clock()
    table = engine.stores.flows
    flows = [ConsentFlow("nobody", "{}", "v", "i", now - timedelta(minutes=n % 5 - 1)) for n in range(10_000)]
    for start in range(0, len(flows), 100):
        part = enumerate(flows[start : start + 100], start)
        table._rows.transact([create(to_entity(flow, "flow", f"many-{n:05}")) for n, flow in part])
    ended = sum(flow.expires_at < now for flow in flows)
    assert table.sweep(now) >= ended
    assert table.sweep(now + timedelta(minutes=2)) >= len(flows) - ended
    assert table.sweep(now + timedelta(minutes=2)) == 0


def test_flows_that_another_run_sweeps_at_the_same_time_are_counted_once(engine: Any, cloud: DevCloud) -> None:
    from ticket_engine.records import ConsentFlow

    rows = engine.stores.flows._rows
    for name in ("a", "b"):
        rows.put(ConsentFlow("nobody", "{}", "v", "i", cloud.clock()), "flow", f"raced-{name}")
    assert rows.delete_all("flow", ["raced-a", "raced-gone", "raced-b"]) >= 2
    assert engine.stores.flows.take("raced-a") is None
