"""``Tickets``: tickets (rows ``T…``) and their messages (rows ``M…``), side by side in their mailbox's partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ticket_engine.records import Message, Ticket
from ticket_engine.store.entities import from_entity, to_entity
from ticket_engine.store.rows import Rows, Stored

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients

# A filter has at most 15 comparisons ("Querying tables and entities"); one is the partition's.
_COMPARISONS = 14


@dataclass(frozen=True)
class Conversation:
    """New messages of one ticket, to be committed together.

    ``etag`` is the ticket's as it was read, or None for a ticket that is new.
    """

    ticket: Ticket
    etag: str | None
    messages: tuple[Message, ...]


class TicketTable:
    """Reads tickets and messages, and commits conversations."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients.table("Tickets"))

    def commit(self, mailbox_id: str, conversations: Sequence[Conversation]) -> None:
        """Commit all of these conversations, or none.

        Raises:
            TransactionConflictError: a message or a new ticket's id is there already, or a ticket has changed.
        """
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        operations: list[tuple[Any, ...]] = []
        for each in conversations:
            ticket = to_entity(each.ticket, mailbox_id, f"T{each.ticket.id}")
            if each.etag is None:
                operations.append(("create", ticket))
            else:
                condition = {"etag": each.etag, "match_condition": MatchConditions.IfNotModified}
                operations.append(("update", ticket, {"mode": UpdateMode.REPLACE, **condition}))
            operations += [("create", to_entity(message, mailbox_id, message.key)) for message in each.messages]
        self._rows.transact(operations)

    def ticket(self, mailbox_id: str, ticket_id: str) -> Stored[Ticket] | None:
        """The ticket with this id, with its ETag."""
        return self._rows.get(Ticket, mailbox_id, f"T{ticket_id}")

    def tickets(self, mailbox_id: str) -> Iterator[Ticket]:
        """A mailbox's tickets, newest first."""
        for each in self._rows.query("PartitionKey eq @p and RowKey ge 'T' and RowKey lt 'U'", {"p": mailbox_id}):
            yield from_entity(Ticket, each)

    def messages(self, mailbox_id: str, ticket_id: str | None = None) -> Iterator[Message]:
        """A mailbox's messages, or one ticket's, in the order of their keys."""
        condition, parameters = "PartitionKey eq @p and RowKey ge 'M' and RowKey lt 'N'", {"p": mailbox_id}
        if ticket_id is not None:
            condition, parameters = f"{condition} and ticket eq @t", {**parameters, "t": ticket_id}
        for each in self._rows.query(condition, parameters):
            yield from_entity(Message, each)

    def existing(self, mailbox_id: str, keys: Iterable[str]) -> set[str]:
        """Which of these message keys are there already."""
        found: set[str] = set()
        # The SDK finds a parameter only between blanks.
        for part in _parts(list(keys), _COMPARISONS):
            condition = " or ".join(f"RowKey eq @k{n}" for n in range(len(part)))
            parameters = {"p": mailbox_id} | {f"k{n}": key for n, key in enumerate(part)}
            rows = self._rows.query(f"PartitionKey eq @p and ( {condition} )", parameters, select=["RowKey"])
            found |= {row["RowKey"] for row in rows}
        return found

    def tickets_by_prefix(self, mailbox_id: str, prefixes: Iterable[str]) -> dict[str, str]:
        """The ticket id of each message-key prefix (one a Message-ID) that has a message."""
        found: dict[str, str] = {}
        # '.' is the character after the '-' that ends a prefix: a range of two comparisons.
        for part in _parts(list(prefixes), _COMPARISONS // 2):
            condition = " or ".join(f"( RowKey ge @a{n} and RowKey lt @b{n} )" for n in range(len(part)))
            parameters = {"p": mailbox_id}
            for n, prefix in enumerate(part):
                parameters |= {f"a{n}": prefix, f"b{n}": prefix[:-1] + "."}
            rows = self._rows.query(f"PartitionKey eq @p and ( {condition} )", parameters, select=["RowKey", "ticket"])
            for row in rows:
                key = str(row["RowKey"])
                found.setdefault(key[: key.index("-") + 1], str(row["ticket"]))
        return found


def _parts(values: list[str], size: int) -> Iterator[list[str]]:
    return (values[at : at + size] for at in range(0, len(values), size))
