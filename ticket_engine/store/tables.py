"""The tables, each with the reads and writes that the domain needs of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from ticket_engine.errors import Actor, ConflictError, MailboxNotFoundError, Reaction, TicketTypeNotFoundError
from ticket_engine.records import (
    ConsentFlow,
    CredentialState,
    JournalEntry,
    Mailbox,
    PollState,
    TaskState,
    TicketType,
    TokenState,
)
from ticket_engine.store.entities import from_entity
from ticket_engine.store.rows import Rows, Stored

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients

_MAILBOX = "mailbox"
_TICKET_TYPE = "ticket-type"
_FLOW = "flow"
_TOKEN = "token"  # noqa: S105 - a row's key
_POLL = "poll"
_TASKS = "tasks"
# Row keys that count down sort newest first; this many microseconds reach the year 5138.
_COUNTDOWN = 10**17

State = TypeVar("State")


class MailboxTable:
    """``Mailboxes``: what operators set up."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "Mailboxes")

    def get(self, mailbox_id: str) -> Mailbox:
        """The mailbox with this id.

        Raises:
            MailboxNotFoundError: there is none.
        """
        return self.stored(mailbox_id).record

    def stored(self, mailbox_id: str) -> Stored[Mailbox]:
        """The mailbox with this id, with its ETag.

        Raises:
            MailboxNotFoundError: there is none.
        """
        found = self._rows.get(Mailbox, _MAILBOX, mailbox_id)
        if found is None:
            raise MailboxNotFoundError(
                Reaction(
                    Actor.OPERATOR,
                    "mailbox-not-found",
                    f"There is no mailbox with the id {mailbox_id!r}: look at the list of mailboxes for the right one.",
                )
            )
        return found

    def all(self) -> list[Mailbox]:
        """Every mailbox, by id, but for those that can't be read: one of them must not stop the others."""
        return [each for each in self._read().values() if isinstance(each, Mailbox)]

    def unreadable(self) -> dict[str, str]:
        """The rows that are no mailbox any more, by id, and their fields that are not acceptable.

        They were changed in another way than through this package, or before a rule became stricter.
        """
        return {mailbox_id: each for mailbox_id, each in self._read().items() if isinstance(each, str)}

    def _read(self) -> dict[str, Mailbox | str]:
        found: dict[str, Mailbox | str] = {}
        for entity in self._rows.query("PartitionKey eq @p", {"p": _MAILBOX}):
            try:
                found[entity["RowKey"]] = from_entity(Mailbox, entity)
            except ValidationError as error:
                fields = {str(each["loc"][0]) if each["loc"] else "fields" for each in error.errors()}
                found[entity["RowKey"]] = ", ".join(sorted(fields))
        return found

    def add(self, mailbox: Mailbox) -> None:
        """Store a new mailbox; raises ConflictError when its id is taken."""
        self._rows.create(mailbox, _MAILBOX, mailbox.id)

    def put(self, mailbox: Mailbox) -> None:
        """Store a mailbox, new or changed."""
        self._rows.put(mailbox, _MAILBOX, mailbox.id)

    def replace(self, mailbox: Mailbox, etag: str) -> str:
        """Store a mailbox as it was read with this ETag and changed; raises ConflictError when it has changed since."""
        return self._rows.replace(mailbox, _MAILBOX, mailbox.id, etag)

    def delete(self, mailbox_id: str) -> None:
        """Delete a mailbox's record."""
        self._rows.delete(_MAILBOX, mailbox_id)


class TicketTypeTable:
    """``TicketTypes``: what becomes of mail."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "TicketTypes")

    def all(self) -> list[TicketType]:
        """Every ticket type, by id."""
        return self._rows.partition(TicketType, _TICKET_TYPE)

    def of(self, mailbox_id: str) -> list[TicketType]:
        """The ticket types that a mailbox feeds, by id."""
        found = self._rows.query("PartitionKey eq @p and mailbox eq @m", {"p": _TICKET_TYPE, "m": mailbox_id})
        return [from_entity(TicketType, each) for each in found]

    def add(self, ticket_type: TicketType) -> None:
        """Store a new ticket type; raises ConflictError when its id is taken."""
        self._rows.create(ticket_type, _TICKET_TYPE, ticket_type.id)

    def put(self, ticket_type: TicketType) -> None:
        """Store a ticket type, new or changed."""
        self._rows.put(ticket_type, _TICKET_TYPE, ticket_type.id)

    def stored(self, ticket_type_id: str) -> Stored[TicketType]:
        """The ticket type with this id, with its ETag.

        Raises:
            TicketTypeNotFoundError: there is none.
        """
        found = self._rows.get(TicketType, _TICKET_TYPE, ticket_type_id)
        if found is None:
            raise TicketTypeNotFoundError(
                Reaction(
                    Actor.OPERATOR,
                    "ticket-type-not-found",
                    f"There is no ticket type with the id {ticket_type_id!r}: look at the list of ticket types for the "
                    "right one.",
                )
            )
        return found

    def replace(self, ticket_type: TicketType, etag: str) -> str:
        """Store a ticket type as it was read with this ETag; raises ConflictError when it has changed since."""
        return self._rows.replace(ticket_type, _TICKET_TYPE, ticket_type.id, etag)

    def delete(self, ticket_type_id: str) -> None:
        """Delete a ticket type."""
        self._rows.delete(_TICKET_TYPE, ticket_type_id)


class StateTable:
    """``MailboxStates``: what the machine remembers of each mailbox."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "MailboxStates")

    def token(self, mailbox_id: str) -> TokenState:
        """The connection's state."""
        return self._token(mailbox_id)[0]

    def update_token(self, mailbox_id: str, change: Callable[[TokenState], TokenState]) -> TokenState:
        """Apply a change to the connection's state as it is now, and return the new one."""
        while True:
            state, etag = self._token(mailbox_id)
            changed = change(state)
            if changed == state:
                return state
            try:
                self._rows.replace(changed, mailbox_id, _TOKEN, etag)
            except ConflictError:
                continue
            return changed

    def poll(self, mailbox_id: str) -> tuple[PollState, str | None]:
        """The polls' state with its ETag (None: there is no row yet)."""
        return _or_default(self._rows.get(PollState, mailbox_id, _POLL), PollState())

    def save_poll(self, mailbox_id: str, state: PollState, etag: str | None) -> str:
        """Replace the polls' state as it was read; raises ConflictError when it has changed."""
        return self._rows.replace(state, mailbox_id, _POLL, etag)

    def tasks(self, mailbox_id: str) -> TaskState:
        """A mailbox's errands at a glance."""
        return self._tasks(mailbox_id)[0]

    def tasks_due(self, now: datetime) -> list[str]:
        """The mailboxes that have an errand to do by now."""
        found = self._rows.query("RowKey eq @r and due_at le @t", {"r": _TASKS, "t": now}, select=["PartitionKey"])
        return [str(each["PartitionKey"]) for each in found]

    def tasks_wait(self, mailbox_id: str, due_at: datetime) -> None:
        """Say that a mailbox has an errand to do from this moment on."""
        self._update_tasks(
            mailbox_id, lambda state: replace(state, due_at=min(state.due_at or due_at, due_at), told=state.told + 1)
        )

    def tasks_done(self, mailbox_id: str, told: int, due_at: datetime | None) -> None:
        """Say when the next errand is due, unless new ones were told of since ``told`` was read."""
        self._update_tasks(mailbox_id, lambda state: replace(state, due_at=due_at) if state.told == told else state)

    def count_notification(self, mailbox_id: str, now: datetime, limit: int) -> int | None:
        """Count one more notification; which of this hour's it is, or None when there were ``limit`` already."""
        hour = now.replace(minute=0, second=0, microsecond=0)

        def count(state: TaskState) -> TaskState:
            notified = state.notified if state.hour == hour else 0
            return replace(state, hour=hour, notified=notified + 1)

        number = self._update_tasks(mailbox_id, count).notified
        return number if number <= limit else None

    def _update_tasks(self, mailbox_id: str, change: Callable[[TaskState], TaskState]) -> TaskState:
        while True:
            state, etag = self._tasks(mailbox_id)
            changed = change(state)
            if changed == state:
                return state
            try:
                self._rows.replace(changed, mailbox_id, _TASKS, etag)
            except ConflictError:
                continue
            return changed

    def _tasks(self, mailbox_id: str) -> tuple[TaskState, str | None]:
        return _or_default(self._rows.get(TaskState, mailbox_id, _TASKS), TaskState())

    def delete(self, mailbox_id: str) -> None:
        """Forget all that is remembered of a mailbox: its connection, its invite, its polls and its checkpoint."""
        for row in (_TOKEN, _POLL, _TASKS):
            self._rows.delete(mailbox_id, row)

    def update_poll(self, mailbox_id: str, change: Callable[[PollState], PollState]) -> PollState:
        """Apply a change to the polls' state as it is now, and return the new one."""
        while True:
            state, etag = self.poll(mailbox_id)
            changed = change(state)
            if changed == state:
                return state
            try:
                self.save_poll(mailbox_id, changed, etag)
            except ConflictError:
                continue
            return changed

    def _token(self, mailbox_id: str) -> tuple[TokenState, str | None]:
        return _or_default(self._rows.get(TokenState, mailbox_id, _TOKEN), TokenState())

    def all_tokens(self) -> dict[str, TokenState]:
        """The connection of every mailbox that has one."""
        found = self._rows.query("RowKey eq @r", {"r": _TOKEN})
        return {each["PartitionKey"]: from_entity(TokenState, each) for each in found}

    def all_polls(self) -> dict[str, PollState]:
        """The polls' state of every mailbox that was polled; without the checkpoints' bytes."""
        columns = ["PartitionKey", "RowKey", "Format"]
        columns += [
            "lease_holder",
            "lease_until",
            "next_poll_at",
            "last_poll_at",
            "last_success_at",
            "consecutive_failures",
            "mails_on_server",
            "messages_ingested",
            "last_mail_at",
            "mails_by_day",
            "quarantined",
            "backlog_mails",
            "failure_at",
            "failure_actor",
            "failure_code",
            "failure_sentence",
        ]
        found = self._rows.query("RowKey eq @r", {"r": _POLL}, select=columns)
        return {each["PartitionKey"]: from_entity(PollState, each) for each in found}


def _or_default(found: Stored[State] | None, default: State) -> tuple[State, str | None]:
    return (default, None) if found is None else (found.record, found.etag)


class ConsentFlowTable:
    """``ConsentFlows``: consents that were started and not yet ended, by the hash of their state."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "ConsentFlows")

    def start(self, state_hash: str, flow: ConsentFlow) -> None:
        """Remember a flow until its callback comes."""
        self._rows.put(flow, _FLOW, state_hash)

    def take(self, state_hash: str) -> ConsentFlow | None:
        """Remove and return the flow with this state; exactly one of two callers gets it."""
        found = self._rows.get(ConsentFlow, _FLOW, state_hash)
        if found is None or not self._rows.delete(_FLOW, state_hash, etag=found.etag):
            return None
        return found.record

    def sweep(self, now: datetime) -> int:
        """Delete the flows that have expired; returns how many."""
        old = self._rows.query("PartitionKey eq @p and expires_at lt @t", {"p": _FLOW, "t": now}, select=["RowKey"])
        return self._rows.delete_all(_FLOW, [each["RowKey"] for each in old])


class CredentialTable:
    """``Credentials``: applications' credentials that the identity platform refuses, by client id and fingerprint."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "Credentials")

    def get(self, client_id: str, fingerprint: str) -> Stored[CredentialState] | None:
        """The refusal of a credential, with its ETag, or None: it works."""
        return self._rows.get(CredentialState, client_id, fingerprint)

    def all(self) -> list[CredentialState]:
        """Every refused credential."""
        return [from_entity(CredentialState, each) for each in self._rows.query("PartitionKey ne @p", {"p": ""})]

    def save(self, client_id: str, fingerprint: str, state: CredentialState, etag: str | None) -> None:
        """Replace the refusal as it was read (None: there was none); raises ConflictError when it has changed."""
        self._rows.replace(state, client_id, fingerprint, etag)

    def delete(self, client_id: str, fingerprint: str) -> None:
        """Forget the refusal: the credential works again."""
        self._rows.delete(client_id, fingerprint)


class JournalTable:
    """``Journal``: each mailbox's history, newest first."""

    def __init__(self, clients: Clients) -> None:
        self._rows = Rows(clients, "Journal")

    def add(self, mailbox_id: str, entry: JournalEntry) -> None:
        """Append an entry."""
        row = f"{_countdown(entry.at):017d}-{secrets.token_hex(4)}"
        self._rows.put(entry, mailbox_id, row)

    def newest(self, mailbox_id: str, count: int = 50) -> list[JournalEntry]:
        """The newest entries of a mailbox, newest first."""
        entries = self._entries(mailbox_id)
        return [entry for _, entry in zip(range(count), entries, strict=False)]

    def erase(self, mailbox_id: str, text: str) -> int:
        """Delete a mailbox's entries that hold this text, whatever its case; returns how many."""
        wanted = text.casefold()
        rows = self._rows.query("PartitionKey eq @p", {"p": mailbox_id}, select=["RowKey", "sentence", "by"])
        found = [
            str(each["RowKey"]) for each in rows if wanted in f"{each.get('sentence')} {each.get('by')}".casefold()
        ]
        return self._rows.delete_all(mailbox_id, found)

    def _entries(self, mailbox_id: str) -> Iterator[JournalEntry]:
        for each in self._rows.query("PartitionKey eq @p", {"p": mailbox_id}):
            yield from_entity(JournalEntry, each)


def _countdown(at: datetime) -> int:
    return _COUNTDOWN - int(at.timestamp() * 1_000_000)
