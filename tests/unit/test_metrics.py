"""The metrics are what Prometheus' own parser reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from ticket_engine import __version__
from ticket_engine.health import MailboxHealth
from ticket_engine.metrics import METRICS, exposition
from ticket_engine.operations import MailboxView
from ticket_engine.records import Mailbox, PollState, TokenState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MAILBOX = Mailbox.create(
    id="support",
    name="Support",
    username="support@contoso.example",
    tenant_id="contoso.example",
    client_id="11111111-2222-3333-4444-555555555555",
    redirect_url="https://x.example/api/oauth/callback",
)
TOKEN = TokenState(
    connected_at=NOW,
    rotated_at=NOW - timedelta(hours=2),
    refresh_token_expires_at=NOW + timedelta(days=90),
    credential_ends_at=NOW + timedelta(days=700),
)
POLL = PollState(
    last_poll_at=NOW,
    last_success_at=NOW - timedelta(seconds=90, microseconds=500_000),
    consecutive_failures=3,
    mails_on_server=7,
    messages_ingested=12_345_678_901,
    quarantined=2,
)
FAILING = MailboxHealth("support", ok=False, connected=True, actor="tenant admin", code='odd "code"\\\n', sentence="x")
VIEW = MailboxView(MAILBOX, TOKEN, POLL, (), FAILING, NOW)


def values(*views: MailboxView) -> dict[str, tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(exposition(views))
    return {each.name: (each.labels, each.value) for family in families for each in family.samples}


def test_every_metric_is_read_with_its_value() -> None:
    found = values(VIEW)
    assert len(found) == len(METRICS)
    assert found["ticket_engine_build_info"] == ({"version": __version__}, 1)
    expected = {
        "ok": 0,
        "connected": 1,
        "paused": 0,
        "last_poll_timestamp_seconds": NOW.timestamp(),
        "last_success_timestamp_seconds": NOW.timestamp() - 90.5,
        "lag_seconds": 90.5,
        "consecutive_failures": 3,
        "mails_on_server": 7,
        "messages_ingested_total": 12_345_678_901,
        "quarantined_mails": 2,
        "token_age_seconds": 7200,
        "token_end_timestamp_seconds": NOW.timestamp() + 90 * 86400,
        "secret_end_timestamp_seconds": NOW.timestamp() + 700 * 86400,
    }
    for name, value in expected.items():
        assert found[f"ticket_engine_mailbox_{name}"] == ({"mailbox": "support"}, value)


def test_labels_of_any_characters_come_back_as_they_were() -> None:
    labels, value = values(VIEW)["ticket_engine_mailbox_failing"]
    assert (labels, value) == ({"mailbox": "support", "actor": "tenant admin", "code": FAILING.code}, 1)


def test_what_is_not_known_is_left_out_and_a_mailbox_that_works_is_not_failing() -> None:
    fresh = replace(VIEW, token=TokenState(), poll=PollState(), health=MailboxHealth("support", ok=True))
    found = values(fresh)
    assert "ticket_engine_mailbox_failing" not in found
    assert "ticket_engine_mailbox_lag_seconds" not in found
    assert "ticket_engine_mailbox_token_end_timestamp_seconds" not in found
    assert found["ticket_engine_mailbox_messages_ingested_total"][1] == 0


def test_a_service_without_mailboxes_still_says_that_it_is_up() -> None:
    assert list(values()) == ["ticket_engine_build_info"]
