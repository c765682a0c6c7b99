"""Errands in the table ``Tickets``: rows ``O…`` wait, rows ``X…`` were given up (the dead letters)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ticket_engine.errors import ConflictError
from ticket_engine.records import Errand
from ticket_engine.store.entities import from_entity, to_entity
from ticket_engine.store.rows import Rows, Stored
from ticket_engine.store.transactions import TransactionConflictError, create, delete

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients


def errand_row(errand: Errand) -> str:
    """The row key of a waiting errand; one a message, so that no message is delivered by two errands."""
    return f"O{errand.message}"


class ErrandTable:
    """The errands of mailboxes; new ones are committed with their messages (``TicketTable.commit``)."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "Tickets")

    def waiting(self, mailbox_id: str) -> Iterator[Stored[Errand]]:
        """The errands that are not done."""
        return self._range(mailbox_id, "O", "P")

    def dead(self, mailbox_id: str) -> list[Errand]:
        """The errands that were given up."""
        return [each.record for each in self._range(mailbox_id, "X", "Y")]

    def claim(self, mailbox_id: str, errand: Errand, etag: str) -> str | None:
        """Write an errand as its worker wants it; its new ETag, or None when another worker was faster."""
        try:
            return self._rows.replace(errand, mailbox_id, errand_row(errand), etag)
        except ConflictError:
            return None

    def done(self, mailbox_id: str, errand: Errand, etag: str | None = None) -> None:
        """Delete an errand."""
        self._rows.delete(mailbox_id, errand_row(errand), etag=etag)

    def give_up(self, mailbox_id: str, errand: Errand) -> None:
        """Make an errand a dead letter."""
        self._move(mailbox_id, errand, "O", "X")

    def revive(self, mailbox_id: str, errand: Errand) -> None:
        """Make a dead letter an errand again."""
        self._move(mailbox_id, errand, "X", "O")

    def forget(self, mailbox_id: str, message: str) -> None:
        """Delete a message's errand, whether it waits or was given up."""
        for kind in ("O", "X"):
            self._rows.delete(mailbox_id, f"{kind}{message}")

    def _move(self, mailbox_id: str, errand: Errand, source: str, target: str) -> None:
        created = to_entity(errand, mailbox_id, f"{target}{errand.message}")
        try:
            self._rows.transact([delete(mailbox_id, f"{source}{errand.message}"), create(created)])
        except TransactionConflictError:
            # Another worker has moved it, or has done it.
            return

    def _range(self, mailbox_id: str, start: str, stop: str) -> Iterator[Stored[Errand]]:
        condition = "PartitionKey eq @p and RowKey ge @a and RowKey lt @b"
        for each in self._rows.query(condition, {"p": mailbox_id, "a": start, "b": stop}):
            yield Stored(from_entity(Errand, each), str(each.metadata["etag"]))  # type: ignore[attr-defined]  # the SDK's entity
