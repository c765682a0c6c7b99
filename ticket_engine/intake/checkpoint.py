"""The POP3 checkpoint: which of the mails that are still on the server are done.

It holds a digest of each UIDL, because the protocol promises neither order nor numbers between sessions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ticket_engine.mail import Item

# Ten octets: among 100,000 mails two UIDLs meet with a chance of 4 in 10**15.
_DIGEST_OCTETS = 10
_FORMAT = b"P1"
_COUNT_OCTETS = 4


def _digest(uidl: str) -> bytes:
    return hashlib.sha256(uidl.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_OCTETS]


@dataclass(frozen=True)
class Checkpoint:
    """The digests of the UIDLs that are done, and of those among them whose mail must stay on the server.

    A mail stays when only its headers were taken: it is done, but the server has the only whole copy.
    """

    done: frozenset[bytes] = frozenset()
    kept: frozenset[bytes] = frozenset()

    @classmethod
    def decode(cls, data: bytes | None) -> Checkpoint:
        """Read a stored checkpoint; None is a mailbox that was never polled."""
        if data is None:
            return cls()
        if not data.startswith(_FORMAT):
            raise ValueError(f"this release does not know a checkpoint of the format {data[:2]!r}")
        start = len(_FORMAT) + _COUNT_OCTETS
        kept = int.from_bytes(data[len(_FORMAT) : start])
        digests = [data[at : at + _DIGEST_OCTETS] for at in range(start, len(data), _DIGEST_OCTETS)]
        return cls(done=frozenset(digests), kept=frozenset(digests[:kept]))

    def encode(self) -> bytes:
        """The checkpoint as it is stored: format, count of the kept, the kept, the others."""
        digests = sorted(self.kept) + sorted(self.done - self.kept)
        return _FORMAT + len(self.kept).to_bytes(_COUNT_OCTETS) + b"".join(digests)

    def new(self, items: Iterable[Item]) -> list[Item]:
        """The items that are not done yet, in their order."""
        return [item for item in items if _digest(item.id) not in self.done]

    def to_settle(self, items: Iterable[Item]) -> list[Item]:
        """The items that are done and stored whole, in their order."""
        whole = self.done - self.kept
        return [item for item in items if _digest(item.id) in whole]

    def still_listed(self, items: Iterable[Item]) -> Checkpoint:
        """The checkpoint without what has left the server."""
        listed = {_digest(item.id) for item in items}
        return Checkpoint(self.done & listed, self.kept & listed)

    def with_done(self, items: Iterable[Item], kept: Iterable[Item] = ()) -> Checkpoint:
        """The checkpoint after these items, of which ``kept`` must stay on the server."""
        staying = {_digest(item.id) for item in kept}
        return Checkpoint(self.done | staying | {_digest(item.id) for item in items}, self.kept | staying)
