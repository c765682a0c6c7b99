"""The outbox: delivers what tasks are to do with messages, each until it is done or given up."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, MailboxNotFoundError, Reaction, TicketEngineError
from ticket_engine.records import Errand, JournalEntry, Mailbox, TicketType
from ticket_engine.tasks import DeliveryError, task_of
from ticket_engine.tasks.task import Delivery, Services, wait

if TYPE_CHECKING:
    from ticket_engine.store.rows import Stored

_log = logging.getLogger("ticket_engine.tasks")

# Tries before an errand becomes a dead letter: with the waits between them, a day and a half.
MAX_ATTEMPTS = 16
# A worker that takes an errand has it this long; one that dies leaves it to another after that.
CLAIM = timedelta(minutes=5)
# How long one run goes on taking errands: with the last one, it ends before the function's limit.
_BUDGET = timedelta(minutes=4)


@dataclass(frozen=True)
class Delivered:
    """How a run went: errands done, failed for now, and given up."""

    done: int = 0
    failed: int = 0
    dead: int = 0


class Outbox:
    """Delivers the errands of mailboxes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stores = services.stores
        self._clock = services.clock

    def due(self) -> list[str]:
        """The ids of the mailboxes with an errand that is due."""
        return self._stores.states.tasks_due(self._clock())

    def run(self, mailbox_id: str) -> Delivered:
        """Deliver what is due of a mailbox, the oldest first.

        Raises:
            StorageUnavailableError: storage failed; what was not done stays due.
        """
        told = self._stores.states.tasks(mailbox_id).told
        try:
            mailbox = self._stores.mailboxes.get(mailbox_id)
        except MailboxNotFoundError:
            return self._without_mailbox(mailbox_id, told)
        types = {each.id: each for each in self._stores.ticket_types.of(mailbox_id)}
        deadline = self._clock() + _BUDGET
        waiting = sorted(self._stores.errands.waiting(mailbox_id), key=lambda each: each.record.created_at)
        done = failed = dead = 0
        later: list[datetime] = []
        for stored in waiting:
            if stored.record.due_at > self._clock():
                later.append(stored.record.due_at)
                continue
            if self._clock() > deadline:
                later.append(stored.record.due_at)
                break
            left = self._try(mailbox, types.get(stored.record.ticket_type), stored)
            done += left is None
            failed += left is not None and not left.dead
            dead += left is not None and left.dead
            if left is not None and left.due_at is not None:
                later.append(left.due_at)
        # Someone who added an errand meanwhile has changed the row, and their word stands.
        self._stores.states.tasks_done(mailbox_id, told, min(later, default=None))
        return Delivered(done, failed, dead)

    def poisoned(self, mailbox_id: str) -> None:
        """Record that a queue message about this mailbox was given up, because its worker died again and again."""
        sentence = (
            f"The worker that delivers for mailbox {mailbox_id} died several times in a row: look for its memory or "
            "its timeout in the log; the timer tries again by itself."
        )
        entry = JournalEntry(self._clock(), "delivery-poisoned", sentence, Actor.OPERATOR, "delivery-poisoned")
        self._stores.journal.add(mailbox_id, entry)

    def dead(self, mailbox_id: str) -> list[Errand]:
        """The errands of a mailbox that were given up, with the reason of the last failure."""
        return self._stores.errands.dead(mailbox_id)

    def retry(self, mailbox_id: str, *, by: str) -> int:
        """Take every dead letter of a mailbox up again; returns how many."""
        now = self._clock()
        found = self._stores.errands.dead(mailbox_id)
        if found:
            self._stores.states.tasks_wait(mailbox_id, now)
        for each in found:
            self._stores.errands.revive(mailbox_id, replace(each, attempts=0, due_at=now))
        if found:
            sentence = f"{len(found)} deliveries that were given up are tried again."
            self._stores.journal.add(mailbox_id, JournalEntry(now, "deliveries-retried", sentence, by=by))
        return len(found)

    def _try(self, mailbox: Mailbox, ticket_type: TicketType | None, stored: Stored[Errand]) -> _Left | None:
        """Try one errand; None when it is done."""
        now = self._clock()
        errand = replace(stored.record, attempts=stored.record.attempts + 1, due_at=now + CLAIM)
        etag = self._stores.errands.claim(mailbox.id, errand, stored.etag)
        if etag is None:
            return _Left(errand.due_at)
        delivery = self._delivery(mailbox, ticket_type, errand)
        if delivery is None:
            # The ticket was erased, or its type is gone: there is nothing to say, or nobody to say it to.
            self._stores.errands.done(mailbox.id, errand)
            return None
        try:
            task_of(delivery.ticket_type.task).deliver(delivery, self._services)
        except TicketEngineError as error:
            final = isinstance(error, DeliveryError) and error.final
            return self._failed(mailbox.id, errand, etag, error.reaction, final=final)
        except Exception:  # noqa: BLE001 - one errand is an isolation edge; the traceback is logged
            _log.exception("delivery failed", extra={"mailbox": mailbox.id, "ticket": errand.ticket})
            return self._failed(mailbox.id, errand, etag, _unexpected(errand))
        self._stores.errands.done(mailbox.id, errand)
        return None

    def _delivery(self, mailbox: Mailbox, ticket_type: TicketType | None, errand: Errand) -> Delivery | None:
        ticket = self._stores.tickets.ticket(mailbox.id, errand.ticket)
        message = next(self._stores.tickets.messages_by_key(mailbox.id, [errand.message]), None)
        if ticket is None or message is None or ticket_type is None or not task_of(ticket_type.task).delivers:
            return None
        return Delivery(errand, mailbox, ticket_type, ticket.record, message)

    def _failed(self, mailbox_id: str, errand: Errand, etag: str, reaction: Reaction, *, final: bool = False) -> _Left:
        now = self._clock()
        due_at = now + max(wait(errand.attempts), min(reaction.retry_after or timedelta(), timedelta(hours=4)))
        errand = replace(errand, due_at=due_at, problem=reaction.sentence)
        dead = final or errand.attempts >= MAX_ATTEMPTS
        if dead:
            self._stores.errands.give_up(mailbox_id, errand)
        else:
            self._stores.errands.claim(mailbox_id, errand, etag)
        # The journal has the first failure of a message and the last, not the fourteen between.
        if dead or errand.attempts == 1:
            event = "delivery-given-up" if dead else "delivery-failed"
            tail = "It is given up: repair the cause, then retry it." if dead else "It is tried again by itself."
            sentence = f"Ticket {errand.ticket}: {reaction.sentence} {tail}"
            entry = JournalEntry(now, event, sentence, reaction.actor, reaction.code)
            self._stores.journal.add(mailbox_id, entry)
        return _Left(None if dead else errand.due_at, dead=dead)

    def _without_mailbox(self, mailbox_id: str, told: int) -> Delivered:
        for each in self._stores.errands.waiting(mailbox_id):
            self._stores.errands.done(mailbox_id, each.record)
        self._stores.states.tasks_done(mailbox_id, told, None)
        return Delivered()


@dataclass(frozen=True)
class _Left:
    """What became of an errand that was not done."""

    due_at: datetime | None
    dead: bool = False


def _unexpected(errand: Errand) -> Reaction:
    return Reaction(
        Actor.OPERATOR,
        "unexpected",
        f"The delivery of {errand.message} met an error nobody foresaw: report what the log has as 'delivery failed'.",
    )
