"""Commits a page of mails: raw bytes first, then tickets and messages in transactions, each mail exactly once."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, Reaction, StorageUnavailableError
from ticket_engine.intake.fingerprint import message_id_prefix, message_key
from ticket_engine.records import Mailbox, Message, Ticket, TicketState, TicketType, ticket_id
from ticket_engine.store.rows import MAX_TRANSACTION_BYTES, MAX_TRANSACTION_ENTITIES, TransactionConflictError
from ticket_engine.store.tickets import Conversation
from ticket_engine.tasks import TASKS

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.intake.parse import Parsed
    from ticket_engine.mail import Item
    from ticket_engine.store.blobs import MailArchive
    from ticket_engine.store.tickets import TicketTable

_MILLISECOND = timedelta(milliseconds=1)
# A page conflicts when a part of it was committed before, or when someone changes a ticket meanwhile.
_ATTEMPTS = 10
# Ids of mails and items are kept for people to read; the keys hash them in full.
_MAX_ID = 500
# An entity's text at two octets a character (the service counts UTF-16), its keys and its envelope.
_ENTITY_OVERHEAD = 2_000
# The service counts the request's body, whose JSON is longer than the values.
_TRANSACTION_ROOM = MAX_TRANSACTION_BYTES // 2


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

    tickets: int
    messages: int


class Committer:
    """Commits the pages of one poll of one mailbox."""

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        ticket_type: TicketType,
        tickets: TicketTable,
        archive: MailArchive,
        clock: Clock,
    ) -> None:
        self._mailbox = mailbox
        self._ticket_type = ticket_type
        self._tickets = tickets
        self._archive = archive
        self._clock = clock
        self._last_id_at = datetime.fromtimestamp(0).astimezone()

    def commit(self, page: Sequence[Incoming]) -> Committed:
        """Store and ticket a page.

        Raises:
            StorageUnavailableError: storage failed; committing the same mails again is harmless.
        """
        incoming = {each.key: each for each in page}
        if not incoming:
            return Committed(0, 0)
        name = f"{self._mailbox.id}/{archive_name(list(incoming))}.zip"
        self._archive.put(name, zipped(incoming))
        conversations = self._conversations(incoming, name)
        tickets = messages = 0
        for group in _transactions(conversations):
            done = self._commit_group(group, incoming, name)
            tickets += done.tickets
            messages += done.messages
        return Committed(tickets, messages)

    def _commit_group(self, group: list[Conversation], incoming: dict[str, Incoming], archive: str) -> Committed:
        for _ in range(_ATTEMPTS):
            try:
                self._tickets.commit(self._mailbox.id, group)
            except TransactionConflictError:
                keys = [message.key for each in group for message in each.messages]
                known = self._tickets.existing(self._mailbox.id, keys)
                left = {key: incoming[key] for key in keys if key not in known}
                group = self._conversations(left, archive)
                if not group:
                    return Committed(0, 0)
                continue
            return Committed(
                tickets=sum(each.etag is None for each in group),
                messages=sum(len(each.messages) for each in group),
            )
        raise StorageUnavailableError(
            Reaction(
                Actor.SERVICE,
                "commit-conflict",
                "The tickets were changed by someone else again and again; the next run tries again.",
            )
        )

    def _conversations(self, incoming: dict[str, Incoming], archive: str) -> list[Conversation]:
        now = self._clock()
        known = self._known_tickets(incoming)
        open_: dict[str, Conversation] = {}
        for key, each in incoming.items():
            ticket = next(
                (known[prefix] for prefix in map(message_id_prefix, each.parsed.references) if prefix in known),
                None,
            )
            conversation = open_.get(ticket) if ticket else None
            if conversation is None:
                conversation = self._conversation(ticket, each.parsed, now)
            message = self._message(key, each, conversation.ticket.id, archive, now)
            open_[conversation.ticket.id] = replace(conversation, messages=(*conversation.messages, message))
            if each.parsed.message_id:
                known.setdefault(message_id_prefix(each.parsed.message_id), conversation.ticket.id)
        return [_counted(each, now) for each in open_.values()]

    def _known_tickets(self, incoming: dict[str, Incoming]) -> dict[str, str]:
        references = {
            message_id_prefix(reference) for each in incoming.values() for reference in each.parsed.references
        }
        return self._tickets.tickets_by_prefix(self._mailbox.id, sorted(references)) if references else {}

    def _conversation(self, ticket: str | None, first: Parsed, now: datetime) -> Conversation:
        stored = self._tickets.ticket(self._mailbox.id, ticket) if ticket else None
        if stored is not None:
            return Conversation(stored.record, stored.etag, ())
        opened = TASKS[self._ticket_type.task](self._new_id(), self._ticket_type, first, now)
        return Conversation(opened, None, ())

    def _new_id(self) -> str:
        self._last_id_at = max(self._clock(), self._last_id_at + _MILLISECOND)
        return ticket_id(self._mailbox.id, self._last_id_at)

    def _message(self, key: str, each: Incoming, ticket: str, archive: str, now: datetime) -> Message:
        parsed = each.parsed
        return Message(
            key=key,
            ticket=ticket,
            kind=parsed.kind,
            message_id=parsed.message_id[:_MAX_ID],
            subject=parsed.subject,
            sender=parsed.sender,
            recipients=parsed.recipients,
            sent_at=parsed.sent_at,
            received_at=now,
            size=max(each.item.size, len(each.raw)),
            archive=archive,
            entry=entry_name(key),
            source_item=each.item.id[:_MAX_ID],
            text=parsed.text,
            attachments=parsed.attachments,
            automatic=parsed.automatic,
            problem=parsed.problem,
        )


def entry_name(key: str) -> str:
    """The name of a message's raw mail in its ZIP."""
    return f"{key}.eml"


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


def _counted(conversation: Conversation, now: datetime) -> Conversation:
    ticket: Ticket = conversation.ticket
    added = len(conversation.messages)
    if conversation.etag is None:
        return replace(conversation, ticket=replace(ticket, messages=added))
    state = TicketState.OPEN if ticket.state is TicketState.CLOSED else ticket.state
    changed = replace(ticket, messages=ticket.messages + added, updated_at=now, state=state)
    return replace(conversation, ticket=changed)


def _transactions(conversations: list[Conversation]) -> Iterator[list[Conversation]]:
    group: list[Conversation] = []
    entities = size = 0
    for each in conversations:
        count = 1 + len(each.messages)
        weight = sum(_weight(message) for message in each.messages) + _ENTITY_OVERHEAD
        if group and (entities + count > MAX_TRANSACTION_ENTITIES or size + weight > _TRANSACTION_ROOM):
            yield group
            group, entities, size = [], 0, 0
        group.append(each)
        entities += count
        size += weight
    if group:
        yield group


def _weight(message: Message) -> int:
    text = len(message.text) + len(message.subject) + len(message.sender) + len(message.recipients)
    return 2 * text + _ENTITY_OVERHEAD
