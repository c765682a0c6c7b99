"""Warnings before something ends: at 30, 14, 7 and 1 days, once each."""

from datetime import UTC, datetime, timedelta

import pytest

from ticket_engine.health import judge
from ticket_engine.oauth.expiry import endings, notice_due
from ticket_engine.records import ExpiryNotice, Mailbox, PollState, TokenState

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
MAILBOX = Mailbox.create(
    id="support",
    name="Support",
    username="support@contoso.example",
    tenant_id="contoso.example",
    client_id="11111111-2222-3333-4444-555555555555",
    redirect_url="https://x.example/api/oauth/callback",
)


def warnings_over(days: int, ends_at: datetime) -> list[tuple[int, int]]:
    """(days left, threshold) of the warnings of an hourly look over so many days."""
    given, last = [], None
    for hour in range(days * 24):
        now = NOW + timedelta(hours=hour)
        notice = notice_due(ends_at, last, now)
        if notice is not None:
            last = notice
            given.append(((ends_at - now).days, notice.days))
    return given


def test_each_threshold_warns_once() -> None:
    assert warnings_over(70, NOW + timedelta(days=60)) == [(30, 30), (14, 14), (7, 7), (1, 1)]


def test_what_is_found_late_warns_once_with_what_is_left() -> None:
    assert warnings_over(3, NOW + timedelta(days=5)) == [(5, 7)]
    assert warnings_over(3, NOW - timedelta(days=5)) == [(-5, 1)]


def test_a_renewed_end_warns_anew_and_what_never_ends_never_warns() -> None:
    last = ExpiryNotice(NOW, 1)
    renewed = NOW + timedelta(days=10)
    assert notice_due(renewed, last, NOW) == ExpiryNotice(renewed, 14)
    assert notice_due(None, None, NOW) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "client secret ends on 2026-12-04: make a new one for application 11111111"),
        ({"credential": "certificate", "certificate_name": "engine"}, "certificate engine ends on 2026-12-04: renew"),
    ],
)
def test_health_says_what_ends_and_who_renews_it(changes: dict[str, str], sentence: str) -> None:
    mailbox = Mailbox.create(**{**MAILBOX.model_dump(), **changes})
    state = TokenState(
        connected_at=NOW,
        connected_as=mailbox.username,
        refresh_token_expires_at=NOW - timedelta(days=1),
        credential_ends_at=NOW + timedelta(days=10),
    )
    health = judge(mailbox, state, PollState(last_success_at=NOW), NOW, "0 */10 * * * *")
    assert health.ok
    assert health.warnings[0].startswith("The refresh token has ended on 2026-11-23: ")
    assert sentence in health.warnings[1]
    assert endings(mailbox, TokenState(), NOW) == []
