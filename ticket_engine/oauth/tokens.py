"""Access tokens for polls, and the rotation that keeps refresh tokens alive in Key Vault."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, Reaction, TicketEngineError, TokenError
from ticket_engine.oauth.applications import SCOPES, Applications, asking, checked
from ticket_engine.records import Failure, JournalEntry, Mailbox, TokenState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores
    from ticket_engine.store.vault import StoredSecret

# Microsoft, "Refresh tokens in the Microsoft identity platform": 90 days, counted from each redemption.
REFRESH_TOKEN_LIFETIME = timedelta(days=90)
# A token is not handed out any more when less than this is left of it: a poll may take that long.
_SKEW = timedelta(minutes=5)
# Mailboxes that were connected in the same hour are rotated over this part of TOKEN_ROTATE_AFTER.
_SPREAD = 0.25


@dataclass(frozen=True)
class AccessToken:
    """An access token and when it ends."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Redeemed:
    """What the token endpoint gave; ``refresh_token`` is None where the answer had no new one."""

    access_token: AccessToken
    refresh_token: str | None = field(repr=False)
    refresh_token_expires_at: datetime

    @classmethod
    def of(cls, answer: Mapping[str, Any], now: datetime) -> Redeemed:
        """Read a token response (RFC 6749, section 5.1)."""
        lifetime = answer.get("refresh_token_expires_in")
        return cls(
            access_token=AccessToken(
                str(answer["access_token"]), now + timedelta(seconds=int(answer.get("expires_in", 3600)))
            ),
            refresh_token=answer.get("refresh_token"),
            refresh_token_expires_at=now + (timedelta(seconds=int(lifetime)) if lifetime else REFRESH_TOKEN_LIFETIME),
        )


class TokenBroker:
    """Redeems refresh tokens: for an access token when a poll needs one, and to rotate them into Key Vault."""

    def __init__(self, stores: Stores, *, applications: Applications, clock: Clock, rotate_after: timedelta) -> None:
        self._stores = stores
        self._applications = applications
        self._clock = clock
        self._rotate_after = rotate_after
        self._tokens: dict[tuple[str, str, str, str], AccessToken] = {}
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    def access_token(self, mailbox: Mailbox) -> str:
        """A live access token, from memory while it lasts, else from the stored refresh token.

        Raises:
            TokenError: the token endpoint refused, or the mailbox is not connected.
            VaultUnavailableError: Key Vault did not answer.
        """
        key = (mailbox.id, mailbox.tenant_id, mailbox.client_id, mailbox.username)
        with self._lock_of(mailbox.id):
            token = self._tokens.get(key)
            if token is None or token.expires_at - _SKEW <= self._clock():
                token = self._redeem(mailbox, self._stored(mailbox)).access_token
                self._tokens[key] = token
            return token.value

    def forget(self, mailbox: Mailbox) -> None:
        """Drop the access token in memory, after the mail server refused it or a new consent."""
        for key in [key for key in self._tokens if key[0] == mailbox.id]:
            self._tokens.pop(key, None)

    def due(self, mailbox_id: str, state: TokenState) -> bool:
        """Whether the stored refresh token is old enough to be rotated."""
        if state.rotated_at is None:
            return state.connected
        share = int.from_bytes(hashlib.sha256(mailbox_id.encode()).digest()[:2]) / 2**16
        return self._clock() - state.rotated_at >= self._rotate_after * (1 - _SPREAD * share)

    def rotate(self, mailbox: Mailbox) -> None:
        """Redeem the stored refresh token and write the new one; a failure is kept in the mailbox's state.

        Raises:
            TicketEngineError: what failed, after it was recorded; the stored token is as it was.
        """
        try:
            with self._lock_of(mailbox.id):
                stored = self._stored(mailbox)
                redeemed = self._redeem(mailbox, stored)
                self._keep(mailbox, stored, redeemed)
        except TicketEngineError as error:
            failure = Failure.of(error.reaction, self._clock())
            self._stores.states.update_token(mailbox.id, lambda state: replace(state, failure=failure))
            self._stores.journal.add(
                mailbox.id,
                JournalEntry(failure.at, "rotation-failed", failure.sentence, failure.actor, failure.code),
            )
            raise

    def _keep(self, mailbox: Mailbox, stored: StoredSecret, redeemed: Redeemed) -> None:
        now = self._clock()
        token = redeemed.refresh_token or stored.value
        current = self._stores.vault.refresh_token(mailbox.id)
        if current is not None and current.version != stored.version:
            # A consent or another instance has stored a newer token in between, which is the one to keep.
            return
        self._stores.vault.store_refresh_token(mailbox.id, token, redeemed.refresh_token_expires_at)
        expires_at = redeemed.refresh_token_expires_at
        self._stores.states.update_token(
            mailbox.id,
            lambda state: replace(state, rotated_at=now, refresh_token_expires_at=expires_at, failure=None),
        )
        self._stores.journal.add(
            mailbox.id,
            JournalEntry(now, "token-rotated", f"The refresh token was renewed until {expires_at:%Y-%m-%d}."),
        )

    def _redeem(self, mailbox: Mailbox, stored: StoredSecret) -> Redeemed:
        application = self._applications.of(mailbox)
        answer = checked(asking(lambda: application.acquire_token_by_refresh_token(stored.value, scopes=SCOPES)))
        return Redeemed.of(answer, self._clock())

    def _stored(self, mailbox: Mailbox) -> StoredSecret:
        stored = self._stores.vault.refresh_token(mailbox.id)
        if stored is None:
            raise TokenError(
                Reaction(
                    Actor.OWNER,
                    "not-connected",
                    f"Mailbox {mailbox.id} is not connected yet: its owner must open the consent link and sign in.",
                )
            )
        return stored

    def _lock_of(self, mailbox_id: str) -> Lock:
        with self._guard:
            return self._locks.setdefault(mailbox_id, Lock())
