"""Commits a page of mails: raw bytes first, then tickets and messages in transactions, each mail exactly once."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, Reaction, StorageUnavailableError
from ticket_engine.intake.fingerprint import message_key
from ticket_engine.intake.plan import Plan, Planner, entry_name, transactions
from ticket_engine.intake.thread import Threads
from ticket_engine.records import JournalEntry, Listed, Mailbox, MatchRule, Ticket, TicketType, ticket_id_prefix
from ticket_engine.store.segments import Shelf
from ticket_engine.store.transactions import TransactionConflictError
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.mail import Item
    from ticket_engine.mime import Parsed
    from ticket_engine.store import Stores
    from ticket_engine.store.tickets import Conversation

# A page conflicts when a part of it was committed before, or when someone changes a ticket meanwhile.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Incoming:
    """A fetched mail on its way to becoming a message."""

    item: Item
    raw: bytes
    parsed: Parsed

    @property
    def key(self) -> str:
        """The row key of its message."""
        return message_key(self.parsed.message_id, self.parsed.identity, self.parsed.body)


@dataclass(frozen=True)
class Committed:
    """What a page became: new tickets and new messages (mails that were known already are in neither)."""

    tickets: int = 0
    messages: int = 0


class Committer:
    """Commits the pages of one poll of one mailbox."""

    def __init__(self, stores: Stores, *, mailbox: Mailbox, ticket_types: Sequence[TicketType], clock: Clock) -> None:
        self._mailbox = mailbox
        self._stores = stores
        self._clock = clock
        self._told: set[MatchRule] = set()
        threads = Threads(
            stores.tickets,
            mailbox.id,
            own_address=mailbox.username,
            admins=[each.admin_email for each in ticket_types],
        )
        self._planner = Planner(mailbox.id, threads=threads, ticket_types=ticket_types, clock=clock)

    @traced("commit")
    def commit(self, page: Sequence[Incoming]) -> Committed:
        """Store and ticket a page.

        Raises:
            StorageUnavailableError: storage failed; committing the same mails again is harmless.
        """
        incoming = {each.key: each for each in page}
        if not incoming:
            return Committed()
        name = f"{self._mailbox.id}/{archive_name(list(incoming))}.zip"
        self._stores.archive.put(name, zipped(incoming))
        tickets = messages = conflicts = 0
        while incoming:
            plan = self._planner.plan(incoming, name)
            # The index names a ticket before it is there: killed in between, it lists one too many, never one less.
            self._stores.segments.add(plan.segment_key, plan.segment)
            if any(each.errands for each in plan.conversations):
                # Told before they are there: killed in between, somebody looks for nothing, and nothing is forgotten.
                self._stores.states.tasks_wait(self._mailbox.id, self._clock())
            for ticket in plan.reopened:
                self._list_anew(ticket)
            incoming = plan.deferred
            for group in transactions(plan.conversations):
                left = self._commit_group(group, plan)
                if left is None:
                    tickets += sum(each.etag is None for each in group)
                    messages += sum(len(each.messages) for each in group)
                else:
                    conflicts += 1
                    incoming = left | incoming
            if conflicts > _ATTEMPTS:
                raise _conflict()
        self._tell_late_rules()
        return Committed(tickets, messages)

    def _tell_late_rules(self) -> None:
        for rule in set(self._planner.late_rules) - self._told:
            self._told.add(rule)
            sentence = f"The rule '{rule}' took too long on a mail and did not match it: write a simpler pattern."
            entry = JournalEntry(self._clock(), "rule-too-slow", sentence, Actor.OPERATOR, "rule-too-slow")
            self._stores.journal.add(self._mailbox.id, entry)

    def recover(self, since: datetime) -> None:
        """Take out of the index what a poll that began then and did not end well had listed, but not committed."""
        stop = f"{ticket_id_prefix(since)}~"
        for shelf in Shelf:
            for key, segment in self._stores.segments.read(shelf, stop=stop, mailbox=self._mailbox.id):
                ids = [each.id for each in segment.listed()]
                missing = {each for each in ids if self._stores.tickets.ticket(self._mailbox.id, each) is None}
                if missing:
                    self._forget(key, tickets=missing)

    def _commit_group(self, group: list[Conversation], plan: Plan) -> dict[str, Incoming] | None:
        """Commit a transaction; None when it is done, else the mails to plan anew."""
        keys = [message.key for each in group for message in each.messages]
        try:
            self._stores.tickets.commit(self._mailbox.id, group)
        except TransactionConflictError:
            known = list(self._stores.tickets.messages_by_key(self._mailbox.id, keys))
            if not any(each.segment == plan.segment_key for each in known):
                self._forget(
                    plan.segment_key, tickets={each.ticket.id for each in group if each.etag is None}, messages=keys
                )
                present = {each.key for each in known}
                return {key: plan.incoming[key] for key in keys if key not in present}
            # The transaction was this one: it was done, and its answer was lost.
        for ticket, _ in (merged for each in group for merged in each.merged):
            self._list_anew(ticket)
        return None

    def _forget(self, key: str, *, tickets: Collection[str], messages: Collection[str] = ()) -> None:
        self._stores.segments.change(key, lambda segment: segment.without(tickets=tickets, messages=messages))

    def _list_anew(self, ticket: Ticket) -> None:
        listed = Listed.of(ticket, self._mailbox.id)
        self._stores.segments.change(ticket.segment, lambda segment: segment.with_tickets([listed]))


def _conflict() -> StorageUnavailableError:
    return StorageUnavailableError(
        Reaction(
            Actor.SERVICE,
            "commit-conflict",
            "The tickets were changed by someone else again and again; the next run tries again.",
        )
    )


def archive_name(keys: Sequence[str]) -> str:
    """The name of a page's ZIP: fixed by what is in it.

    A page that is stored again after a crash gets the same name when it holds the same mails, and another one when
    it doesn't, so that no ZIP that a message points to is ever overwritten by one without it.
    """
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def zipped(incoming: dict[str, Incoming]) -> bytes:
    """The page's raw mails as a ZIP, one .eml a mail."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, each in incoming.items():
            # A fixed date makes the same page the same bytes.
            archive.writestr(zipfile.ZipInfo(entry_name(key), (1980, 1, 1, 0, 0, 0)), each.raw, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()
