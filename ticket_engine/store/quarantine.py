"""Mails that wait for a human: rows ``Q…`` beside their mailbox's state in ``MailboxStates``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ticket_engine.records import QuarantinedItem
from ticket_engine.store.entities import from_entity
from ticket_engine.store.rows import Rows

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients

_RANGE = "PartitionKey eq @p and RowKey ge 'Q' and RowKey lt 'R'"


class QuarantineTable:
    """The quarantined mails of each mailbox."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "MailboxStates")

    def all(self, mailbox_id: str) -> list[QuarantinedItem]:
        """A mailbox's quarantined mails."""
        return [from_entity(QuarantinedItem, each) for each in self._rows.query(_RANGE, {"p": mailbox_id})]

    def put(self, mailbox_id: str, item: QuarantinedItem) -> None:
        """Quarantine a mail; once more is harmless."""
        self._rows.put(item, mailbox_id, _row(item.item))

    def delete(self, mailbox_id: str, item_id: str) -> None:
        """Forget a mail."""
        self._rows.delete(mailbox_id, _row(item_id))


def _row(item_id: str) -> str:
    # An item's id may hold characters that a key can't.
    return "Q" + hashlib.sha256(item_id.encode("utf-8", "surrogateescape")).hexdigest()[:32]
