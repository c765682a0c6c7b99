"""Health is judged from records alone."""

from datetime import UTC, datetime, timedelta

from ticket_engine.errors import Actor
from ticket_engine.health import DEAD_AFTER, judge
from ticket_engine.records import Failure, Mailbox, PollState, TokenState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MAILBOX = Mailbox.create(
    id="support",
    name="Support",
    username="support@contoso.example",
    tenant_id="contoso.example",
    client_id="11111111-2222-3333-4444-555555555555",
    redirect_url="https://x.example/api/oauth/callback",
)
CONNECTED = TokenState(connected_at=NOW - timedelta(days=1))


def test_a_mailbox_that_was_polled_just_now_is_ok() -> None:
    assert judge(MAILBOX, CONNECTED, PollState(last_success_at=NOW), NOW).ok


def test_a_mailbox_that_is_not_connected_asks_its_owner() -> None:
    for token in (None, TokenState()):
        health = judge(MAILBOX, token, None, NOW)
        assert (health.ok, health.actor) == (False, "mailbox owner")


def test_a_failure_names_who_acts() -> None:
    failure = Failure(NOW, Actor.TENANT_ADMIN, "login-refused", "Switch POP3 on.")
    health = judge(MAILBOX, CONNECTED, PollState(last_success_at=NOW, failure=failure), NOW)
    assert (health.ok, health.actor, health.sentence) == (False, "tenant admin", "Switch POP3 on.")


def test_a_poll_that_never_runs_is_seen() -> None:
    health = judge(MAILBOX, CONNECTED, PollState(last_success_at=NOW - DEAD_AFTER - timedelta(seconds=1)), NOW)
    assert "mail_poll_timer" in health.sentence
    assert not judge(MAILBOX, CONNECTED, None, NOW).ok


def test_a_paused_mailbox_is_ok() -> None:
    paused = MAILBOX.model_copy(update={"paused": True})
    assert judge(paused, None, None, NOW).ok
