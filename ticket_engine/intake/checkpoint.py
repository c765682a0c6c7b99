"""The checkpoint: which of the mails that are still on the server are done, so that no flag on the server matters.

POP3 promises neither order nor numbers between sessions, so its checkpoint is a set of UIDLs, as digests. IMAP's
UIDs only grow while UIDVALIDITY stays, so its checkpoint is the last UID, and the ones below it that are still open.
A checkpoint of the other protocol, or of another UIDVALIDITY, says nothing: then every mail is looked at again, and
the messages' keys tell which ones are tickets already.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from ticket_engine.errors import Actor, Reaction, TicketEngineError
from ticket_engine.mail import Item, Position
from ticket_engine.records import MailboxType

# Ten octets: among 100,000 mails two UIDLs meet with a chance of 4 in 10**15.
_DIGEST_OCTETS = 10
# What fits a row of 1 MiB beside the rest of the state.
MOST_UIDLS = 100_000
_POP3 = b"P2"
_IMAP = b"I1"
_COUNT = struct.Struct(">I")
_IMAP_HEAD = struct.Struct(">III")


class Checkpoint(Protocol):
    """What both protocols' checkpoints can say; immutable."""

    @property
    def position(self) -> Position | None:
        """From where the server may list, where its protocol can."""

    @property
    def fresh(self) -> bool:
        """Whether it says nothing about the mails that the server lists."""

    def encode(self) -> bytes:
        """The checkpoint as it is stored."""

    def seen(self, items: Sequence[Item], validity: int) -> Self:
        """The checkpoint in the light of what the server lists: what has left the server is forgotten."""

    def new(self, items: Iterable[Item]) -> list[Item]:
        """The items that are not done yet, in their order."""

    def pending(self, items: Iterable[Item]) -> list[Item]:
        """The items that are done and stored whole, but perhaps not settled on the server."""

    def after(self, planned: Sequence[Item], done: Sequence[Item], pending: Iterable[Item]) -> Self:
        """The checkpoint after a page: what was planned and is not done stays open, whether it was tried or not."""

    def settled(self, items: Iterable[Item]) -> Self:
        """The checkpoint after the server has settled these."""

    def reopened(self, item_id: str) -> Self:
        """The checkpoint with one item not done, so that the next poll tries it again."""


@dataclass(frozen=True)
class UidlCheckpoint:
    """POP3: digests of the UIDLs that are done, and of those among them that are to be settled."""

    done: frozenset[bytes] = frozenset()
    unsettled: frozenset[bytes] = frozenset()
    fresh: bool = False

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote."""
        (count,) = _COUNT.unpack_from(data, len(_POP3))
        start = len(_POP3) + _COUNT.size
        digests = [data[at : at + _DIGEST_OCTETS] for at in range(start, len(data), _DIGEST_OCTETS)]
        return cls(frozenset(digests), frozenset(digests[:count]))

    @property
    def position(self) -> Position | None:
        """None: POP3 lists everything."""
        return None

    def encode(self) -> bytes:
        """Format, count of the unsettled, the unsettled, the others.

        Raises:
            TicketEngineError: there are more UIDLs than a row can hold.
        """
        if len(self.done) > MOST_UIDLS:
            raise _too_many(len(self.done))
        digests = sorted(self.unsettled) + sorted(self.done - self.unsettled)
        return _POP3 + _COUNT.pack(len(self.unsettled)) + b"".join(digests)

    def seen(self, items: Sequence[Item], validity: int) -> Self:
        """Forget the UIDLs that the server lists no more; when it lists none that is known, start anew."""
        del validity
        listed = {_digest(item.id) for item in items}
        done = self.done & listed
        changed = bool(self.done and listed and not done)
        return replace(self, done=done, unsettled=self.unsettled & listed, fresh=self.fresh or changed)

    def new(self, items: Iterable[Item]) -> list[Item]:
        """The items whose UIDL is not done."""
        return [item for item in items if _digest(item.id) not in self.done]

    def pending(self, items: Iterable[Item]) -> list[Item]:
        """The listed items that are to be settled."""
        return [item for item in items if _digest(item.id) in self.unsettled] if self.unsettled else []

    def after(self, planned: Sequence[Item], done: Sequence[Item], pending: Iterable[Item]) -> Self:
        """Add what is done; the rest of the page is simply not in the set."""
        del planned
        added, unsettled = {_digest(item.id) for item in done}, {_digest(item.id) for item in pending}
        return replace(self, done=self.done | added, unsettled=self.unsettled | unsettled, fresh=False)

    def settled(self, items: Iterable[Item]) -> Self:
        """Keep them as done: POP3 lists a deleted mail until the session ends, and longer if it breaks."""
        return replace(self, unsettled=self.unsettled - {_digest(item.id) for item in items})

    def reopened(self, item_id: str) -> Self:
        """Take one UIDL out."""
        one = {_digest(item_id)}
        return replace(self, done=self.done - one, unsettled=self.unsettled - one)


@dataclass(frozen=True)
class UidCheckpoint:
    """IMAP: UIDVALIDITY, the last UID that was planned, those up to it that are open, and those to be settled."""

    validity: int = 0
    last: int = 0
    open: frozenset[int] = frozenset()
    unsettled: frozenset[int] = frozenset()
    fresh: bool = False

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote."""
        validity, last, count = _IMAP_HEAD.unpack_from(data, len(_IMAP))
        uids = [each for (each,) in _COUNT.iter_unpack(data[len(_IMAP) + _IMAP_HEAD.size :])]
        return cls(validity, last, frozenset(uids[:count]), frozenset(uids[count:]))

    @property
    def position(self) -> Position | None:
        """From where the server may list."""
        return None if self.validity == 0 else Position(self.validity, self.last, tuple(sorted(self.open)))

    def encode(self) -> bytes:
        """Format, UIDVALIDITY, last UID, count of the open, the open, the unsettled."""
        uids = sorted(self.open) + sorted(self.unsettled)
        head = _IMAP + _IMAP_HEAD.pack(self.validity, self.last, len(self.open))
        return head + b"".join(_COUNT.pack(uid) for uid in uids)

    def seen(self, items: Sequence[Item], validity: int) -> Self:
        """Start anew under another UIDVALIDITY; else forget the open ones that are gone."""
        if validity != self.validity:
            return type(self)(validity=validity, fresh=True)
        return replace(self, open=self.open & {item.number for item in items})

    def new(self, items: Iterable[Item]) -> list[Item]:
        """The items past the last UID, and those that are open."""
        return [item for item in items if item.number > self.last or item.number in self.open]

    def pending(self, items: Iterable[Item]) -> list[Item]:
        """The items to be settled; the server need not list them again, and passes over those that are gone."""
        del items
        return [Item(f"{self.validity}-{uid}", uid, 0) for uid in sorted(self.unsettled)]

    def after(self, planned: Sequence[Item], done: Sequence[Item], pending: Iterable[Item]) -> Self:
        """Go on to the page's last UID."""
        finished = {item.number for item in done}
        return replace(
            self,
            last=max([self.last, *(item.number for item in planned)]),
            open=(self.open | {item.number for item in planned}) - finished,
            unsettled=self.unsettled | {item.number for item in pending},
            fresh=False,
        )

    def settled(self, items: Iterable[Item]) -> Self:
        """Forget them."""
        return replace(self, unsettled=self.unsettled - {item.number for item in items})

    def reopened(self, item_id: str) -> Self:
        """Mark one UID as open, where it is of this UIDVALIDITY."""
        validity, uid = _uid(item_id)
        return replace(self, open=self.open | {uid}) if validity == self.validity and uid <= self.last else self


def decode(data: bytes | None, kind: MailboxType) -> Checkpoint:
    """The stored checkpoint of a mailbox, or a fresh one: never polled, or read by the other protocol until now.

    Raises:
        ValueError: a newer release wrote it.
    """
    if data is not None and not data.startswith((_POP3, _IMAP)):
        raise ValueError(f"this release does not know a checkpoint of the format {data[:2]!r}")
    if kind is MailboxType.POP3:
        return UidlCheckpoint.decode(data) if data and data.startswith(_POP3) else UidlCheckpoint(fresh=True)
    return UidCheckpoint.decode(data) if data and data.startswith(_IMAP) else UidCheckpoint(fresh=True)


def _digest(uidl: str) -> bytes:
    return hashlib.sha256(uidl.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_OCTETS]


def _uid(item_id: str) -> tuple[int, int]:
    validity, _, uid = item_id.partition("-")
    return (int(validity), int(uid)) if validity.isdigit() and uid.isdigit() else (0, 0)


def _too_many(count: int) -> TicketEngineError:
    return TicketEngineError(
        Reaction(
            Actor.OPERATOR,
            "too-many-mails",
            f"The mailbox holds {count:,} mails that are done, and over POP3 at most {MOST_UIDLS:,} can be remembered: "
            "read it over IMAP, or let ingested mails be deleted.",
        )
    )
