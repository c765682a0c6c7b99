"""What a human can do about quarantined mails: look at them, and have them tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, ItemNotFoundError, Reaction
from ticket_engine.intake import checkpoint
from ticket_engine.intake.lease import Lease
from ticket_engine.records import JournalEntry

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.records import QuarantinedItem
    from ticket_engine.store import Stores


class Quarantine:
    """The quarantined mails of every mailbox."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def all(self, mailbox_id: str) -> list[QuarantinedItem]:
        """A mailbox's quarantined mails.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        self._stores.mailboxes.get(mailbox_id)
        return self._stores.quarantine.all(mailbox_id)

    def release(self, mailbox_id: str, item_id: str, by: str | None = None) -> None:
        """Let the next poll try a mail again, as if it were new; ``by`` is who asked for it.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            ItemNotFoundError: no such mail is quarantined.
            LeaseHeldError: the mailbox is being polled right now; try again in a moment.
        """
        found = {each.item for each in self.all(mailbox_id)}
        if item_id not in found:
            raise ItemNotFoundError(
                Reaction(
                    Actor.OPERATOR,
                    "item-not-found",
                    f"No mail {item_id!r} of mailbox {mailbox_id} is in quarantine: look at the list for the right id.",
                )
            )
        mailbox = self._stores.mailboxes.get(mailbox_id)
        lease = Lease(self._stores.states, mailbox_id, self._clock, timedelta())
        state = lease.read()
        reopened = checkpoint.decode(state.checkpoint, mailbox.type).reopened(item_id)
        lease.state = replace(state, quarantined=len(found) - 1)
        lease.release(checkpoint=reopened.encode(), next_poll_at=None)
        self._stores.quarantine.delete(mailbox_id, item_id)
        entry = JournalEntry(self._clock(), "released", f"Mail {item_id} is tried again at the next poll.", by=by)
        self._stores.journal.add(mailbox_id, entry)
