"""A segment of the index: what lists and searches need of one committed page of mail, in one row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ticket_engine.records.ticket import Message, Ticket, TicketState, created_at

# The record and unit separators of ASCII; a text that holds them loses them.
_NEXT_TEXT = "\x1e"
_NEXT_FIELD = "\x1f"
_SEPARATORS = str.maketrans(_NEXT_TEXT + _NEXT_FIELD, "  ")
# The end of a message's key tells the messages of one page apart.
_KEY_DIGITS = 12
# A page's tickets and texts compress to a third at the fastest level; higher ones cost more than they save.
_LEVEL = 1
# A row holds 1 MiB, and a page's list of tickets takes less than half of it whatever its subjects.
_MAX_TEXTS = 500 * 1024


@dataclass(frozen=True)
class Listed:
    """A ticket as a list shows it."""

    id: str
    mailbox: str
    ticket_type: str
    subject: str
    sender: str
    state: TicketState
    assignee: str
    automatic: bool = False
    unparsed: bool = False

    @property
    def created_at(self) -> datetime:
        """When it was created; the id tells."""
        return created_at(self.id)

    @classmethod
    def of(cls, ticket: Ticket, mailbox: str) -> Listed:
        """The list's view of a ticket."""
        return cls(
            id=ticket.id,
            mailbox=mailbox,
            ticket_type=ticket.ticket_type,
            subject=ticket.subject,
            sender=ticket.sender,
            state=ticket.state,
            assignee=ticket.assignee,
            automatic=ticket.automatic,
            unparsed=ticket.unparsed,
        )


@dataclass(frozen=True)
class Segment:
    """One row of the index: the tickets that a page of mail opened, and the texts of all of the page's messages.

    ``tickets`` and ``texts`` are packed: a row is read and written whole, a thousand times more often than changed.
    """

    mailbox: str
    tickets: bytes
    texts: bytes = b""

    @classmethod
    def of(cls, mailbox: str, listed: Iterable[Listed], messages: Iterable[Message]) -> Segment:
        """The segment of these new tickets and these messages."""
        return cls(mailbox, _packed_tickets(listed), _packed_texts(map(_text_of, messages)))

    def listed(self) -> list[Listed]:
        """The tickets, newest first."""
        rows = json.loads(zlib.decompress(self.tickets))
        return [
            Listed(
                row[0], self.mailbox, row[1], row[2], row[3], TicketState(row[4]), row[5], bool(row[6]), bool(row[7])
            )
            for row in rows
        ]

    def hits(self, words: Collection[str]) -> list[str]:
        """The ticket of each message, oldest first, whose subject, sender or text holds all these case-folded words."""
        text = zlib.decompress(self.texts).decode() if self.texts else ""
        if not text or not all(word in text for word in words):
            return []
        parts = (each.split(_NEXT_FIELD, 2) for each in text.split(_NEXT_TEXT))
        return [ticket for ticket, _, content in parts if all(word in content for word in words)]

    def with_tickets(self, tickets: Iterable[Listed]) -> Segment:
        """The segment with these of its tickets as they are now."""
        current = {each.id: each for each in tickets}
        return replace(self, tickets=_packed_tickets(current.get(each.id, each) for each in self.listed()))

    def with_text(self, old: str, message: Message) -> Segment:
        """The segment with the text of this message in the place of that of the message with the old key."""
        end = old[-_KEY_DIGITS:]
        parts = (_text_of(message) if part[1] == end else part for part in self._texts())
        return replace(self, texts=_packed_texts(parts))

    def _texts(self) -> list[list[str]]:
        text = zlib.decompress(self.texts).decode() if self.texts else ""
        return [each.split(_NEXT_FIELD, 2) for each in text.split(_NEXT_TEXT) if each]

    def without(self, *, tickets: Collection[str] = (), messages: Collection[str] = ()) -> Segment:
        """The segment without these tickets and all their texts, and without the texts of these messages (by key)."""
        ends = {key[-_KEY_DIGITS:] for key in messages}
        left = (part for part in self._texts() if part[0] not in tickets and part[1] not in ends)
        return replace(
            self,
            tickets=_packed_tickets(each for each in self.listed() if each.id not in tickets),
            texts=_packed_texts(left),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing is left in it."""
        return not self.texts and not self.listed()

    @property
    def open(self) -> bool:
        """Whether one of its tickets is not closed."""
        return any(each.state is not TicketState.CLOSED for each in self.listed())


def _text_of(message: Message) -> list[str]:
    content = f"{message.subject}\n{message.sender}\n{message.text}".casefold().translate(_SEPARATORS)
    return [message.ticket, message.key[-_KEY_DIGITS:], content]


def _packed_texts(parts: Iterable[list[str]]) -> bytes:
    """The texts packed; where they would burst the row, which noise in place of words does, each is cut."""
    kept = list(parts)
    packed = _packed(kept)
    longest = max((len(part[2]) for part in kept), default=0)
    while len(packed) > _MAX_TEXTS:
        longest //= 2
        packed = _packed([[part[0], part[1], part[2][:longest]] for part in kept])
    return packed


def _packed(parts: Iterable[list[str]]) -> bytes:
    text = _NEXT_TEXT.join(_NEXT_FIELD.join(part) for part in parts)
    return zlib.compress(text.encode("utf-8", "replace"), _LEVEL) if text else b""


def _packed_tickets(listed: Iterable[Listed]) -> bytes:
    rows = [
        [
            each.id,
            each.ticket_type,
            each.subject,
            each.sender,
            each.state.value,
            each.assignee,
            int(each.automatic),
            int(each.unparsed),
        ]
        for each in sorted(listed, key=lambda each: each.id)
    ]
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), _LEVEL)
