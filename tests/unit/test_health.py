"""Health is judged from records alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ticket_engine.errors import Actor
from ticket_engine.health import MailboxHealth, is_connected
from ticket_engine.health import judge as judge_by_schedule
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
CONNECTED = TokenState(connected_at=NOW - timedelta(days=1), connected_as="Support@contoso.example")
TEN_MINUTES = "0 */10 * * * *"


def judge(
    mailbox: Mailbox, token: TokenState | None, poll: PollState | None, now: datetime, schedule: str = TEN_MINUTES
) -> MailboxHealth:
    return judge_by_schedule(mailbox, token, poll, now, schedule)


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
    late = PollState(last_success_at=NOW - timedelta(minutes=30, seconds=1))
    assert "mail_poll_timer" in judge(MAILBOX, CONNECTED, late, NOW).sentence
    assert not judge(MAILBOX, CONNECTED, None, NOW).ok


def test_a_mailbox_counts_as_dead_after_three_runs_of_the_schedule() -> None:
    poll = PollState(last_success_at=NOW - timedelta(hours=2))
    assert not judge(MAILBOX, CONNECTED, poll, NOW).ok
    assert judge(MAILBOX, CONNECTED, poll, NOW, "0 0 * * * *").ok
    assert not judge(MAILBOX, CONNECTED, poll, NOW + timedelta(hours=1, seconds=1), "0 0 * * * *").ok


def test_a_weekend_without_polls_by_schedule_is_no_failure() -> None:
    office_hours = "0 */10 8-17 * * 1-5"
    friday = PollState(last_success_at=datetime(2026, 11, 20, 17, 50, 5, tzinfo=UTC))
    monday = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
    assert judge(MAILBOX, CONNECTED, friday, monday, office_hours).ok
    assert not judge(MAILBOX, CONNECTED, friday, monday + timedelta(hours=1), office_hours).ok


def test_a_token_of_another_account_does_not_connect_a_mailbox() -> None:
    other = replace(CONNECTED, connected_as="billing@contoso.example")
    assert is_connected(MAILBOX, CONNECTED)
    assert not is_connected(MAILBOX, other)
    assert judge(MAILBOX, other, PollState(last_success_at=NOW), NOW).actor == "mailbox owner"


def test_a_paused_mailbox_is_ok() -> None:
    paused = MAILBOX.model_copy(update={"paused": True})
    assert judge(paused, None, None, NOW).ok


def test_mails_that_were_set_aside_are_a_warning_and_no_failure() -> None:
    health = judge(MAILBOX, CONNECTED, PollState(last_success_at=NOW, quarantined=2), NOW)
    assert health.ok
    assert health.warnings == (
        "2 mails are in quarantine and still on the server: the journal and the console say why.",
    )
