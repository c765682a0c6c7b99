"""Setting ticket types up and changing them, with every change in the journal of their mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, ConflictError, Reaction
from ticket_engine.operations.changes import Edited, changed, changes
from ticket_engine.records import JournalEntry, RecordError, TicketType
from ticket_engine.tasks.webhook import new_secret

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores
    from ticket_engine.store.rows import Stored


class TicketTypeSetup:
    """Adds, changes and removes ticket types. ``by`` is the name of the person, for the journal."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def add(self, values: Mapping[str, Any], *, by: str) -> TicketType:
        """Add a ticket type from an operator's input.

        Raises:
            RecordError: names each field that is not acceptable, and what it accepts.
            MailboxNotFoundError: its mailbox does not exist.
            ConflictError: the id is taken.
        """
        ticket_type = TicketType.create(**values)
        self._stores.mailboxes.get(ticket_type.mailbox)
        self._stores.ticket_types.add(ticket_type)
        self._journal(ticket_type.mailbox, "ticket-type-added", f"Ticket type {ticket_type.id} was added.", by)
        return ticket_type

    def all(self, mailbox_id: str | None = None) -> list[TicketType]:
        """Every ticket type, or those of one mailbox, by id."""
        return self._stores.ticket_types.all() if mailbox_id is None else self._stores.ticket_types.of(mailbox_id)

    def get(self, ticket_type_id: str) -> Stored[TicketType]:
        """A ticket type with the ETag that ``edit`` takes; raises TicketTypeNotFoundError."""
        return self._stores.ticket_types.stored(ticket_type_id)

    def edit(
        self, ticket_type_id: str, values: Mapping[str, Any], *, by: str, etag: str | None = None
    ) -> Edited[TicketType]:
        """Change fields of a ticket type; the others stay. ``etag`` is that of the record that the person saw.

        Raises:
            TicketTypeNotFoundError: there is no such ticket type.
            MailboxNotFoundError: its new mailbox does not exist.
            RecordError: names each field that is not acceptable, and what it accepts.
            ConflictError: someone else changed it since.
        """
        stored = self._stores.ticket_types.stored(ticket_type_id)
        before = stored.record
        if values.get("id", before.id) != before.id:
            raise RecordError("ticket type", ("id can't be changed, because tickets carry it: add a new ticket type",))
        after = TicketType.create(**changed(before, values))
        found = changes(before, after)
        if etag is not None and etag != stored.etag:
            raise _changed_meanwhile(ticket_type_id)
        if not found:
            return Edited(before, stored.etag, ())
        if after.mailbox != before.mailbox:
            self._stores.mailboxes.get(after.mailbox)
        try:
            new_etag = self._stores.ticket_types.replace(after, stored.etag)
        except ConflictError:
            raise _changed_meanwhile(ticket_type_id) from None
        sentence = f"Ticket type {ticket_type_id}: changed {'; '.join(map(str, found))}."
        for mailbox_id in dict.fromkeys((before.mailbox, after.mailbox)):
            self._journal(mailbox_id, "ticket-type-edited", sentence, by)
        return Edited(after, new_etag, found, self._without_types(before.mailbox))

    def remove(self, ticket_type_id: str, *, by: str) -> Edited[TicketType]:
        """Remove a ticket type and the secret of its webhook; its tickets stay.

        The notes say when its mailbox is left without any.

        Raises:
            TicketTypeNotFoundError: there is no such ticket type.
        """
        stored = self._stores.ticket_types.stored(ticket_type_id)
        ticket_type = stored.record
        self._stores.vault.delete_webhook_secret(ticket_type_id)
        self._stores.ticket_types.delete(ticket_type_id)
        sentence = f"Ticket type {ticket_type_id} was removed; its tickets stay."
        self._journal(ticket_type.mailbox, "ticket-type-removed", sentence, by)
        return Edited(ticket_type, stored.etag, (), self._without_types(ticket_type.mailbox))

    def new_webhook_secret(self, ticket_type_id: str, *, by: str) -> str:
        """Make the secret that signs a ticket type's webhook posts; it is shown this once, and the old one ends.

        Raises:
            TicketTypeNotFoundError: there is no such ticket type.
            VaultUnavailableError: Key Vault did not take it.
        """
        ticket_type = self._stores.ticket_types.stored(ticket_type_id).record
        secret = new_secret()
        self._stores.vault.store_webhook_secret(ticket_type_id, secret)
        sentence = f"Ticket type {ticket_type_id} got a new signing secret for its webhook."
        self._journal(ticket_type.mailbox, "webhook-secret-made", sentence, by)
        return secret

    def _without_types(self, mailbox_id: str) -> tuple[str, ...]:
        found = self._stores.ticket_types.of(mailbox_id)
        if found and all(each.rules for each in found):
            last = max(found, key=lambda each: (each.priority, each.id))
            return (f"Every ticket type of mailbox {mailbox_id} has rules now: {last.id} takes what none matches.",)
        if found:
            return ()
        return (f"Mailbox {mailbox_id} has no ticket type now: its mail stays on the server until it gets one.",)

    def _journal(self, mailbox_id: str, event: str, sentence: str, by: str) -> None:
        self._stores.journal.add(mailbox_id, JournalEntry(self._clock(), event, sentence, by=by))


def _changed_meanwhile(ticket_type_id: str) -> ConflictError:
    return ConflictError(
        Reaction(
            Actor.OPERATOR,
            "changed",
            f"Ticket type {ticket_type_id} was changed by someone else since you looked at it: look at it again, then "
            "repeat your change.",
        )
    )
