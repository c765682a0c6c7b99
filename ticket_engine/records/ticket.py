"""Tickets and their messages, and how a ticket gets its id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Crockford's base 32: no I, L, O or U, so an id survives a telephone.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_DIGITS = 9
_MAILBOX_DIGITS = 3


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


@dataclass(frozen=True)
class Ticket:
    """A ticket: one conversation."""

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


@dataclass(frozen=True)
class Message:
    """A mail that became part of a ticket; the raw mail is ``entry`` in the ZIP ``archive``."""

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
    automatic: str = ""
    problem: str = ""


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
    countdown = len(_DIGITS) ** _TIME_DIGITS - 1 - int(at.timestamp() * 1000)
    mailbox = int.from_bytes(hashlib.sha256(mailbox_id.encode()).digest()[:4])
    return _base32(countdown, _TIME_DIGITS) + _base32(mailbox, _MAILBOX_DIGITS)
