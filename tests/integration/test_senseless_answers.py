"""Answers of the identity platform, the vault and people in between that make no sense: no token is lost by them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, TokenError, VaultUnavailableError
from ticket_engine.oauth.id_token import IdTokenVerifier, InvalidIdTokenError
from ticket_engine.oauth.outcome import Page, Refusal

Desks = Callable[..., Any]

BODIES = [
    "",
    "null",
    "[]",
    '"token"',
    "{}",
    "<html>a proxy's page</html>",
    '{"error": 7}',
    '{"access_token": null}',
    '{"access_token": ""}',
    '{"access_token": ["a"]}',
    '{"access_token": "a", "refresh_token": ""}',
    '{"access_token": "a", "refresh_token": {"a": 1}}',
    '{"access_token": "a", "expires_in": "soon"}',
    '{"access_token": "a", "expires_in": -5}',
    '{"access_token": "a", "refresh_token": "r", "refresh_token_expires_in": 1e400}',
    '{"access_token": "a", "refresh_token": "r", "refresh_token_expires_in": 99999999999999999999}',
    '{"access_token": "a", "refresh_token": "r", "id_token": "no.jwt"}',
    '{"access_token": "a", "refresh_token": "r", "id_token": 7}',
]


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", BODIES)
def test_an_answer_that_is_no_token_response_is_tried_again_and_changes_no_token(
    desk: Any, cloud: DevCloud, body: str, status: int
) -> None:
    before = desk.engine.stores.states.token(desk.id)
    cloud.entra.faults.add("token", status=status, body=body)
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    assert (caught.value.reaction.actor, caught.value.reaction.code) == (Actor.SERVICE, "identity-unavailable")
    assert desk.engine.stores.states.token(desk.id).token_version == before.token_version
    desk.engine.broker.rotate(desk.mailbox)
    assert desk.engine.stores.states.token(desk.id).failure is None


@pytest.mark.parametrize("body", ["null", '{"access_token": "a", "refresh_token": "r", "id_token": "no.jwt"}'])
def test_a_consent_that_gets_a_senseless_answer_ends_on_a_page_and_can_be_repeated(
    new_desk: Desks, cloud: DevCloud, body: str
) -> None:
    desk = new_desk()
    invite = desk.invite()
    started = desk.engine.consent.start(desk.id, invite)
    parameters = desk.cloud_redirect(started.authorize_url)
    cloud.entra.faults.add("token", status=200, body=body)
    with pytest.raises(Refusal) as caught:
        desk.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value})
    assert (caught.value.page, caught.value.reaction.actor) == (Page.BROKEN, Actor.SERVICE)
    again = desk.engine.consent.start(desk.id, invite)
    desk.engine.consent.finish(desk.cloud_redirect(again.authorize_url), {again.cookie_name: again.cookie_value})


def test_a_redirect_of_the_token_endpoint_is_not_followed(desk: Any, cloud: DevCloud) -> None:
    before = cloud.entra.requests["token"]
    elsewhere = f"{cloud.entra.url}/{cloud.tenant.id}/oauth2/v2.0/token"
    cloud.entra.faults.add("token", status=307, headers={"Location": elsewhere})
    with pytest.raises(TokenError, match="identity-unavailable"):
        desk.engine.broker.rotate(desk.mailbox)
    assert cloud.entra.requests["token"] == before + 1, "the form with the token went to one address only"


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_a_busy_token_endpoint_suggests_is_known(desk: Any, cloud: DevCloud, status: int) -> None:
    cloud.entra.faults.add("token", status=status, headers={"Retry-After": "77"}, body="{}")
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    assert caught.value.reaction.retry_after == timedelta(seconds=77)


@pytest.mark.parametrize(
    "fault", [{"status": 200, "body": "[]"}, {"status": 403, "body": "<html>"}, {"status": 503}, {"cut_after": 20}]
)
def test_a_tenants_configuration_that_can_not_be_read_is_no_missing_tenant(
    desk: Any, cloud: DevCloud, fault: dict[str, Any]
) -> None:
    cloud.entra.faults.add("configuration", times=2, **fault)
    fresh = Engine(desk.engine.settings, cloud.clock)
    with pytest.raises(TokenError, match="identity-unavailable"):
        fresh.broker.rotate(desk.mailbox)
    cloud.entra.faults.clear()
    fresh.broker.rotate(desk.mailbox)


@pytest.mark.parametrize("fault", [{"status": 200, "body": "<html>"}, {"status": 200, "body": "[]"}, {"cut_after": 20}])
def test_signing_keys_that_can_not_be_read_are_the_services_problem(
    desk: Any, cloud: DevCloud, fault: dict[str, Any]
) -> None:
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    fresh = Engine(desk.engine.settings, cloud.clock)
    cloud.entra.faults.add("keys", **fault)
    with pytest.raises(Refusal) as caught:
        fresh.consent.finish(parameters, {started.cookie_name: started.cookie_value})
    assert caught.value.reaction.actor is Actor.SERVICE


def test_a_new_signing_key_of_the_platform_is_found(desk: Any, cloud: DevCloud) -> None:
    keys = cloud.entra.keys
    verifier = IdTokenVerifier(cloud.entra.url)
    claims = cloud.entra.grants.id_token_claims(desk.application, desk.user, "")
    arguments = {"client_id": desk.application.client_id, "tenant_id": cloud.tenant.id}
    first = keys.sign(claims)
    assert verifier.verify(first, **arguments).username == desk.address
    earlier = keys._newest
    keys.rotate()
    second = keys.sign(claims)
    keys._newest = earlier
    cloud.entra.faults.add("keys", status=503)
    with pytest.raises(TokenError, match="identity-unavailable"):
        verifier.verify(second, **arguments)
    assert jwt.get_unverified_header(first)["kid"] != jwt.get_unverified_header(second)["kid"]
    assert verifier.verify(second, **arguments).username == desk.address


@pytest.mark.parametrize("id_token", ["", "x", "a.b.c", "é.é.é", "." * 5000, json.dumps({"alg": "none"})])
def test_what_is_no_id_token_is_refused(cloud: DevCloud, id_token: str) -> None:
    verifier = IdTokenVerifier(cloud.entra.url)
    with pytest.raises(InvalidIdTokenError):
        verifier.verify(id_token, client_id="c", tenant_id=cloud.tenant.id)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (
            403,
            '{"error": {"code": "Forbidden", "message": "not allowed on a disabled secret"}}',
            "vault-secret-disabled",
        ),
        (403, '{"error": {"code": "Forbidden", "message": "Caller is not authorized"}}', "vault-access-denied"),
    ],
)
def test_a_vault_that_refuses_says_what_the_operator_does(
    desk: Any, cloud: DevCloud, status: int, body: str, code: str
) -> None:
    before = desk.engine.stores.states.token(desk.id).token_version
    cloud.vault.faults.add("set", status=status, body=body, headers={"Content-Type": "application/json"})
    with pytest.raises(VaultUnavailableError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    assert (caught.value.reaction.actor, caught.value.reaction.code) == (Actor.OPERATOR, code)
    assert desk.engine.stores.states.token(desk.id).token_version == before
    desk.engine.broker.rotate(desk.mailbox)


def test_a_token_that_was_deleted_in_the_vault_is_stored_again_by_the_next_consent(desk: Any) -> None:
    desk.engine.clients.secrets.begin_delete_secret(f"{desk.id}--refresh-token").wait()
    desk.connect()
    desk.engine.broker.rotate(desk.mailbox)
