"""Faults of the identity platform and of Key Vault, and processes that die: the next run works without a human."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, TokenError, VaultUnavailableError
from ticket_engine.oauth.outcome import Refusal
from ticket_engine.store.clients import _PATIENCE

Desks = Callable[..., Any]
ROOT = Path(__file__).parents[2]


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


def test_a_token_endpoint_that_does_not_answer_in_time_is_tried_again(
    desk: Any, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket_engine.oauth.transport._TIMEOUT", 0.5)
    engine = Engine(desk.engine.settings, cloud.clock)
    cloud.entra.faults.add("token", delay=3, times=2)
    with pytest.raises(TokenError) as caught:
        engine.broker.rotate(desk.mailbox)
    cloud.entra.faults.clear()
    assert caught.value.reaction.code == "identity-unavailable"
    Engine(desk.engine.settings, cloud.clock).broker.rotate(desk.mailbox)


def test_the_wait_that_the_token_endpoint_asks_for_is_kept(desk: Any, cloud: DevCloud) -> None:
    cloud.entra.faults.add("token", times=2, status=429, headers={"Retry-After": "77"}, body="{}")
    result = Engine(desk.engine.settings, cloud.clock).poller.poll(desk.id)
    cloud.entra.faults.clear()
    assert result.failure is not None
    assert result.failure.code == "identity-unavailable"
    wait = desk.engine.stores.states.poll(desk.id)[0].next_poll_at - cloud.clock()
    assert timedelta(seconds=70) < wait <= timedelta(seconds=77)


@pytest.mark.parametrize("operation", ["get", "set"])
@pytest.mark.parametrize(
    ("fault", "actor"),
    [
        ({"status": 429, "headers": {"Retry-After": "0"}, "times": 9, "body": "{}"}, Actor.SERVICE),
        ({"status": 403, "body": "{}"}, Actor.OPERATOR),
        ({"delay": 2.0, "times": 9}, Actor.SERVICE),
    ],
    ids=["429", "403", "timeout"],
)
def test_key_vault_faults_on_read_and_write_leave_a_mailbox_that_works_at_the_next_run(
    desk: Any, cloud: DevCloud, monkeypatch: pytest.MonkeyPatch, operation: str, fault: dict[str, Any], actor: Actor
) -> None:
    monkeypatch.setitem(_PATIENCE, "read_timeout", 0.4)
    monkeypatch.setitem(_PATIENCE, "retry_backoff_max", 0.1)
    before = desk.engine.stores.states.token(desk.id)
    engine = Engine(desk.engine.settings, cloud.clock)
    cloud.vault.faults.add(operation, **fault)
    with pytest.raises(VaultUnavailableError) as caught:
        engine.broker.rotate(desk.mailbox)
    cloud.vault.faults.clear()
    assert caught.value.reaction.actor is actor
    assert engine.stores.states.token(desk.id) == replace(before, failure=engine.stores.states.token(desk.id).failure)
    health = [each for each in engine.health.mailboxes() if each.mailbox_id == desk.id]
    assert (health[0].ok, health[0].actor) == (False, actor)
    after = Engine(desk.engine.settings, cloud.clock)
    after.broker.rotate(desk.mailbox)
    assert after.stores.states.token(desk.id).failure is None


# What dies, as a function app's worker does it: with its own engine, and nothing of the test in it.
ROTATE = """
import sys
from ticket_engine.engine import Engine
engine = Engine.from_environment()
engine.broker.rotate(engine.stores.mailboxes.get(sys.argv[1]))
"""
CONSENT = """
import json, sys
from ticket_engine.engine import Engine
Engine.from_environment().consent.finish(json.loads(sys.argv[2]), json.loads(sys.argv[3]))
"""


def kill_when(reached: Callable[[], bool], cloud: DevCloud, code: str, *arguments: str) -> None:
    """Run the code in a process of its own, and kill it as soon as the condition holds."""
    environment = {**os.environ, **cloud.environment(), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not reached():
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline, "it did not get there"
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL


def works(desk: Any) -> None:
    """The next run, in another process, rotates and reads the mailbox, and health is content."""
    engine = Engine(desk.engine.settings, desk.cloud.clock)
    engine.broker.rotate(desk.mailbox)
    assert desk.poll(by=engine).failure is None
    assert engine.stores.states.token(desk.id).failure is None
    assert [each.ok for each in engine.health.mailboxes() if each.mailbox_id == desk.id] == [True]


def test_a_process_that_dies_between_redeeming_and_storing_loses_no_token(desk: Any, cloud: DevCloud) -> None:
    before = desk.engine.stores.states.token(desk.id).token_version
    redeemed = len(cloud.entra.grants.redeemed)
    # The vault takes its time with the write, and refuses it in the end.
    cloud.vault.faults.add("set", delay=2.0, times=9)
    kill_when(lambda: len(cloud.entra.grants.redeemed) > redeemed, cloud, ROTATE, desk.id)
    cloud.vault.faults.clear()
    assert desk.engine.stores.states.token(desk.id).token_version == before
    assert desk.engine.stores.vault.refresh_token(desk.id).version == before
    works(desk)


def test_a_process_that_dies_between_storing_and_remembering_goes_on_with_the_token_before(
    desk: Any, cloud: DevCloud
) -> None:
    before = desk.engine.stores.states.token(desk.id).token_version

    def written() -> bool:
        return bool(cloud.vault.secrets.get(f"{desk.id}--refresh-token").id != before)

    def late(answer: dict[str, Any]) -> dict[str, Any]:
        # The vault has the new version, and the process does not hear of it while it lives.
        time.sleep(2.0)
        return answer

    cloud.vault.faults.add("set", replace=late)
    kill_when(written, cloud, ROTATE, desk.id)
    assert desk.engine.stores.states.token(desk.id).token_version == before
    works(desk)
    assert desk.engine.stores.states.token(desk.id).token_version != before


def test_a_process_that_dies_in_a_consent_stores_nothing_and_the_same_link_works(
    new_desk: Desks, cloud: DevCloud
) -> None:
    desk = new_desk()
    invite = desk.invite()
    started = desk.engine.consent.start(desk.id, invite)
    parameters = desk.cloud_redirect(started.authorize_url)
    cookies = {started.cookie_name: started.cookie_value}
    code = cloud.entra.grants.codes[parameters["code"]]
    cloud.vault.faults.add("set", delay=2.0, times=9)
    kill_when(lambda: code.used, cloud, CONSENT, desk.id, json.dumps(parameters), json.dumps(cookies))
    cloud.vault.faults.clear()
    assert desk.engine.stores.vault.refresh_token(desk.id) is None
    health = next(each for each in desk.engine.health.mailboxes() if each.mailbox_id == desk.id)
    assert (health.ok, health.actor) == (False, Actor.OWNER)
    with pytest.raises(Refusal, match="link-ended"):
        desk.engine.consent.finish(parameters, cookies)
    again = desk.engine.consent.start(desk.id, invite)
    desk.engine.consent.finish(desk.cloud_redirect(again.authorize_url), {again.cookie_name: again.cookie_value})
    works(desk)


def test_a_second_consent_that_dies_after_storing_leaves_the_first_one_working(desk: Any, cloud: DevCloud) -> None:
    before = desk.engine.stores.states.token(desk.id).token_version
    started = desk.engine.consent.start(desk.id, desk.invite())
    parameters = desk.cloud_redirect(started.authorize_url)
    cookies = {started.cookie_name: started.cookie_value}

    def late(answer: dict[str, Any]) -> dict[str, Any]:
        time.sleep(2.0)
        return answer

    cloud.vault.faults.add("set", replace=late)
    kill_when(
        lambda: bool(cloud.vault.secrets.get(f"{desk.id}--refresh-token").id != before),
        cloud,
        CONSENT,
        desk.id,
        json.dumps(parameters),
        json.dumps(cookies),
    )
    assert desk.engine.stores.states.token(desk.id).token_version == before
    works(desk)


def test_an_outage_of_the_identity_platform_stops_the_poll_and_the_next_one_reads_the_mail(
    desk: Any, cloud: DevCloud, mail: Callable[..., bytes]
) -> None:
    desk.deliver(mail(1))
    for fault in ({"status": 500}, {"status": 429, "headers": {"Retry-After": "30"}}, {"cut_after": 300}):
        cloud.entra.faults.add("token", times=3, **fault)
        failed = desk.poll(by=Engine(desk.engine.settings, cloud.clock))
        cloud.entra.faults.clear()
        assert failed.failure is not None
        assert failed.failure.actor is Actor.SERVICE
        health = next(each for each in desk.engine.health.mailboxes() if each.mailbox_id == desk.id)
        assert (health.ok, health.actor) == (False, Actor.SERVICE)
    assert desk.poll(by=Engine(desk.engine.settings, cloud.clock)).messages == 1
    works(desk)
