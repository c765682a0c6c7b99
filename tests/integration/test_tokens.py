"""Access tokens and rotation against the stand-ins, faults included."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, MailLoginError, TicketEngineError, TokenError
from ticket_engine.mail import open_source
from ticket_engine.oauth.tokens import TokenBroker
from ticket_engine.records import TokenState

Desks = Callable[..., Any]


@pytest.fixture(scope="module")
def cloud() -> Iterator[DevCloud]:
    """A cloud of its own, whose time these tests move."""
    with DevCloud() as running:
        running.join()
        yield running


def tokens_redeemed(cloud: DevCloud, action: Callable[[], object]) -> list[str]:
    before = len(cloud.entra.grants.redeemed)
    action()
    return cloud.entra.grants.redeemed[before:]


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
    assert desk.id not in broker.rotations_due()
    assert not broker.due(desk.id, TokenState()), "nothing to rotate yet"


def test_a_queue_message_that_is_delivered_twice_rotates_once(desk: Any) -> None:
    states, vault = desk.engine.stores.states, desk.engine.stores.vault
    states.update_token(desk.id, lambda state: replace(state, rotated_at=state.rotated_at - timedelta(days=2)))
    assert [desk.engine.broker.rotate_due(desk.mailbox) for _ in range(2)] == [True, False]
    assert vault.refresh_token(desk.id).version == states.token(desk.id).token_version


def test_a_loop_that_the_platform_stopped_waits_an_hour_everywhere(desk: Any, cloud: DevCloud) -> None:
    body = '{"error": "invalid_grant", "error_codes": [50196]}'
    cloud.entra.faults.add("token", times=2, status=400, body=body)
    for at in (Engine(desk.engine.settings, cloud.clock), Engine(desk.engine.settings, cloud.clock)):
        with pytest.raises(TokenError, match="AADSTS50196"):
            at.broker.rotate(desk.mailbox)
    old = cloud.clock() - timedelta(days=2)
    state = replace(desk.engine.stores.states.token(desk.id), rotated_at=old)
    assert not desk.engine.broker.due(desk.id, state)
    later = Engine(desk.engine.settings, lambda: cloud.clock() + timedelta(hours=1))
    assert later.broker.due(desk.id, state)
    later.broker.rotate(desk.mailbox)


def test_two_instances_that_rotate_at_once_keep_one_token_and_say_so_once(desk: Any, cloud: DevCloud) -> None:
    other = Engine(desk.engine.settings, cloud.clock)

    def rotate_too(answer: dict[str, Any]) -> dict[str, Any]:
        other.broker.rotate(desk.mailbox)
        return answer

    cloud.entra.faults.add("token", replace=rotate_too)
    desk.engine.broker.rotate(desk.mailbox)
    events = [each.event for each in desk.engine.stores.journal.newest(desk.id)]
    assert events.count("token-rotated") == 1
    for engine in (desk.engine, other, Engine(desk.engine.settings, cloud.clock)):
        engine.broker.rotate(desk.mailbox)


def test_an_owner_who_consents_again_does_not_wait_for_the_next_try(desk: Any, cloud: DevCloud) -> None:
    cloud.entra.revoke_sessions(desk.user)
    failure = desk.poll().failure
    assert (failure.actor, failure.code) == (Actor.OWNER, "AADSTS50173")
    assert desk.id not in desk.engine.poller.due()
    cloud.clock.advance(timedelta(seconds=1))
    desk.connect()
    assert desk.id in desk.engine.poller.due()
    assert desk.poll().failure is None
    assert desk.engine.stores.states.poll(desk.id)[0].failure is None


def test_forgetting_the_token_of_one_mailbox_keeps_the_others(new_desk: Desks, cloud: DevCloud) -> None:
    first = new_desk()
    second = new_desk(first.application)
    for each in (first, second):
        each.connect()
        each.engine.broker.access_token(each.mailbox)
    first.engine.broker.forget(first.mailbox)
    assert tokens_redeemed(cloud, lambda: second.engine.broker.access_token(second.mailbox)) == []
    assert len(tokens_redeemed(cloud, lambda: first.engine.broker.access_token(first.mailbox))) == 1


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


def test_a_consent_during_a_rotation_wins_though_the_rotation_writes_last(desk: Any, cloud: DevCloud) -> None:
    consents: list[str] = []

    def consent_meanwhile(answer: dict[str, Any]) -> dict[str, Any]:
        desk.connect()
        consents.append(desk.engine.stores.states.token(desk.id).token_version)
        return answer

    cloud.entra.faults.add("token", replace=consent_meanwhile)
    desk.engine.broker.rotate(desk.mailbox)
    assert desk.engine.stores.states.token(desk.id).token_version == consents[0]
    newest = desk.engine.stores.vault.refresh_token(desk.id)
    assert newest.version != consents[0], "the rotation wrote last"
    redeemed = tokens_redeemed(cloud, lambda: Engine(desk.engine.settings, cloud.clock).broker.rotate(desk.mailbox))
    assert redeemed == [desk.engine.stores.vault.refresh_token(desk.id, consents[0]).value]


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


def test_a_token_that_was_obtained_by_hand_is_imported_after_a_login(
    new_desk: Desks, mail: Callable[..., bytes]
) -> None:
    desk = new_desk()
    token = desk.token_by_hand()
    connected = desk.engine.connector.import_token(desk.id, f" {token}\n")
    assert connected.mails == 0
    assert desk.engine.stores.states.token(desk.id).connected_as == desk.address
    assert desk.engine.stores.vault.refresh_token(desk.id).value != token, "the new one of the answer"
    desk.deliver(mail(1))
    assert desk.poll().messages == 1


def test_an_imported_token_is_kept_when_the_answer_has_no_new_one(new_desk: Desks, cloud: DevCloud) -> None:
    desk = new_desk()
    token = desk.token_by_hand()

    def without(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "refresh_token"}

    cloud.entra.faults.add("token", replace=without)
    desk.engine.connector.import_token(desk.id, token)
    assert desk.engine.stores.vault.refresh_token(desk.id).value == token


def test_a_token_of_another_account_or_of_nobody_is_not_imported(new_desk: Desks) -> None:
    desk = new_desk()
    other = new_desk(desk.application)
    with pytest.raises(TicketEngineError, match="wrong-account"):
        desk.engine.connector.import_token(desk.id, other.token_by_hand())
    with pytest.raises(TicketEngineError, match="AADSTS70000"):
        desk.engine.connector.import_token(desk.id, "made up")
    assert desk.engine.stores.vault.refresh_token(desk.id) is None
    assert not desk.engine.stores.states.token(desk.id).connected


def test_a_mailbox_whose_account_was_changed_does_not_use_the_earlier_accounts_token(new_desk: Desks) -> None:
    desk = new_desk()
    other = new_desk(desk.application)
    desk.connect()
    desk.change(username=other.address)
    with pytest.raises(TokenError, match="that account must open the consent link"):
        desk.engine.broker.access_token(desk.mailbox)


def test_a_vault_that_lost_the_version_gives_its_newest(desk: Any) -> None:
    states = desk.engine.stores.states
    states.update_token(desk.id, lambda state: replace(state, token_version="0" * 32))
    desk.engine.broker.rotate(desk.mailbox)
    assert states.token(desk.id).token_version != "0" * 32


def test_a_vault_without_any_token_asks_the_owner(desk: Any) -> None:
    desk.engine.clients.secrets.begin_delete_secret(f"{desk.id}--refresh-token").wait()
    with pytest.raises(TokenError, match="not-connected"):
        desk.engine.broker.rotate(desk.mailbox)


def test_threads_of_one_process_redeem_once(desk: Any, cloud: DevCloud) -> None:
    engine = Engine(desk.engine.settings, cloud.clock)
    mailbox = desk.mailbox

    def ask_together() -> None:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _: engine.broker.access_token(mailbox), range(8)))) == 1

    assert len(tokens_redeemed(cloud, ask_together)) == 1


def test_paused_mailboxes_are_rotated_and_failing_ones_come_last(
    new_desk: Desks, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused, failing, dead = new_desk(), new_desk(), new_desk()
    for each in (paused, failing, dead):
        each.connect()
    paused.change(paused=True)
    failing.application.secrets.clear()
    cloud.entra.revoke_sessions(dead.user)
    for each in (failing, dead):
        with pytest.raises(TokenError):
            each.engine.broker.rotate(each.mailbox)
    broker = Engine(paused.engine.settings, lambda: cloud.clock() + timedelta(days=2)).broker
    monkeypatch.setattr("ticket_engine.oauth.tokens.MOST_AT_ONCE", 10_000)
    order = broker.rotations_due()
    assert order.index(paused.id) < order.index(failing.id) < order.index(dead.id) or order.index(
        paused.id
    ) < order.index(dead.id) < order.index(failing.id)
    soon = Engine(paused.engine.settings, cloud.clock).broker
    aged = [
        replace(each.engine.stores.states.token(each.id), rotated_at=cloud.clock() - timedelta(days=1))
        for each in (failing, dead)
    ]
    assert [soon.due(each.id, state) for each, state in zip((failing, dead), aged, strict=True)] == [True, False]


@dataclass
class Fleet:
    """Ten thousand mailboxes that were connected in one minute, rotated by nothing but their dates."""

    states_of: dict[str, TokenState]
    now: datetime

    @property
    def mailboxes(self) -> Any:
        return self

    states = mailboxes

    def all(self) -> list[Any]:
        return [SimpleNamespace(id=each) for each in self.states_of]

    def all_tokens(self) -> dict[str, TokenState]:
        return self.states_of


@pytest.mark.timeout(600)
def test_ten_thousand_mailboxes_stay_under_the_vaults_write_limit() -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    first_due = start + timedelta(hours=17)
    fleet = Fleet({f"box-{n}": TokenState(connected_at=start, rotated_at=start) for n in range(10_000)}, first_due)
    broker: Any = TokenBroker(
        cast("Any", fleet), applications=cast("Any", None), clock=lambda: fleet.now, rotate_after=timedelta(days=1)
    )
    runs, oldest = [], timedelta()
    for _ in range(30 * 6):
        fleet.now += timedelta(minutes=10)
        due = broker.rotations_due()
        runs.append(len(due))
        for each in due:
            oldest = max(oldest, fleet.now - (fleet.states_of[each].rotated_at or start))
            fleet.states_of[each] = replace(fleet.states_of[each], rotated_at=fleet.now)
    assert max(runs) <= 300, "one run may write at once, and the vault takes 300 in 10 seconds"
    assert sum(runs) >= 10_000 * 3 // 2, "all of them, and the second round has begun"
    assert oldest < timedelta(hours=30)


@pytest.mark.timeout(600)  # a hundred days of polls take a while on a busy machine
def test_a_hundred_days_of_polling_leave_no_gap_and_at_most_a_hundred_versions(
    desk: Any, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    vault, engine = desk.engine.stores.vault, desk.engine
    for day in range(100):
        if day % 10 == 0:
            engine = Engine(desk.engine.settings, cloud.clock)
        for _ in range(4):
            cloud.clock.advance(timedelta(hours=6))
            if engine.broker.due(desk.id, engine.stores.states.token(desk.id)):
                engine.broker.rotate(desk.mailbox)
        desk.deliver(mail(day))
        result = desk.poll(by=engine)
        assert (result.failure, result.messages) == (None, 1), f"day {day}"
    versions = list(engine.clients.secrets.list_properties_of_secret_versions(f"{desk.id}--refresh-token"))
    assert 75 <= len(versions) <= 100 + 1, "the consent's and at most one a day"
    assert vault.refresh_token(desk.id).expires_at > cloud.clock() + timedelta(days=88)
