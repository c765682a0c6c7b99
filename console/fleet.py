"""Every mailbox with its states, kept in memory for some seconds: what lists need of a thousand mailboxes."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ticket_engine.errors import MailboxNotFoundError, TicketEngineError
from ticket_engine.records import days

if TYPE_CHECKING:
    from datetime import datetime

    from ticket_engine.engine import Engine
    from ticket_engine.health import MailboxHealth
    from ticket_engine.operations import MailboxView
    from ticket_engine.records import Mailbox, PollState, TicketType, TokenState

_log = logging.getLogger("console")

# A page may show what is this old while a newer reading is on its way, and nothing that is older than the second.
# A thousand mailboxes take a second of CPU to read, which pages that are asked for meanwhile feel.
FRESH_SECONDS = 30.0
STALE_SECONDS = 300.0


@dataclass(frozen=True)
class Row:
    """One mailbox in a list."""

    view: MailboxView

    @property
    def mailbox(self) -> Mailbox:
        """What the operator set up."""
        return self.view.mailbox

    @property
    def token(self) -> TokenState:
        """The connection."""
        return self.view.token

    @property
    def poll(self) -> PollState:
        """The polls."""
        return self.view.poll

    @property
    def health(self) -> MailboxHealth:
        """Whether it works."""
        return self.view.health

    @property
    def ticket_types(self) -> tuple[TicketType, ...]:
        """What becomes of its mail."""
        return self.view.ticket_types

    @property
    def light(self) -> str:
        """The light: good, wait (a warning), bad or off (paused)."""
        if self.mailbox.paused:
            return "off"
        if not self.health.ok:
            return "bad"
        return "wait" if self.health.warnings else "good"

    @property
    def word(self) -> str:
        """The light in a word."""
        return {"off": "Paused", "bad": "Needs action", "wait": "Warning", "good": "Works"}[self.light]

    @cached_property
    def haystack(self) -> str:
        """What a search in the list looks at."""
        kinds = " ".join(each.name for each in self.ticket_types)
        return f"{self.mailbox.id} {self.mailbox.name} {self.mailbox.username} {kinds}".casefold()


@dataclass(frozen=True)
class Snapshot:
    """All mailboxes by name, as they were read at one time."""

    at: datetime
    rows: tuple[Row, ...]

    @cached_property
    def lights(self) -> Counter[str]:
        """How many mailboxes have each light."""
        return Counter(each.light for each in self.rows)

    @cached_property
    def mails_today(self) -> int:
        """The mails of all mailboxes on the day of the reading (UTC)."""
        today = self.at.date()
        return sum(days.read(each.poll.mails_by_day).get(today, 0) for each in self.rows)

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """The rows by mailbox id."""
        return {each.mailbox.id: each for each in self.rows}


class Fleet:
    """Reads snapshots: at once when there is none, and in the background when the last one has some age."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at = 0.0
        self._reading = False
        self._changed: set[str] = set()

    def snapshot(self) -> Snapshot:
        """All mailboxes, at most STALE_SECONDS old; raises StorageUnavailableError when there is nothing to show."""
        age = time.monotonic() - self._read_at
        snapshot = self._snapshot
        if snapshot is None or age > STALE_SECONDS:
            return self._read()
        if age > FRESH_SECONDS:
            self._read_in_background()
        return snapshot

    def reread(self, mailbox_id: str) -> None:
        """Read one mailbox anew, which was just changed here, added or removed."""
        self._changed.add(mailbox_id)
        snapshot = self._snapshot
        if snapshot is None:
            return
        rows = [each for each in snapshot.rows if each.mailbox.id != mailbox_id]
        with suppress(MailboxNotFoundError):
            rows.append(Row(self._engine.overview.of(mailbox_id)))
        self._snapshot = Snapshot(snapshot.at, _by_name(rows))

    def _read(self) -> Snapshot:
        started = time.monotonic()
        self._changed = set()
        now = self._engine.clock()
        rows = [Row(view) for view in self._engine.overview.all()]
        self._snapshot = Snapshot(now, _by_name(rows))
        self._read_at = started
        # What was changed here while the tables were read may have been read before its change.
        for mailbox_id in tuple(self._changed):
            self.reread(mailbox_id)
        return self._snapshot

    def _read_in_background(self) -> None:
        with self._lock:
            if self._reading:
                return
            self._reading = True
        threading.Thread(target=self._refresh, name="console-fleet", daemon=True).start()

    def _refresh(self) -> None:
        try:
            self._read()
        except TicketEngineError as error:
            # The next page tries again, and says so itself when the last reading is too old to show.
            _log.warning("the list of mailboxes could not be read: %s", error)
        finally:
            self._reading = False


def _by_name(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (row.mailbox.name.casefold(), row.mailbox.id)))
