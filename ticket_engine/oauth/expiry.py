"""The watch over what ends: refresh tokens, client secrets and certificates, with warnings well before."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor
from ticket_engine.events import EXPIRY
from ticket_engine.records import CredentialKind, ExpiryNotice, JournalEntry, Mailbox, TokenState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores

_log = logging.getLogger("ticket_engine.oauth")

# Days before the end at which a warning is given, once each.
WARN_AT = (30, 14, 7, 1)


@dataclass(frozen=True)
class Ending:
    """Something of a mailbox that ends, and who must act before."""

    what: str
    ends_at: datetime
    actor: Actor
    next_step: str

    def sentence(self, now: datetime) -> str:
        """What ends, when, and what to do."""
        verb = "ends" if self.ends_at > now else "has ended"
        return f"The {self.what} {verb} on {self.ends_at:%Y-%m-%d}: {self.next_step}"


def notice_due(ends_at: datetime | None, last: ExpiryNotice | None, now: datetime) -> ExpiryNotice | None:
    """The warning to give now, or None; ``last`` is the one given before."""
    if ends_at is None:
        return None
    left = ends_at - now
    days = min((each for each in WARN_AT if left <= timedelta(days=each)), default=None)
    if days is None or (last is not None and last.ends_at == ends_at and last.days <= days):
        return None
    return ExpiryNotice(ends_at, days)


def endings(mailbox: Mailbox, state: TokenState, now: datetime) -> list[Ending]:
    """What of this mailbox ends within 30 days."""
    token = notice_due(state.refresh_token_expires_at, None, now)
    credential = notice_due(state.credential_ends_at, None, now)
    found = [] if token is None else [_token(mailbox, token.ends_at)]
    return found if credential is None else [*found, _credential(mailbox, credential.ends_at)]


class ExpiryWatch:
    """Warns once at each threshold: in the journal, and in the log as the event ``expiry``."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def look(self) -> int:
        """Look at every mailbox, paused ones too, and return how many warnings were given."""
        states = self._stores.states.all_tokens()
        return sum(self._look_at(each, states[each.id]) for each in self._stores.mailboxes.all() if each.id in states)

    def _look_at(self, mailbox: Mailbox, seen: TokenState) -> int:
        now = self._clock()
        if not any(_notices(seen, now)):
            return 0
        given: list[tuple[Ending, ExpiryNotice]] = []

        def change(state: TokenState) -> TokenState:
            token, credential = _notices(state, now)
            given.clear()
            if token is not None:
                given.append((_token(mailbox, token.ends_at), token))
            if credential is not None:
                given.append((_credential(mailbox, credential.ends_at), credential))
            return replace(
                state,
                token_notice=token or state.token_notice,
                credential_notice=credential or state.credential_notice,
            )

        self._stores.states.update_token(mailbox.id, change)
        for ending, notice in given:
            self._warn(mailbox, ending, notice, now)
        return len(given)

    def _warn(self, mailbox: Mailbox, ending: Ending, notice: ExpiryNotice, now: datetime) -> None:
        sentence = ending.sentence(now)
        self._stores.journal.add(mailbox.id, JournalEntry(now, "expiry", sentence, ending.actor, "expiry"))
        EXPIRY.log(
            _log,
            "expiry: mailbox %s: %s",
            mailbox.id,
            sentence,
            mailbox=mailbox.id,
            what=ending.what,
            days=notice.days,
        )


def _notices(state: TokenState, now: datetime) -> tuple[ExpiryNotice | None, ExpiryNotice | None]:
    return (
        notice_due(state.refresh_token_expires_at, state.token_notice, now),
        notice_due(state.credential_ends_at, state.credential_notice, now),
    )


def _token(mailbox: Mailbox, ends_at: datetime) -> Ending:
    return Ending(
        "refresh token",
        ends_at,
        Actor.OWNER,
        f"it could not be renewed for a long time; {mailbox.consenting_account} must open a new consent link and sign "
        "in.",
    )


def _credential(mailbox: Mailbox, ends_at: datetime) -> Ending:
    if mailbox.credential is CredentialKind.CERTIFICATE:
        step = "renew it in Key Vault and upload it to the app registration."
        return Ending(f"certificate {mailbox.certificate_name}", ends_at, Actor.OPERATOR, step)
    step = f"make a new one for application {mailbox.client_id} and store it, at the latest on that day."
    return Ending("client secret", ends_at, Actor.OPERATOR, step)
