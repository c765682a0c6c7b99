"""The POP3 checkpoint: which of the mails that are still on the server are done.

It holds a digest of each UIDL, because the protocol promises neither order nor numbers between sessions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ticket_engine.mail import Item

# Ten octets: among 100,000 mails two UIDLs meet with a chance of 4 in 10**15.
_DIGEST_OCTETS = 10
_FORMAT = b"P1"


def _digest(uidl: str) -> bytes:
    return hashlib.sha256(uidl.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_OCTETS]


@dataclass(frozen=True)
class Checkpoint:
    """The digests of the UIDLs that are done."""

    done: frozenset[bytes] = frozenset()

    @classmethod
    def decode(cls, data: bytes | None) -> Checkpoint:
        """Read a stored checkpoint; None is a mailbox that was never polled."""
        if data is None:
            return cls()
        if not data.startswith(_FORMAT):
            raise ValueError(f"this release does not know a checkpoint of the format {data[:2]!r}")
        body = data[len(_FORMAT) :]
        return cls(frozenset(body[at : at + _DIGEST_OCTETS] for at in range(0, len(body), _DIGEST_OCTETS)))

    def encode(self) -> bytes:
        """The checkpoint as it is stored."""
        return _FORMAT + b"".join(sorted(self.done))

    def new(self, items: Iterable[Item]) -> list[Item]:
        """The items that are not done yet, in their order."""
        return [item for item in items if _digest(item.id) not in self.done]

    def done_among(self, items: Iterable[Item]) -> list[Item]:
        """The items that are done, in their order."""
        return [item for item in items if _digest(item.id) in self.done]

    def still_listed(self, items: Iterable[Item]) -> Checkpoint:
        """The checkpoint without what has left the server."""
        return Checkpoint(self.done & {_digest(item.id) for item in items})

    def with_done(self, items: Sequence[Item]) -> Checkpoint:
        """The checkpoint after these items."""
        return Checkpoint(self.done | {_digest(item.id) for item in items})
