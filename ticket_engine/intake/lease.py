"""One poll a mailbox at a time, over all instances: a lease on the poll's state row, by its ETag."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, ConflictError, LeaseHeldError, Reaction
from ticket_engine.records import PollState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store.tables import StateTable

# Beyond a poll's time budget, so that a holder that lives never loses it; a crashed holder's ends.
_MARGIN = timedelta(minutes=5)


class Lease:
    """The right to poll one mailbox, and the state row that goes with it."""

    def __init__(self, states: StateTable, mailbox_id: str, clock: Clock, lifetime: timedelta) -> None:
        self._states = states
        self._mailbox_id = mailbox_id
        self._clock = clock
        self._lifetime = lifetime + _MARGIN
        self._holder = secrets.token_hex(8)
        self._etag: str | None = None
        self.state = PollState()
        self.unfinished_since: datetime | None = None
        """When the last poll began, if it did not end well: what it had begun to commit may be half done."""

    def take(self) -> PollState:
        """Take the lease and return the state as it stands.

        Raises:
            LeaseHeldError: another worker holds it.
        """
        state, self._etag = self._states.poll(self._mailbox_id)
        now = self._clock()
        if state.lease_holder is not None and state.lease_until is not None and state.lease_until > now:
            raise _held(self._mailbox_id)
        self.state = state
        if state.lease_holder is not None or state.consecutive_failures:
            self.unfinished_since = state.last_poll_at
        self.save(lease_holder=self._holder, lease_until=now + self._lifetime, last_poll_at=now)
        return self.state

    def save(self, **changes: Any) -> None:
        """Write changes to the state, as the holder; raises LeaseHeldError when the lease was lost."""
        changed = replace(self.state, **changes)
        try:
            self._etag = self._states.save_poll(self._mailbox_id, changed, self._etag)
        except ConflictError:
            # A write whose answer was lost has changed the row too: then the holder is still this one.
            current, etag = self._states.poll(self._mailbox_id)
            if current.lease_holder != self._holder:
                raise _held(self._mailbox_id) from None
            self._etag = self._states.save_poll(self._mailbox_id, changed, etag)
        self.state = changed

    def release(self, **changes: Any) -> None:
        """Write the last changes and give the lease back."""
        self.save(**changes, lease_holder=None, lease_until=None)


def _held(mailbox_id: str) -> LeaseHeldError:
    return LeaseHeldError(
        Reaction(
            Actor.SERVICE,
            "lease-held",
            f"Another worker polls mailbox {mailbox_id} right now; nothing to do.",
        )
    )
