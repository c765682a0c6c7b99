"""Erases a person's mail, with a proof of what was erased."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine.records import JournalEntry, Message, RecordError, TicketEvent, is_address
from ticket_engine.tickets.removal import Removal, Removed

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores

_ERASED = "(erased)"
_BATCH = 200


@dataclass(frozen=True)
class Proof:
    """What was erased of a person; it names the address by its SHA-256 only, and each raw mail likewise.

    ``left`` are messages of the person that a second look still found: none, or the erasure must be repeated.
    ``mentions`` are tickets in which others' mails name the address (as recipient, or in their text's beginning):
    they are theirs, and stay.
    """

    address_sha256: str
    at: datetime
    by: str
    mailboxes: tuple[str, ...]
    messages: int
    tickets: tuple[str, ...]
    history: int
    journal: int
    raw_sha256: tuple[str, ...]
    left: int
    mentions: tuple[str, ...]

    def as_json(self) -> str:
        """The proof as JSON, to be kept by whoever asked."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()}, indent=2)

    @property
    def digest(self) -> str:
        """The SHA-256 of the proof, which the journal keeps."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()


class Erasure:
    """Erases what a person sent: messages, tickets that nobody else wrote to, raw mail, index, history, journal."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self._removal = Removal(stores)

    def preview(self, address: str, *, mailboxes: Sequence[str] = ()) -> list[tuple[str, Message]]:
        """What would be erased: each message with its mailbox."""
        wanted = _checked(address)
        return [(name, each) for name in self._mailboxes(mailboxes) for each in self._sent(name, wanted)]

    def erase(self, address: str, *, by: str, mailboxes: Sequence[str] = ()) -> Proof:
        """Erase a person's mail in these mailboxes, or in all; doing it again erases what came since.

        What lies on the mail server is not touched: a mailbox that keeps its mail there has it still.

        Raises:
            RecordError: this is no mail address.
            StorageUnavailableError: storage failed; doing it again completes it.
        """
        wanted = _checked(address)
        names = self._mailboxes(mailboxes)
        removed, journal = Removed(), 0
        for name in names:
            found = self._sent(name, wanted)
            for start in range(0, len(found), _BATCH):
                removed += self._removal.remove(name, found[start : start + _BATCH], lambda each: _clean(each, wanted))
            journal += self._stores.journal.erase(name, wanted)
        proof = Proof(
            address_sha256=hashlib.sha256(wanted.encode()).hexdigest(),
            at=self._clock(),
            by=by,
            mailboxes=tuple(names),
            messages=removed.messages,
            tickets=removed.tickets,
            history=removed.history,
            journal=journal,
            raw_sha256=removed.raw,
            left=sum(len(self._sent(name, wanted)) for name in names),
            mentions=tuple(sorted({each.ticket for name in names for each in self._mentioning(name, wanted)})),
        )
        for name in names if removed.messages else ():
            count = f"{removed.messages} messages in all"
            sentence = f"A person's mail was erased: {count}; the SHA-256 of the proof is {proof.digest}."
            self._stores.journal.add(name, JournalEntry(proof.at, "erased", sentence, by=by))
        return proof

    def _mailboxes(self, names: Sequence[str]) -> list[str]:
        return list(names) or [each.id for each in self._stores.mailboxes.all()]

    def _sent(self, mailbox_id: str, address: str) -> list[Message]:
        return [each for each in self._stores.tickets.senders(mailbox_id) if _is_from(each, address)]

    def _mentioning(self, mailbox_id: str, address: str) -> list[Message]:
        return [each for each in self._stores.tickets.messages(mailbox_id) if _mentions(each, address)]


def _is_from(message: Message, address: str) -> bool:
    # A mail that could not be read may have its address in the name only.
    return message.sender_address.casefold() == address or f"<{address}>" in message.sender.casefold()


def _mentions(message: Message, address: str) -> bool:
    return address in f"{message.recipients}\n{message.subject}\n{message.text}".casefold()


def _clean(event: TicketEvent, address: str) -> TicketEvent:
    if address not in f"{event.by} {event.old} {event.new}".casefold():
        return event
    by = f"mail from {_ERASED}" if address in event.by.casefold() else event.by
    return replace(event, by=by, old=_without(event.old, address), new=_without(event.new, address))


def _without(text: str, address: str) -> str:
    return _ERASED if address in text.casefold() else text


def _checked(address: str) -> str:
    if not is_address(address.strip()):
        raise RecordError("erasure", (f"address takes one mail address; got {address!r}",))
    return address.strip().casefold()
