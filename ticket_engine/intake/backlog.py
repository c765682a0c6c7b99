"""The mails that a mailbox holds when it is connected: imported, or left alone for ever."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ticket_engine.intake import checkpoint
from ticket_engine.mime import Headers
from ticket_engine.records import Backlog, Mailbox, PollState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticket_engine.intake.checkpoint import Checkpoint
    from ticket_engine.mail import Item, MailSource


@dataclass(frozen=True)
class AtConnection:
    """What a mailbox held when it was connected: how many mails, and a checkpoint that leaves them out (or None)."""

    mails: int
    start: bytes | None = None


def at_connection(mailbox: Mailbox, source: MailSource) -> AtConnection:
    """Look at what is there, by the session that proved the login."""
    if mailbox.backlog is Backlog.IMPORT:
        return AtConnection(source.count())
    items = source.items()
    return AtConnection(len(items), start_after(mailbox, items, source.validity).encode())


def start_after(mailbox: Mailbox, items: Sequence[Item], validity: int) -> Checkpoint:
    """A checkpoint for which these mails are done, and not to be settled."""
    return checkpoint.decode(None, mailbox.type).seen(items, validity).after(items, items, ())


def remembered(state: PollState, found: AtConnection, now: datetime) -> PollState:
    """The state of a mailbox's polls after its first connection; a later one changes nothing."""
    if state.backlog_mails is not None or state.checkpoint is not None:
        return state
    if found.start is None:
        return replace(state, backlog_mails=found.mails)
    return replace(state, backlog_mails=found.mails, starts_at=now, checkpoint=found.start)


def received_at(headers: bytes) -> datetime | None:
    """When the last server received a mail: the date of its topmost Received field (RFC 5321, section 4.4)."""
    date = Headers(headers).raw("received").rpartition(b";")[2]
    try:
        moment = email.utils.parsedate_to_datetime(date.decode("ascii", "replace"))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
