"""Access tokens and rotation against the stand-ins, faults included."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, MailLoginError, TokenError, VaultUnavailableError
from ticket_engine.mail import open_source

Desks = Callable[..., Any]


def test_rotation_writes_a_new_version_with_a_new_expiry(desk: Any, cloud: DevCloud) -> None:
    before = desk.engine.stores.vault.refresh_token(desk.id)
    desk.engine.broker.rotate(desk.mailbox)
    after = desk.engine.stores.vault.refresh_token(desk.id)
    assert after.value != before.value
    assert abs(after.expires_at - cloud.clock() - timedelta(days=90)) < timedelta(minutes=1)
    assert desk.engine.stores.states.token(desk.id).rotated_at is not None
    assert desk.engine.stores.journal.newest(desk.id)[0].event == "token-rotated"


def test_a_mailbox_is_due_for_rotation_within_a_day_and_not_at_once(desk: Any) -> None:
    state = desk.engine.stores.states.token(desk.id)
    broker = desk.engine.broker
    assert not broker.due(desk.id, state)
    assert broker.due(desk.id, replace(state, rotated_at=state.rotated_at - timedelta(days=1)))
    assert desk.id not in desk.engine.rotations_due()


def test_an_access_token_is_redeemed_once_and_then_comes_from_memory(desk: Any, cloud: DevCloud) -> None:
    before = cloud.entra.requests["token"]
    assert desk.engine.broker.access_token(desk.mailbox) == desk.engine.broker.access_token(desk.mailbox)
    assert cloud.entra.requests["token"] == before + 1


def test_a_response_without_a_new_refresh_token_keeps_the_old_one(desk: Any, cloud: DevCloud) -> None:
    before = desk.engine.stores.vault.refresh_token(desk.id)

    def without(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "refresh_token"}

    cloud.entra.faults.add("token", replace=without)
    desk.engine.broker.rotate(desk.mailbox)
    assert desk.engine.stores.vault.refresh_token(desk.id).value == before.value


def test_a_token_that_was_stored_meanwhile_is_not_overwritten(desk: Any, cloud: DevCloud) -> None:
    vault = desk.engine.stores.vault

    def consent_meanwhile(answer: dict[str, Any]) -> dict[str, Any]:
        vault.store_refresh_token(desk.id, "newer", cloud.clock() + timedelta(days=90))
        return answer

    cloud.entra.faults.add("token", replace=consent_meanwhile)
    desk.engine.broker.rotate(desk.mailbox)
    assert vault.refresh_token(desk.id).value == "newer"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "1"}, "body": '{"error": "temporarily_unavailable"}'},
        {"status": 200, "body": "<html>a proxy's page</html>"},
        {"cut_after": 300},
    ],
)
def test_a_passing_fault_of_the_token_endpoint_is_retried_and_drops_no_token(
    desk: Any, cloud: DevCloud, fault: dict[str, Any]
) -> None:
    before = desk.engine.stores.vault.refresh_token(desk.id)
    cloud.entra.faults.add("token", times=2, **fault)
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    cloud.entra.faults.clear()
    assert caught.value.reaction.actor is Actor.SERVICE
    assert desk.engine.stores.vault.refresh_token(desk.id).version == before.version
    Engine(desk.engine.settings, cloud.clock).broker.rotate(desk.mailbox)
    assert desk.engine.stores.states.token(desk.id).failure is None


def test_a_revoked_session_asks_the_owner_and_keeps_the_token(desk: Any, cloud: DevCloud) -> None:
    before = desk.engine.stores.vault.refresh_token(desk.id)
    cloud.entra.revoke_sessions(desk.user)
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    assert caught.value.reaction.actor is Actor.OWNER
    assert caught.value.reaction.code == "AADSTS50173"
    assert desk.engine.stores.vault.refresh_token(desk.id).version == before.version
    assert desk.engine.stores.states.token(desk.id).failure.actor is Actor.OWNER


def test_a_wrong_client_secret_asks_the_operator_and_a_replaced_one_works_at_once(desk: Any) -> None:
    vault = desk.engine.stores.vault
    vault.store_client_secret(desk.id, "not the secret")
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.rotate(desk.mailbox)
    assert caught.value.reaction.actor is Actor.OPERATOR
    vault.store_client_secret(desk.id, desk.application.add_secret())
    desk.engine.broker.rotate(desk.mailbox)


@pytest.mark.parametrize(
    ("fault", "actor"),
    [({"status": 403, "body": "{}"}, Actor.OPERATOR), ({"status": 503, "times": 9}, Actor.SERVICE)],
)
def test_an_unreachable_vault_is_the_services_problem_and_a_forbidden_one_the_operators(
    desk: Any, cloud: DevCloud, fault: dict[str, Any], actor: Actor
) -> None:
    cloud.vault.faults.add("get", **fault)
    with pytest.raises(VaultUnavailableError) as caught:
        desk.engine.broker.access_token(desk.mailbox)
    cloud.vault.faults.clear()
    assert caught.value.reaction.actor is actor


def test_two_mailboxes_of_one_application_have_their_own_secret_and_token(new_desk: Desks) -> None:
    first = new_desk()
    second = new_desk(first.application)
    first.connect()
    second.connect()
    vault = first.engine.stores.vault
    assert vault.client_secret(first.id).value != vault.client_secret(second.id).value
    assert vault.refresh_token(first.id).value != vault.refresh_token(second.id).value


def test_a_token_opens_its_own_mailbox_only(new_desk: Desks) -> None:
    first = new_desk()
    second = new_desk(first.application)
    first.connect()
    second.connect()
    tokens = {each.id: each.engine.broker.access_token(each.mailbox) for each in (first, second)}
    for mine, other in ((first, second), (second, first)):
        with open_source(mine.mailbox, tokens[mine.id]) as source:
            assert source.count() == 0
        with pytest.raises(MailLoginError):
            open_source(mine.mailbox, tokens[other.id])


def test_a_mailbox_that_never_consented_asks_its_owner(new_desk: Desks) -> None:
    desk = new_desk()
    with pytest.raises(TokenError) as caught:
        desk.engine.broker.access_token(desk.mailbox)
    assert caught.value.reaction.code == "not-connected"
