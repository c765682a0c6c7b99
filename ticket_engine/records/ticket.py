"""Tickets and their messages, and how a ticket gets its id."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

# Crockford's base 32: no I, L, O or U, so an id survives a telephone.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_DIGITS = 9
_MAILBOX_DIGITS = 3
_LAST_COUNTDOWN = len(_DIGITS) ** _TIME_DIGITS - 1
_LOOKALIKES = str.maketrans("ILO", "110")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where one key ends and the next begins, in a ticket's list of its messages.
_KEY_SEPARATOR = b" "


class TicketState(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    CLOSED = "closed"


class MessageKind(StrEnum):
    """How much of the mail could be read."""

    PARSED = "parsed"
    UNPARSED = "unparsed"
    OVERSIZE = "oversize"


class MailClass(StrEnum):
    """What kind of mail it is where no person wrote it, or nobody should answer it; the weightiest first."""

    LOOP = "loop"
    BOUNCE = "bounce"
    SPAM = "spam"
    AUTOMATIC = "automatic"
    LIST = "list"


@dataclass(frozen=True)
class Ticket:
    """A ticket: one conversation.

    ``message_list`` are the row keys of its messages, so that a ticket is read by its keys and not by a scan of its
    mailbox. ``segment`` is the row of the index that lists it. A ticket that was merged is closed and names the
    ticket that went on (``merged_into``); that one names those it took in (``merged``).
    """

    id: str
    ticket_type: str
    task: str
    subject: str
    sender: str
    assignee: str
    created_at: datetime
    updated_at: datetime
    state: TicketState = TicketState.NEW
    messages: int = 1
    automatic: bool = False
    unparsed: bool = False
    sender_address: str = ""
    segment: str = ""
    message_list: bytes = b""
    merged_into: str = ""
    merged: tuple[str, ...] = ()

    @property
    def message_keys(self) -> list[str]:
        """The row keys of its messages, in the order in which they came."""
        return [key.decode("ascii") for key in self.message_list.split(_KEY_SEPARATOR) if key]

    def with_messages(self, keys: Iterable[str]) -> Ticket:
        """The ticket after these messages joined it."""
        added = [*self.message_keys, *keys]
        return replace(
            self, messages=len(added), message_list=_KEY_SEPARATOR.join(key.encode("ascii") for key in added)
        )

    def without_messages(self, keys: Collection[str]) -> Ticket:
        """The ticket after these messages were erased."""
        left = [key for key in self.message_keys if key not in keys]
        return replace(self, messages=len(left), message_list=_KEY_SEPARATOR.join(key.encode("ascii") for key in left))


@dataclass(frozen=True)
class Message:
    """A mail that became part of a ticket; the raw mail is ``entry`` in the ZIP ``archive``.

    It holds what lists and searches need: ``text`` is the beginning of the new text, ``attachment_names`` has one
    name a line, ``classes`` are the names of MailClass between blanks, and ``reasons`` says why, one a line. All else
    is read from the raw mail again. ``segment`` is the row of the index that holds its searchable text.
    """

    key: str
    ticket: str
    kind: MessageKind
    message_id: str
    subject: str
    sender: str
    recipients: str
    received_at: datetime
    size: int
    archive: str
    entry: str
    source_item: str
    sent_at: datetime | None = None
    text: str = ""
    attachments: int = 0
    attachment_names: str = ""
    sender_address: str = ""
    classes: str = ""
    reasons: str = ""
    problem: str = ""
    segment: str = ""


class EventKind(StrEnum):
    """What happened to a ticket."""

    STATE = "state"
    ASSIGNEE = "assignee"
    NOTE = "note"
    MERGED = "merged"


@dataclass(frozen=True)
class TicketEvent:
    """A line of a ticket's history: who changed what, or a note; ``old`` and ``new`` are what people read."""

    ticket: str
    at: datetime
    by: str
    kind: EventKind
    old: str = ""
    new: str = ""


def _base32(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text


def ticket_id(mailbox_id: str, at: datetime) -> str:
    """A ticket's id: 12 characters that sort newest first within a mailbox.

    Nine hold the milliseconds of its creation, counted down, so that the order of the rows is the order
    of a list and the id alone finds the row; three tell mailboxes apart. The caller sees to it that a
    mailbox creates one ticket a millisecond.
    """
    return ticket_id_prefix(at) + mailbox_digits(mailbox_id)


def ticket_id_prefix(at: datetime) -> str:
    """What the ids of tickets of this millisecond begin with; every id of a later ticket is smaller."""
    # Whole numbers: a float's rounding could move a ticket over the edge of a range of dates.
    return _base32(_LAST_COUNTDOWN - (at - _EPOCH) // timedelta(milliseconds=1), _TIME_DIGITS)


def mailbox_digits(mailbox_id: str) -> str:
    """What the ids of a mailbox's tickets end with; two mailboxes in 32,768 share it."""
    return _base32(int.from_bytes(hashlib.sha256(mailbox_id.encode()).digest()[:4]), _MAILBOX_DIGITS)


def created_at(ticket_id: str) -> datetime:
    """When the ticket with this id was created, to the millisecond.

    Raises:
        ValueError: this is no ticket's id.
    """
    if not is_ticket_id(ticket_id):
        raise ValueError(f"{ticket_id!r} is no ticket's id: 12 digits and capital letters without I, L, O and U")
    number = 0
    for char in ticket_id[:_TIME_DIGITS]:
        number = number * len(_DIGITS) + _DIGITS.index(char)
    return _EPOCH + timedelta(milliseconds=_LAST_COUNTDOWN - number)


def is_ticket_id(text: str) -> bool:
    """Whether this is a ticket's id by its form."""
    return len(text) == _TIME_DIGITS + _MAILBOX_DIGITS and set(text) <= set(_DIGITS)


def spoken_ticket_id(text: str) -> str:
    """A ticket's id as a person types it: case and the letters that look like digits don't matter (Crockford)."""
    return text.strip().upper().translate(_LOOKALIKES)
