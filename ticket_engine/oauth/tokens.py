"""Access tokens for polls, and the rotation that keeps refresh tokens alive in Key Vault."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, Reaction, TicketEngineError, TokenError
from ticket_engine.oauth import reactions, scopes
from ticket_engine.oauth.applications import Applications
from ticket_engine.records import Failure, JournalEntry, Mailbox, TokenState
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.applications import Granted
    from ticket_engine.store import Stores
    from ticket_engine.store.vault import StoredSecret

# Microsoft, "Refresh tokens in the Microsoft identity platform": 90 days, counted from each redemption.
REFRESH_TOKEN_LIFETIME = timedelta(days=90)
# A token is not handed out any more when less than this is left of it: a poll may take that long.
_SKEW = timedelta(minutes=5)
# Mailboxes that were connected in the same hour are rotated over this part of TOKEN_ROTATE_AFTER.
_SPREAD = 0.25
# A rotation that failed is tried again after this, and at every run once the operator can have helped.
_RETRY_AFTER = timedelta(hours=1)
# Rotations in one run of the timer: Key Vault takes 300 writes in 10 seconds, and each rotation is one.
MOST_AT_ONCE = 250


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
        """Read a token response that ``Applications.ask`` has checked (RFC 6749, section 5.1)."""
        lifetime = answer.get("refresh_token_expires_in")
        return cls(
            access_token=AccessToken(
                str(answer["access_token"]), now + timedelta(seconds=int(answer.get("expires_in") or 3600))
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
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    @traced("token")
    def access_token(self, mailbox: Mailbox) -> str:
        """A live access token to read the mailbox, from memory while it lasts, else from the stored refresh token.

        Raises:
            TokenError: the token endpoint refused, or the mailbox is not connected.
            VaultUnavailableError: Key Vault did not answer.
        """
        return self._token(mailbox, scopes.to_read(mailbox))

    def sending_token(self, mailbox: Mailbox) -> str:
        """A live access token to send mail as the mailbox (SMTP AUTH with XOAUTH2).

        Raises:
            TokenError: the mailbox may not send, its owner has not agreed to it, or as for ``access_token``.
            VaultUnavailableError: Key Vault did not answer.
        """
        if not mailbox.may_send:
            raise _may_not_send(mailbox)
        return self._token(mailbox, [scopes.SENDING])

    def _token(self, mailbox: Mailbox, asked: list[str]) -> str:
        key = (mailbox.id, mailbox.tenant_id, mailbox.client_id, mailbox.username, mailbox.consenting_account, *asked)
        with self._lock_of(mailbox.id):
            token = self._tokens.get(key)
            if token is None or token.expires_at - _SKEW <= self._clock():
                state = self._stores.states.token(mailbox.id)
                granted = self._redeem(mailbox, self._stored(mailbox, state), asked)
                token = Redeemed.of(granted.answer, self._clock()).access_token
                self._tokens[key] = token
            return token.value

    def forget(self, mailbox: Mailbox) -> None:
        """Drop the access tokens in memory, after the mail server refused one or a new consent."""
        # The copy is made in one step: another thread may add a token meanwhile.
        for key in list(self._tokens):
            if key[0] == mailbox.id:
                self._tokens.pop(key, None)

    def due(self, mailbox_id: str, state: TokenState) -> bool:
        """Whether the stored refresh token is old enough to be rotated."""
        if state.rotated_at is None:
            return state.connected
        now = self._clock()
        if state.failure is not None and _waits(state.failure) and now - state.failure.at < _RETRY_AFTER:
            return False
        share = int.from_bytes(hashlib.sha256(mailbox_id.encode()).digest()[:2]) / 2**16
        return now - state.rotated_at >= self._rotate_after * (1 - _SPREAD * share)

    def rotations_due(self) -> list[str]:
        """The ids of the mailboxes to rotate now, paused ones too: those that wait longest, at most MOST_AT_ONCE.

        Mailboxes whose last rotation failed come last, so that they can't keep the others waiting.
        """
        states = self._stores.states.all_tokens()
        ids = {each.id for each in self._stores.mailboxes.all()}
        due = [each for each in ids & states.keys() if self.due(each, states[each])]
        return sorted(due, key=lambda each: _turn(each, states[each]))[:MOST_AT_ONCE]

    def rotate_due(self, mailbox: Mailbox) -> bool:
        """Rotate, unless it was done since it was asked for: a queue may deliver a message twice, or late.

        Raises:
            TicketEngineError: as for ``rotate``.
        """
        if not self.due(mailbox.id, self._stores.states.token(mailbox.id)):
            return False
        self.rotate(mailbox)
        return True

    def rotate(self, mailbox: Mailbox) -> None:
        """Redeem the stored refresh token and write the new one; a failure is kept in the mailbox's state.

        Raises:
            TicketEngineError: what failed, after it was recorded; the stored token is as it was.
        """
        try:
            with self._lock_of(mailbox.id):
                state = self._stores.states.token(mailbox.id)
                stored = self._stored(mailbox, state)
                granted = self._redeem(mailbox, stored, scopes.to_read(mailbox))
                self._keep(mailbox, state, stored, granted)
        except TicketEngineError as error:
            self._record(mailbox, error)
            raise

    def poisoned(self, mailbox_id: str) -> None:
        """Record that a queue message about this mailbox was given up; the stored token is as it was."""
        reaction = Reaction(
            Actor.OPERATOR,
            "rotation-poisoned",
            f"The worker that renewed the refresh token of mailbox {mailbox_id} died several times in a row: look for "
            "its memory or its timeout in the log; the token is kept, and the timer tries again.",
        )
        failure = Failure.of(reaction, self._clock())
        self._stores.states.update_token(mailbox_id, lambda state: replace(state, failure=failure))
        entry = JournalEntry(failure.at, "rotation-poisoned", failure.sentence, failure.actor, failure.code)
        self._stores.journal.add(mailbox_id, entry)

    def _keep(self, mailbox: Mailbox, before: TokenState, stored: StoredSecret, granted: Granted) -> None:
        now = self._clock()
        redeemed = Redeemed.of(granted.answer, now)
        token, expires_at = redeemed.refresh_token or stored.value, redeemed.refresh_token_expires_at
        written = self._stores.vault.store_refresh_token(mailbox.id, token, expires_at)

        kept = False

        def change(state: TokenState) -> TokenState:
            nonlocal kept
            kept = state.token_version == before.token_version
            if not kept:
                # A consent or another instance has stored a newer token in between, which is the one to keep.
                return state
            return replace(
                state,
                token_version=written.version,
                rotated_at=now,
                refresh_token_expires_at=expires_at,
                credential_ends_at=granted.credential_ends_at,
                failure=None,
            )

        self._stores.states.update_token(mailbox.id, change)
        if kept:
            sentence = f"The refresh token was renewed until {expires_at:%Y-%m-%d}."
            self._stores.journal.add(mailbox.id, JournalEntry(now, "token-rotated", sentence))

    def _record(self, mailbox: Mailbox, error: TicketEngineError) -> None:
        failure = Failure.of(error.reaction, self._clock())
        known: list[str] = []

        def change(state: TokenState) -> TokenState:
            known[:] = [state.failure.code] if state.failure else []
            return replace(state, failure=failure)

        self._stores.states.update_token(mailbox.id, change)
        if failure.code not in known:
            entry = JournalEntry(failure.at, "rotation-failed", failure.sentence, failure.actor, failure.code)
            self._stores.journal.add(mailbox.id, entry)

    def _redeem(self, mailbox: Mailbox, stored: StoredSecret, asked: list[str]) -> Granted:
        return self._applications.ask(
            mailbox, lambda application: application.acquire_token_by_refresh_token(stored.value, scopes=asked)
        )

    def _stored(self, mailbox: Mailbox, state: TokenState) -> StoredSecret:
        vault = self._stores.vault
        if (state.connected_as or "").casefold() != mailbox.consenting_account.casefold():
            raise _not_connected(mailbox)
        # A vault that was restored may have lost the version; its newest is the best there is.
        stored = vault.refresh_token(mailbox.id, state.token_version) or vault.refresh_token(mailbox.id)
        if stored is None:
            raise _not_connected(mailbox)
        return stored

    def _lock_of(self, mailbox_id: str) -> Lock:
        with self._guard:
            return self._locks.setdefault(mailbox_id, Lock())


def _waits(failure: Failure) -> bool:
    return failure.actor is not Actor.OPERATOR or failure.code == reactions.LOOP_CODE


def _turn(mailbox_id: str, state: TokenState) -> tuple[bool, datetime, str]:
    return state.failure is not None, state.rotated_at or datetime.min.replace(tzinfo=UTC), mailbox_id


def _not_connected(mailbox: Mailbox) -> TokenError:
    return TokenError(
        Reaction(
            Actor.OWNER,
            "not-connected",
            f"Mailbox {mailbox.id} is not connected by {mailbox.consenting_account}: that account must open the "
            "consent link and sign in.",
        )
    )


def _may_not_send(mailbox: Mailbox) -> TokenError:
    return TokenError(
        Reaction(
            Actor.OPERATOR,
            "may-not-send",
            f"Mailbox {mailbox.id} may not send mail: set may_send to true, and let {mailbox.consenting_account} "
            "open a new consent link.",
        )
    )
