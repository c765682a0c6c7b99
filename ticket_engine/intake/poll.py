"""One poll of one mailbox: lease, log in, list, commit page by page, settle, release."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import (
    Actor,
    CredentialRefusedError,
    LeaseHeldError,
    NoTicketTypeError,
    Reaction,
    TicketEngineError,
)
from ticket_engine.intake.checkpoint import Checkpoint
from ticket_engine.intake.commit import Committed, Committer, Incoming
from ticket_engine.intake.lease import Lease
from ticket_engine.mail import Item, MailSource
from ticket_engine.mime import parse
from ticket_engine.records import Failure, JournalEntry, Mailbox, MessageKind, PollState, TicketType, TokenState, days

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.store import Stores

_log = logging.getLogger("ticket_engine.intake")

# One conversation's messages and its ticket fit one transaction of 100 entities.
PAGE_MESSAGES = 99
PAGE_BYTES = 8 * 1024**2
_FIRST_BACKOFF = timedelta(minutes=1)
_LONGEST_BACKOFF = timedelta(hours=1)


@dataclass(frozen=True)
class PollResult:
    """How a poll went; ``more`` asks for another one right away, ``skipped`` says why nothing was done."""

    mailbox_id: str
    mails: int = 0
    tickets: int = 0
    messages: int = 0
    more: bool = False
    skipped: str = ""
    failure: Failure | None = None


@dataclass
class _Tally:
    mails: int = 0
    tickets: int = 0
    messages: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, page: Sequence[Incoming], committed: Committed) -> None:
        self.mails += len(page)
        self.tickets += committed.tickets
        self.messages += committed.messages


class Poller:
    """Polls mailboxes, one at a time; a failure stays with its mailbox."""

    def __init__(
        self,
        stores: Stores,
        *,
        broker: TokenBroker,
        log_in: Callable[[Mailbox, str], MailSource],
        clock: Clock,
        time_budget: timedelta,
        max_message_bytes: int,
    ) -> None:
        self._stores = stores
        self._broker = broker
        self._log_in = log_in
        self._clock = clock
        self._time_budget = time_budget
        self._max_message_bytes = max_message_bytes

    def due(self) -> list[str]:
        """The ids of the mailboxes to poll now: connected, not paused, and not waiting after a failure.

        A mailbox that was connected anew since the failure waits no longer.
        """
        now = self._clock()
        tokens, polls = self._stores.states.all_tokens(), self._stores.states.all_polls()
        return [
            each.id
            for each in self._stores.mailboxes.all()
            if not each.paused
            and each.id in tokens
            and tokens[each.id].connected
            and (each.id not in polls or _is_time(polls[each.id], tokens[each.id], now))
        ]

    def poll(self, mailbox_id: str) -> PollResult:
        """Poll a mailbox.

        What the mailbox, its token or its server does wrong is recorded in its state and returned, not raised.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            StorageUnavailableError: the mailbox's state can't even be read; the queue delivers the message again.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        if mailbox.paused:
            return PollResult(mailbox_id, skipped="the mailbox is paused")
        lease = Lease(self._stores.states, mailbox_id, self._clock, self._time_budget)
        try:
            lease.take()
        except LeaseHeldError as error:
            return PollResult(mailbox_id, skipped=error.reaction.sentence)
        tally = _Tally()
        try:
            more = self._poll(mailbox, lease, tally)
        except LeaseHeldError as error:
            return PollResult(mailbox_id, tally.mails, tally.tickets, tally.messages, skipped=error.reaction.sentence)
        except TicketEngineError as error:
            paused = isinstance(error, CredentialRefusedError)
            return self._failed(mailbox, lease, tally, error.reaction, paused=paused)
        except Exception:  # noqa: BLE001 - one mailbox is an isolation edge; the traceback is logged
            _log.exception("poll failed", extra={"mailbox": mailbox_id})
            return self._failed(mailbox, lease, tally, _unexpected(mailbox_id))
        return self._succeeded(mailbox, lease, tally, more=more)

    def _poll(self, mailbox: Mailbox, lease: Lease, tally: _Tally) -> bool:
        deadline = self._clock() + self._time_budget
        ticket_types = self._ticket_types(mailbox)
        token = self._broker.access_token(mailbox)
        with self._log_in(mailbox, token) as source:
            items = source.items()
            checkpoint = Checkpoint.decode(lease.state.checkpoint).still_listed(items)
            new = checkpoint.new(items)
            lease.state = replace(lease.state, mails_on_server=len(items))
            # Mails that are done and still there: the last poll ended before the server had settled them.
            source.settle(checkpoint.to_settle(items), mailbox.after_ingest)
            committer = Committer(self._stores, mailbox=mailbox, ticket_types=ticket_types, clock=self._clock)
            if lease.unfinished_since is not None:
                committer.recover(lease.unfinished_since)
            for number, planned in enumerate(pages(new, self._max_message_bytes)):
                # Every poll gets at least one page further, however long the login took.
                if number and self._clock() >= deadline:
                    return True
                page = self._fetch(source, planned, tally)
                tally.add(page, committer.commit(page))
                done = [each.item for each in page]
                partly = [each.item for each in page if each.parsed.kind is MessageKind.OVERSIZE]
                checkpoint = checkpoint.with_done(done, kept=partly)
                now = self._clock()
                lease.save(
                    checkpoint=checkpoint.encode(),
                    messages_ingested=lease.state.messages_ingested + len(page),
                    last_mail_at=now,
                    mails_by_day=days.count(lease.state.mails_by_day, now.date(), len(page)),
                )
                source.settle(checkpoint.to_settle(done), mailbox.after_ingest)
        return False

    def _ticket_types(self, mailbox: Mailbox) -> list[TicketType]:
        found = self._stores.ticket_types.of(mailbox.id)
        if not found:
            raise NoTicketTypeError(
                Reaction(
                    Actor.OPERATOR,
                    "no-ticket-type",
                    f"Mailbox {mailbox.id} has no ticket type, so its mail stays on the server: add one for it.",
                )
            )
        return found

    def _fetch(self, source: MailSource, planned: Sequence[Item], tally: _Tally) -> list[Incoming]:
        page = []
        small = [item for item in planned if item.size <= self._max_message_bytes]
        for fetched in source.fetch(small):
            if fetched.raw is None:
                tally.problems.append(f"mail {fetched.item.id}: {fetched.problem}")
                continue
            page.append(Incoming(fetched.item, fetched.raw, parse(fetched.raw)))
        for item in planned:
            if item.size > self._max_message_bytes:
                head = source.headers(item)
                problem = f"The mail has {item.size} bytes, more than MAX_MESSAGE_BYTES; it stays on the server."
                parsed = replace(parse(head), kind=MessageKind.OVERSIZE, problem=problem)
                page.append(Incoming(item, head, parsed))
        return page

    def _succeeded(self, mailbox: Mailbox, lease: Lease, tally: _Tally, *, more: bool) -> PollResult:
        now = self._clock()
        failure = None
        if tally.problems:
            failure = Failure.of(_undelivered(tally.problems), now)
        lease.release(last_success_at=now, consecutive_failures=0, next_poll_at=None, failure=failure)
        if tally.mails or failure:
            self._stores.journal.add(mailbox.id, _entry(now, "polled", tally, failure))
        return PollResult(mailbox.id, tally.mails, tally.tickets, tally.messages, more=more, failure=failure)

    def _failed(
        self, mailbox: Mailbox, lease: Lease, tally: _Tally, reaction: Reaction, *, paused: bool = False
    ) -> PollResult:
        now = self._clock()
        if reaction.code in {"login-refused", "access-token-expired"}:
            self._broker.forget(mailbox)
        failures = lease.state.consecutive_failures + 1
        failure = Failure.of(reaction, now)
        wait = timedelta() if paused else reaction.retry_after or backoff(failures)
        known = lease.state.failure
        try:
            lease.release(consecutive_failures=failures, next_poll_at=now + wait, failure=failure)
            # The journal has a failure once, however often it repeats; the state has the last time.
            if tally.mails or known is None or known.code != failure.code:
                self._stores.journal.add(mailbox.id, _entry(now, "poll-failed", tally, failure))
        except TicketEngineError:
            # Storage itself is the failure: the lease ends by itself, and the log has the reason.
            _log.exception("the state of a failed poll could not be saved", extra={"mailbox": mailbox.id})
        return PollResult(mailbox.id, tally.mails, tally.tickets, tally.messages, failure=failure)


def _is_time(polls: PollState, token: TokenState, now: datetime) -> bool:
    if polls.next_poll_at is None or polls.next_poll_at <= now:
        return True
    return polls.failure is not None and token.connected_at is not None and polls.failure.at < token.connected_at


def pages(items: Sequence[Item], max_message_bytes: int) -> Iterator[list[Item]]:
    """Cut the items into pages of at most PAGE_MESSAGES mails and, but for a single large mail, PAGE_BYTES."""
    page: list[Item] = []
    size = 0
    for item in items:
        weight = item.size if item.size <= max_message_bytes else 0
        if page and (len(page) == PAGE_MESSAGES or size + weight > PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(item)
        size += weight
    if page:
        yield page


def backoff(failures: int) -> timedelta:
    """How long a mailbox waits after so many failures in a row: 1 minute, doubling, at most an hour."""
    doublings = min(failures - 1, 10)
    return min(_FIRST_BACKOFF * (1 << doublings), _LONGEST_BACKOFF)


def _entry(now: datetime, event: str, tally: _Tally, failure: Failure | None) -> JournalEntry:
    sentence = f"{tally.mails} mails: {tally.messages} new messages in {tally.tickets} new tickets."
    if failure is None:
        return JournalEntry(now, event, sentence)
    return JournalEntry(now, event, f"{sentence} {failure.sentence}", failure.actor, failure.code)


def _undelivered(problems: list[str]) -> Reaction:
    return Reaction(
        Actor.SERVICE,
        "mail-not-delivered",
        f"{len(problems)} mails could not be fetched; the next poll tries again. The first: {problems[0][:200]}",
    )


def _unexpected(mailbox_id: str) -> Reaction:
    return Reaction(
        Actor.OPERATOR,
        "unexpected",
        f"The poll of mailbox {mailbox_id} met an error nobody foresaw: the log has it as 'poll failed'; report it.",
    )
