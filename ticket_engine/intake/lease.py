"""One poll a mailbox at a time, over all instances: a lease on the poll's state row, by its ETag."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, ConflictError, LeaseHeldError, Reaction
from ticket_engine.records import PollState
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store.tables import StateTable

# Beyond a poll's time budget, so that a holder that lives never loses it; a crashed holder's ends.
_MARGIN = timedelta(minutes=5)
# Two instances' clocks never differ by more, unless one of them has jumped.
CLOCK_SKEW = timedelta(minutes=5)


class Lease:
    """The right to poll one mailbox, and the state row that goes with it.

    A poll that finds nothing to do takes no lease: it reads the state, looks at the server, and writes the state back,
    which fails when another worker has written meanwhile. So an idle poll is two operations on this row.
    """

    def __init__(self, states: StateTable, mailbox_id: str, clock: Clock, lifetime: timedelta) -> None:
        self._states = states
        self._mailbox_id = mailbox_id
        self._clock = clock
        self._lifetime = lifetime + _MARGIN
        self._holder = secrets.token_hex(8)
        self._etag: str | None = None
        self.state = PollState()
        self.held = False

    def read(self) -> PollState:
        """The state as it stands.

        Raises:
            LeaseHeldError: another worker holds the lease.
        """
        self.state, self._etag = self._states.poll(self._mailbox_id)
        until, now = self.state.lease_until, self._clock()
        # A lease that would outlast the longest one was taken by a clock that has jumped; the ETag still protects.
        live = until is not None and now < until <= now + self._lifetime + CLOCK_SKEW
        if self.state.lease_holder is not None and live:
            raise _held(self._mailbox_id)
        return self.state

    def take(self) -> None:
        """Take the lease; raises LeaseHeldError when another worker was faster."""
        crashed, now = self.state.lease_holder is not None, self._clock()
        self.held = True
        self.save(
            lease_holder=self._holder,
            last_poll_at=now,
            unfinished_since=self.state.unfinished_since or now,
            crashes=self.state.crashes + 1 if crashed else self.state.crashes,
        )

    def save(self, **changes: Any) -> None:
        """Write changes to the state and lengthen the lease; raises LeaseHeldError when it was lost."""
        self._write(replace(self.state, lease_until=self._clock() + self._lifetime, **changes))

    def release(self, **changes: Any) -> None:
        """Write the last changes and give the lease back."""
        self._write(replace(self.state, lease_holder=None, lease_until=None, **changes))
        self.held = False

    @traced("checkpoint")
    def _write(self, changed: PollState) -> None:
        try:
            self._etag = self._states.save_poll(self._mailbox_id, changed, self._etag)
        except ConflictError:
            # A write whose answer was lost has changed the row too: then the row is this one, or still this holder's.
            current, etag = self._states.poll(self._mailbox_id)
            if current == changed and etag is not None:
                self._etag = etag
            elif self.held and current.lease_holder == self._holder:
                self._etag = self._states.save_poll(self._mailbox_id, changed, etag)
            else:
                raise _held(self._mailbox_id) from None
        self.state = changed


def _held(mailbox_id: str) -> LeaseHeldError:
    return LeaseHeldError(
        Reaction(
            Actor.SERVICE,
            "lease-held",
            f"Another worker polls mailbox {mailbox_id} right now; nothing to do.",
        )
    )
