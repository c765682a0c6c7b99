"""What a page of mails becomes: its tickets and messages, ready to be committed, and its segment of the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.intake.route import Router
from ticket_engine.records import (
    Errand,
    EventKind,
    Listed,
    MailClass,
    MatchRule,
    Message,
    MessageKind,
    Segment,
    Ticket,
    TicketEvent,
    TicketState,
    TicketType,
    created_at,
    ticket_id,
)
from ticket_engine.store.tickets import Conversation
from ticket_engine.store.transactions import MAX_TRANSACTION_BYTES, MAX_TRANSACTION_ENTITIES
from ticket_engine.tasks import task_of

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.intake.commit import Incoming
    from ticket_engine.intake.thread import Thread, Threads
    from ticket_engine.mime import Parsed

_MILLISECOND = timedelta(milliseconds=1)
# Ids of mails and items are kept for people to read; the keys hash them in full.
_MAX_ID = 500
# An entity's text at two octets a character (the service counts UTF-16), its keys and its envelope.
_ENTITY_OVERHEAD = 2_000
# The service counts the request's body, whose JSON is longer than the values.
_TRANSACTION_ROOM = MAX_TRANSACTION_BYTES // 2
# What comes from no person; a mailing list's mails do.
_QUIET = {MailClass.LOOP, MailClass.SPAM, MailClass.AUTOMATIC}
# Who changed a ticket, where no person did.
BY_MAIL = "mail"


@dataclass(frozen=True)
class Plan:
    """Conversations to commit, the segment that lists them, and the mails that need a transaction after these."""

    incoming: Mapping[str, Incoming]
    segment_key: str
    segment: Segment
    conversations: list[Conversation] = field(default_factory=list)
    reopened: list[Ticket] = field(default_factory=list)
    deferred: dict[str, Incoming] = field(default_factory=dict)


class Planner:
    """Plans the pages of one poll of one mailbox; the ids of its tickets follow each other."""

    def __init__(self, mailbox_id: str, *, threads: Threads, ticket_types: Sequence[TicketType], clock: Clock) -> None:
        self._mailbox_id = mailbox_id
        self._threads = threads
        self._router = Router(ticket_types)
        self._types = {each.id: each for each in ticket_types}
        self._clock = clock
        self._last_id_at = datetime.fromtimestamp(0, UTC)

    def plan(self, incoming: Mapping[str, Incoming], archive: str) -> Plan:
        """The plan for these mails (by key), whose raw bytes are in this archive."""
        now = self._clock()
        threads = self._threads.of({key: each.parsed for key, each in incoming.items()})
        ids = [self._new_id() for _ in threads]
        # The smallest id is the newest, and a list begins with it.
        segment_key = ids[-1]
        conversations, reopened, listed = [], [], []
        deferred: dict[str, Incoming] = {}
        for thread, new_id in zip(threads, ids, strict=True):
            made = self._conversation(thread, incoming, now, new_id=new_id, archive=archive, segment=segment_key)
            conversations.append(made)
            committed = {message.key for message in made.messages}
            deferred |= {key: incoming[key] for key in thread.keys if key not in committed}
            if made.etag is None:
                listed.append(Listed.of(made.ticket, self._mailbox_id))
            elif thread.ticket is not None and thread.ticket.record.state is not made.ticket.state:
                reopened.append(made.ticket)
        messages = (message for each in conversations for message in each.messages)
        segment = Segment.of(self._mailbox_id, listed, messages)
        return Plan(incoming, segment_key, segment, conversations, reopened, deferred)

    @property
    def late_rules(self) -> tuple[MatchRule, ...]:
        """The match rules whose patterns took too long so far."""
        return self._router.late

    def _conversation(
        self,
        thread: Thread,
        incoming: Mapping[str, Incoming],
        now: datetime,
        *,
        new_id: str,
        archive: str,
        segment: str,
    ) -> Conversation:
        first = incoming[thread.keys[0]].parsed
        if thread.ticket is None:
            ticket_type = self._router.route(first).ticket_type
            opened = task_of(ticket_type.task).open_ticket(new_id, ticket_type, first, created_at(new_id))
            unparsed = first.kind is MessageKind.UNPARSED
            ticket, etag = replace(opened, messages=0, unparsed=unparsed, segment=segment), None
        else:
            ticket, etag = thread.ticket.record, thread.ticket.etag
            ticket_type = self._types.get(ticket.ticket_type, self._router.rest)
        merged = tuple((_ended(each.record, ticket.id, now), each.etag) for each in thread.merged)
        events = [*_merges(ticket.id, merged, now)]
        ticket = replace(ticket, merged=(*ticket.merged, *(each.id for each, _ in merged)))
        # One place is the ticket's, one that of the event of a reopening.
        room = MAX_TRANSACTION_ENTITIES - 1 - len(merged) - len(events) - (0 if etag is None else 1)
        task = task_of(ticket_type.task)
        keys = thread.keys[: room // 2 if task.delivers else room]
        if etag is not None:
            ticket = replace(ticket, updated_at=now)
            if _reopens(ticket, [incoming[key].parsed for key in keys]):
                by = f"{BY_MAIL} from {first.sender_line}" if first.sender_line else BY_MAIL
                events.append(
                    TicketEvent(ticket.id, now, by, EventKind.STATE, ticket.state.value, TicketState.OPEN.value)
                )
                ticket = replace(ticket, state=TicketState.OPEN)
        messages = tuple(_message(key, incoming[key], ticket.id, now, archive, segment) for key in keys)
        errands = tuple(
            Errand(ticket.id, key, ticket_type.id, created_at=now, due_at=now)
            for key in keys
            if task.wants(ticket_type, incoming[key].parsed)
        )
        return Conversation(ticket.with_messages(keys), etag, messages, merged, tuple(events), errands)

    def _new_id(self) -> str:
        self._last_id_at = max(self._clock(), self._last_id_at + _MILLISECOND)
        return ticket_id(self._mailbox_id, self._last_id_at)


def _reopens(ticket: Ticket, mails: Sequence[Parsed]) -> bool:
    """Whether these mails open a ticket that waits or is closed: an out-of-office answer doesn't, a bounce does."""
    if ticket.state not in {TicketState.CLOSED, TicketState.PENDING}:
        return False
    kinds = [set(each.classification.kinds) for each in mails]
    return any(MailClass.BOUNCE in each or not each & _QUIET for each in kinds)


def _ended(ticket: Ticket, into: str, now: datetime) -> Ticket:
    return replace(ticket, state=TicketState.CLOSED, merged_into=into, updated_at=now)


def _merges(into: str, merged: Sequence[tuple[Ticket, str]], now: datetime) -> Iterator[TicketEvent]:
    for ticket, _ in merged:
        yield TicketEvent(into, now, BY_MAIL, EventKind.MERGED, old=ticket.id, new=into)
        yield TicketEvent(ticket.id, now, BY_MAIL, EventKind.MERGED, old=ticket.id, new=into)


def entry_name(key: str) -> str:
    """The name of a message's raw mail in its ZIP."""
    return f"{key}.eml"


def _message(key: str, each: Incoming, ticket: str, now: datetime, archive: str, segment: str) -> Message:
    place = Message(
        key=key,
        ticket=ticket,
        kind=each.parsed.kind,
        message_id="",
        subject="",
        sender="",
        recipients="",
        received_at=now,
        size=max(each.item.size, len(each.raw)),
        archive=archive,
        entry=entry_name(key),
        source_item=each.item.id[:_MAX_ID],
        segment=segment,
    )
    return message_of(each.parsed, like=place)


def message_of(parsed: Parsed, *, like: Message) -> Message:
    """The message that a mail says, with its key and its places taken from another."""
    return replace(
        like,
        kind=parsed.kind,
        message_id=parsed.message_id[:_MAX_ID],
        subject=parsed.subject,
        sender=parsed.sender_line,
        sender_address=parsed.sender.address,
        recipients=parsed.recipient_line,
        sent_at=parsed.sent_at,
        text=parsed.text,
        attachments=len(parsed.attachments),
        attachment_names=parsed.attachment_names,
        classes=" ".join(parsed.classification.kinds),
        reasons=parsed.reason_lines,
        problem=parsed.problem,
    )


def transactions(conversations: Sequence[Conversation]) -> Iterator[list[Conversation]]:
    """The conversations in groups that each fit one entity-group transaction."""
    group: list[Conversation] = []
    rows = size = 0
    for each in conversations:
        weight = sum(map(_weight, each.messages)) + _ENTITY_OVERHEAD * (each.rows - len(each.messages))
        if group and (rows + each.rows > MAX_TRANSACTION_ENTITIES or size + weight > _TRANSACTION_ROOM):
            yield group
            group, rows, size = [], 0, 0
        group.append(each)
        rows += each.rows
        size += weight
    if group:
        yield group


def _weight(message: Message) -> int:
    texts = (message.text, message.subject, message.sender, message.recipients, message.attachment_names)
    return 2 * sum(map(len, (*texts, message.reasons))) + _ENTITY_OVERHEAD
