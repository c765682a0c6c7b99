"""What people do with tickets: read one, change it, note something, close many; with a history of who did what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, ConflictError, Reaction, TicketNotFoundError
from ticket_engine.records import (
    EventKind,
    Listed,
    Message,
    RecordError,
    Ticket,
    TicketEvent,
    TicketState,
    is_address,
)
from ticket_engine.store.rows import Stored
from ticket_engine.store.tickets import Conversation
from ticket_engine.store.transactions import TransactionConflictError

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.store import Stores

# A change by someone who did not say which version they saw is tried again when a poll was faster.
_ATTEMPTS = 10
# What a person reads at once of a long thread: the newest ones.
MESSAGES = 100
_MAX_NOTE = 10_000
# Tickets of one transaction, each with a line of history; the service takes 100 rows.
_BULK = 45


@dataclass(frozen=True)
class TicketView:
    """A ticket as a person reads it; ``etag`` is what ``change`` takes.

    ``messages`` come oldest first, those of merged tickets among them; ``earlier`` more came before these.
    """

    ticket: Ticket
    etag: str
    messages: tuple[Message, ...]
    earlier: int
    history: tuple[TicketEvent, ...]


@dataclass(frozen=True)
class Closed:
    """How closing many went: how many were closed now, and those that were not, each with the reason."""

    closed: int
    failed: tuple[tuple[str, str], ...] = ()


class TicketWork:
    """Reads and changes tickets. ``by`` is the name of the person, for the history."""

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def get(self, mailbox_id: str, ticket_id: str, *, before: int | None = None) -> TicketView:
        """A ticket with its history and its newest messages, or with those before the message of this number.

        Raises:
            TicketNotFoundError: there is no such ticket in this mailbox.
        """
        stored = self._ticket(mailbox_id, ticket_id)
        keys = stored.record.message_keys
        for each in self._stores.tickets.together(mailbox_id, stored.record.merged):
            keys = [*each.record.message_keys, *keys]
        end = len(keys) if before is None else min(before, len(keys))
        start = max(0, end - MESSAGES)
        messages = self._stores.tickets.messages_by_key(mailbox_id, keys[start:end])
        return TicketView(
            ticket=stored.record,
            etag=stored.etag,
            messages=tuple(sorted(messages, key=lambda each: each.received_at)),
            earlier=start,
            history=tuple(self._stores.tickets.events(mailbox_id, ticket_id)),
        )

    def raw(self, message: Message) -> bytes:
        """A message's raw mail."""
        return self._stores.archive.read(message.archive, message.entry)

    def change(
        self,
        mailbox_id: str,
        ticket_id: str,
        *,
        by: str,
        etag: str | None = None,
        state: TicketState | str | None = None,
        assignee: str | None = None,
        note: str = "",
    ) -> Stored[Ticket]:
        """Change a ticket, write what changed into its history, and return it as it is then.

        ``etag`` is that of the ticket that the person saw; without one the change applies to what is there.
        An empty ``assignee`` takes the ticket from everybody.

        Raises:
            TicketNotFoundError: there is no such ticket in this mailbox.
            RecordError: names what is not acceptable, and what is.
            ConflictError: someone else, or a new mail, changed it since; nothing was changed.
        """
        wanted = _checked(state, assignee, note)
        for _ in range(_ATTEMPTS):
            stored = self._ticket(mailbox_id, ticket_id)
            if etag is not None and etag != stored.etag:
                raise self._told(mailbox_id, ticket_id)
            if stored.record.merged_into and wanted["state"] not in {None, TicketState.CLOSED}:
                reason = f"it was merged into {stored.record.merged_into} and stays closed: open that one"
                raise RecordError("ticket", (reason,))
            changed, events = self._changed(stored.record, by, wanted, note)
            try:
                self._commit(mailbox_id, [(stored, changed, events)])
            except TransactionConflictError:
                continue
            return self._ticket(mailbox_id, ticket_id)
        raise self._told(mailbox_id, ticket_id)

    def note(self, mailbox_id: str, ticket_id: str, text: str, *, by: str) -> None:
        """Add a note to a ticket; it needs no version, because a note overwrites nothing.

        Raises:
            TicketNotFoundError: there is no such ticket in this mailbox.
            RecordError: the note is empty or too long.
        """
        if not text.strip():
            raise RecordError("ticket", ("note takes some text",))
        self.change(mailbox_id, ticket_id, by=by, note=text)

    def close(self, tickets: Iterable[tuple[str, str]], *, by: str, note: str = "") -> Closed:
        """Close many tickets, each given by its mailbox and its id; those that are closed already stay as they are."""
        _checked(None, None, note)
        closed = 0
        failed: list[tuple[str, str]] = []
        for mailbox_id, pairs in groupby(sorted(set(tickets)), key=lambda each: each[0]):
            ids = [ticket_id for _, ticket_id in pairs]
            for start in range(0, len(ids), _BULK):
                done, left = self._close(mailbox_id, ids[start : start + _BULK], by, note)
                closed += done
                failed += left
        return Closed(closed, tuple(failed))

    def _close(
        self, mailbox_id: str, ticket_ids: Sequence[str], by: str, note: str
    ) -> tuple[int, list[tuple[str, str]]]:
        stored = self._stores.tickets.together(mailbox_id, ticket_ids)
        there = {each.record.id for each in stored}
        failed = [(each, _not_found(each).sentence) for each in ticket_ids if each not in there]
        changes = []
        for each in stored:
            if each.record.state is not TicketState.CLOSED:
                changed, events = self._changed(each.record, by, {"state": TicketState.CLOSED}, note)
                changes.append((each, changed, events))
        if not changes:
            return 0, failed
        try:
            self._commit(mailbox_id, changes)
        except TransactionConflictError:
            # One of them has changed meanwhile: each on its own.
            single = [self._close_one(mailbox_id, each.record.id, by, note) for each, _, _ in changes]
            failed += [each for each in single if each is not None]
            return sum(each is None for each in single), failed
        return len(changes), failed

    def _close_one(self, mailbox_id: str, ticket_id: str, by: str, note: str) -> tuple[str, str] | None:
        try:
            self.change(mailbox_id, ticket_id, by=by, state=TicketState.CLOSED, note=note)
        except (ConflictError, TicketNotFoundError) as error:
            return ticket_id, error.reaction.sentence
        return None

    def _changed(
        self, ticket: Ticket, by: str, wanted: dict[str, Any], note: str
    ) -> tuple[Ticket, tuple[TicketEvent, ...]]:
        now = self._clock()
        events = []
        for kind in (EventKind.STATE, EventKind.ASSIGNEE):
            old, new = getattr(ticket, kind.value), wanted.get(kind.value)
            if new is not None and new != old:
                events.append(TicketEvent(ticket.id, now, by, kind, str(old), str(new)))
                ticket = replace(ticket, **{kind.value: new})
        if note.strip():
            events.append(TicketEvent(ticket.id, now, by, EventKind.NOTE, new=note.strip()))
        return (replace(ticket, updated_at=now) if events else ticket), tuple(events)

    def _commit(
        self, mailbox_id: str, changes: Sequence[tuple[Stored[Ticket], Ticket, tuple[TicketEvent, ...]]]
    ) -> None:
        # The index may list a closed ticket as open for a moment, never an open one as closed: so it learns of an
        # opening before, and of all else after. A change that changes nothing still mends the index after a crash.
        before = [new for old, new, _ in changes if old.record.state is TicketState.CLOSED is not new.state]
        self._list_anew(mailbox_id, before)
        conversations = [Conversation(new, old.etag, events=events) for old, new, events in changes if events]
        if conversations:
            self._stores.tickets.commit(mailbox_id, conversations)
        self._list_anew(mailbox_id, [new for _, new, _ in changes if new not in before])

    def _list_anew(self, mailbox_id: str, tickets: Sequence[Ticket]) -> None:
        for segment_key in dict.fromkeys(each.segment for each in tickets):
            entries = [Listed.of(each, mailbox_id) for each in tickets if each.segment == segment_key]
            self._stores.segments.change(segment_key, lambda segment, entries=entries: segment.with_tickets(entries))  # type: ignore[misc]

    def _ticket(self, mailbox_id: str, ticket_id: str) -> Stored[Ticket]:
        stored = self._stores.tickets.ticket(mailbox_id, ticket_id)
        if stored is None:
            raise TicketNotFoundError(_not_found(ticket_id))
        return stored

    def _told(self, mailbox_id: str, ticket_id: str) -> ConflictError:
        history = self._stores.tickets.events(mailbox_id, ticket_id)
        last = history[-1] if history else None
        who = f"by {last.by}, at {last.at:%H:%M:%S} UTC" if last is not None else "by a new mail"
        return ConflictError(
            Reaction(
                Actor.OPERATOR,
                "changed",
                f"Ticket {ticket_id} was changed since you looked at it (the last change in its history is {who}): "
                "look at it again, then repeat your change.",
            )
        )


def _checked(state: TicketState | str | None, assignee: str | None, note: str) -> dict[str, Any]:
    problems = []
    if state is not None and state not in set(TicketState):
        problems.append(f"state takes {', '.join(TicketState)}; got {str(state)!r}")
    if assignee and not is_address(assignee.strip()):
        problems.append(f"assignee takes a mail address, or nothing; got {assignee!r}")
    if len(note) > _MAX_NOTE:
        problems.append(f"note takes at most {_MAX_NOTE:,} characters; got {len(note):,}")
    if problems:
        raise RecordError("ticket", tuple(problems))
    wanted = {"state": None if state is None else TicketState(state), "assignee": assignee}
    return wanted | ({} if assignee is None else {"assignee": assignee.strip()})


def _not_found(ticket_id: str) -> Reaction:
    return Reaction(
        Actor.OPERATOR,
        "ticket-not-found",
        f"There is no ticket {ticket_id}: look in the list for the right one; it may have been erased.",
    )
