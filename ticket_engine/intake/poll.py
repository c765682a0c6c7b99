"""One poll of one mailbox: look, and where there is something to do, take the lease, ingest, settle, release."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from ticket_engine.intake import backlog, checkpoint
from ticket_engine.intake.checkpoint import Checkpoint
from ticket_engine.intake.commit import Committer
from ticket_engine.intake.ingest import Ingest, Run, Tally
from ticket_engine.intake.lease import CLOCK_SKEW, Lease
from ticket_engine.intake.session import Session
from ticket_engine.mail import Item, MailSource
from ticket_engine.records import Backlog, Failure, JournalEntry, Mailbox, PollState, TicketType, TokenState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.store import Stores

_log = logging.getLogger("ticket_engine.intake")

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
        run = Run(self._clock, self._clock() + self._time_budget, self._max_message_bytes)
        tally = run.tally
        try:
            lease.read()
            try:
                more = self._poll(mailbox, lease, run)
            except LeaseHeldError:
                raise
            except TicketEngineError as error:
                paused = isinstance(error, CredentialRefusedError)
                return self._failed(mailbox, lease, tally, error.reaction, paused=paused)
            except Exception:  # noqa: BLE001 - one mailbox is an isolation edge; the traceback is logged
                _log.exception("poll failed", extra={"mailbox": mailbox_id})
                return self._failed(mailbox, lease, tally, _unexpected(mailbox_id))
            return self._succeeded(mailbox, lease, tally, more=more)
        except LeaseHeldError as error:
            return PollResult(mailbox_id, tally.mails, tally.tickets, tally.messages, skipped=error.reaction.sentence)

    def _poll(self, mailbox: Mailbox, lease: Lease, run: Run) -> bool:
        known = checkpoint.decode(lease.state.checkpoint, mailbox.type)
        with Session(mailbox, self._broker, self._log_in) as session:
            items = session.items(known.position)
            position = self._seen(mailbox, lease, session, known, items)
            lease.state = replace(lease.state, mails_on_server=session.count(), checkpoint=position.encode())
            if not position.new(items) and not position.pending(items):
                session.finish()
                return False
            return self._ingest(mailbox, lease, session, position, items, run)

    def _seen(
        self, mailbox: Mailbox, lease: Lease, session: Session, known: Checkpoint, items: Sequence[Item]
    ) -> Checkpoint:
        """The checkpoint in the light of the server's list, without the mails from before the mailbox's start."""
        if known.fresh and mailbox.backlog is Backlog.FROM_NOW_ON and lease.state.backlog_mails is None:
            # Connected by a release that did not look at the backlog.
            start = backlog.start_after(mailbox, items, session.validity)
            found = backlog.AtConnection(len(items), start.encode())
            lease.state = backlog.remembered(lease.state, found, self._clock())
            return start
        position = known.seen(items, session.validity)
        began = lease.state.starts_at
        if began is None or not position.fresh:
            return position
        # Nothing here is known by its id any more, so the date tells what was there before the start.
        old = [item for item in position.new(items) if self._came_before(began, item, session)]
        return position.after(old, old, ())

    @staticmethod
    def _came_before(start: datetime, item: Item, session: Session) -> bool:
        at = item.received_at or backlog.received_at(session.headers(item).raw or b"")
        # Servers say the second.
        return at is not None and at < start.replace(microsecond=0)

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

    def _ingest(
        self,
        mailbox: Mailbox,
        lease: Lease,
        session: Session,
        position: Checkpoint,
        items: Sequence[Item],
        run: Run,
    ) -> bool:
        # What a poll that did not end well had begun to commit may be half done.
        unfinished = lease.state.unfinished_since
        lease.take()
        ticket_types = self._ticket_types(mailbox)
        committer = Committer(self._stores, mailbox=mailbox, ticket_types=ticket_types, clock=self._clock)
        if unfinished is not None:
            committer.recover(unfinished)
        ingest = Ingest(
            mailbox,
            session=session,
            committer=committer,
            lease=lease,
            checkpoint=position,
            quarantine=self._stores.quarantine,
            run=run,
        )
        new = position.new(items)
        suspect = lease.state.in_flight
        if suspect:
            # The workers before died with this mail in hand, so it is not touched again.
            new = ingest.set_aside(new, suspect)
        more = ingest.run(new, position.pending(items))
        lease.state = replace(lease.state, **ingest.state)
        return more

    def _succeeded(self, mailbox: Mailbox, lease: Lease, tally: Tally, *, more: bool) -> PollResult:
        now = self._clock()
        failure = None
        if tally.problems:
            failure = Failure.of(_undelivered(tally.problems), now)
        lease.release(
            last_poll_at=now,
            last_success_at=now,
            consecutive_failures=0,
            crashes=0,
            unfinished_since=None,
            next_poll_at=None,
            failure=failure,
        )
        if tally.mails or tally.quarantined or failure:
            self._stores.journal.add(mailbox.id, _entry(now, "polled", tally, failure))
        return PollResult(mailbox.id, tally.mails, tally.tickets, tally.messages, more=more, failure=failure)

    def _failed(
        self, mailbox: Mailbox, lease: Lease, tally: Tally, reaction: Reaction, *, paused: bool = False
    ) -> PollResult:
        now = self._clock()
        if reaction.code in {"login-refused", "access-token-expired"}:
            self._broker.forget(mailbox)
        failures = lease.state.consecutive_failures + 1
        failure = Failure.of(reaction, now)
        wait = timedelta() if paused else reaction.retry_after or backoff(failures)
        known = lease.state.failure
        try:
            lease.release(
                last_poll_at=now, consecutive_failures=failures, crashes=0, next_poll_at=now + wait, failure=failure
            )
            # The journal has a failure once, however often it repeats; the state has the last time.
            if tally.mails or known is None or known.code != failure.code:
                self._stores.journal.add(mailbox.id, _entry(now, "poll-failed", tally, failure))
        except LeaseHeldError:
            raise
        except TicketEngineError:
            # Storage itself is the failure: the lease ends by itself, and the log has the reason.
            _log.exception("the state of a failed poll could not be saved", extra={"mailbox": mailbox.id})
        return PollResult(mailbox.id, tally.mails, tally.tickets, tally.messages, failure=failure)

    def poisoned(self, mailbox_id: str) -> None:
        """Record that a queue message about this mailbox was given up, because its poll died again and again."""
        now = self._clock()
        failure = Failure.of(_poisoned(mailbox_id), now)
        self._stores.states.update_poll(mailbox_id, lambda state: replace(state, failure=failure))
        entry = JournalEntry(now, "poll-poisoned", failure.sentence, failure.actor, failure.code)
        self._stores.journal.add(mailbox_id, entry)


def _is_time(polls: PollState, token: TokenState, now: datetime) -> bool:
    # A last poll in the future means that a clock has jumped, and then the wait is not to be believed either.
    jumped = polls.last_poll_at is not None and polls.last_poll_at > now + CLOCK_SKEW
    if jumped or polls.next_poll_at is None or polls.next_poll_at <= now:
        return True
    return polls.failure is not None and token.connected_at is not None and polls.failure.at < token.connected_at


def backoff(failures: int) -> timedelta:
    """How long a mailbox waits after so many failures in a row: 1 minute, doubling, at most an hour."""
    doublings = min(failures - 1, 10)
    return min(_FIRST_BACKOFF * (1 << doublings), _LONGEST_BACKOFF)


def _entry(now: datetime, event: str, tally: Tally, failure: Failure | None) -> JournalEntry:
    sentence = f"{tally.mails} mails: {tally.messages} new messages in {tally.tickets} new tickets."
    if tally.quarantined:
        sentence += f" {tally.quarantined} mails were tried often enough and wait in quarantine for a person."
    if failure is None:
        return JournalEntry(now, event, sentence)
    return JournalEntry(now, event, f"{sentence} {failure.sentence}", failure.actor, failure.code)


def _undelivered(problems: list[str]) -> Reaction:
    return Reaction(
        Actor.SERVICE,
        "mail-not-delivered",
        f"{len(problems)} mails could not be fetched; the next poll tries again. The first: {problems[0][:200]}",
    )


def _poisoned(mailbox_id: str) -> Reaction:
    return Reaction(
        Actor.OPERATOR,
        "poll-poisoned",
        f"The worker that polled mailbox {mailbox_id} died several times in a row: look for its memory or its timeout "
        "in the log; the next polls take the mails one by one, and put the one aside that does it.",
    )


def _unexpected(mailbox_id: str) -> Reaction:
    return Reaction(
        Actor.OPERATOR,
        "unexpected",
        f"The poll of mailbox {mailbox_id} met an error nobody foresaw: the log has it as 'poll failed'; report it.",
    )
