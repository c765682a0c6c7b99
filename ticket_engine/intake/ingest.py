"""Ingests new mails page by page: the next page is fetched while the one before is committed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import MailServerError, StorageRefusedError, TicketEngineError
from ticket_engine.events import MAIL_QUARANTINED
from ticket_engine.intake.commit import Committed, Committer, Incoming
from ticket_engine.intake.room import ROOM
from ticket_engine.intake.trouble import Troubles
from ticket_engine.mail import Fetched, Item
from ticket_engine.mime import Parsed, parse
from ticket_engine.records import AfterIngest, Mailbox, MessageKind, QuarantinedItem, days
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.intake.checkpoint import Checkpoint
    from ticket_engine.intake.lease import Lease
    from ticket_engine.intake.session import Session
    from ticket_engine.store.quarantine import QuarantineTable

_log = logging.getLogger("ticket_engine.intake")

# One conversation's messages and its ticket fit one transaction of 100 entities.
PAGE_MESSAGES = 99
PAGE_BYTES = 8 * 1024**2
# After so many polls whose worker died, mails are taken one by one, so that the one which kills is known by name.
CAREFUL_AFTER = 2
# When a page of at least so many mails gives nothing at all, that is the server's trouble and not the mails'.
_ALL_FAILED = 5


@dataclass
class Tally:
    """What one poll did so far."""

    mails: int = 0
    tickets: int = 0
    messages: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Run:
    """One poll's bounds (when its time ends, the largest mail that it fetches in octets), and what it did so far."""

    clock: Clock
    deadline: datetime
    max_message_bytes: int
    tally: Tally = field(default_factory=Tally)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.clock() >= self.deadline


@dataclass
class _Page:
    planned: Sequence[Item]
    octets: int
    tried: list[Item] = field(default_factory=list)
    mails: list[Incoming] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)
    failed: list[tuple[Item, str]] = field(default_factory=list)
    broken: MailServerError | None = None
    out_of_time: bool = False

    def add(self, fetched: Fetched) -> None:
        self.tried.append(fetched.item)
        if fetched.raw is not None:
            self.mails.append(Incoming(fetched.item, fetched.raw, parse(fetched.raw)))
        elif fetched.gone:
            self.gone.append(fetched.item)
        else:
            self.failed.append((fetched.item, fetched.problem))


class Ingest:
    """One poll's walk over the new mails of a mailbox, under its lease."""

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        session: Session,
        committer: Committer,
        lease: Lease,
        checkpoint: Checkpoint,
        quarantine: QuarantineTable,
        run: Run,
    ) -> None:
        self._mailbox = mailbox
        self._session = session
        self._committer = committer
        self._lease = lease
        self._checkpoint = checkpoint
        self._quarantine = quarantine
        self._run = run
        self._troubles = Troubles.decode(lease.state.troubles)

    def run(self, new: Sequence[Item], pending: Sequence[Item]) -> bool:
        """Settle what is pending, then ingest; True when time ran out before the last page.

        Raises:
            TicketEngineError: the poll can't go on; every page that was fetched before is committed.
        """
        self._settle(pending)
        careful = self._lease.state.crashes >= CAREFUL_AFTER
        more = self._carefully(new) if careful else self._ahead(new)
        final = self._session.finish()
        self._checkpoint = self._checkpoint.settled(final)
        return more

    @property
    def state(self) -> dict[str, Any]:
        """What the poll's last write puts into the state."""
        return {"checkpoint": self._checkpoint.encode(), "troubles": self._troubles.encode()}

    def _ahead(self, new: Sequence[Item]) -> bool:
        """Fetch in this thread, commit in another one; the connection and the checkpoint have one user at a time."""
        running: Future[list[Item]] | None = None
        with ThreadPoolExecutor(1, "commit") as committing:
            for number, planned in enumerate(pages(new, self._run.max_message_bytes)):
                # Every poll gets at least one page further, however long the login took.
                if number and self._run.over:
                    break
                page = self._fetched(planned)
                try:
                    self._ended(running)
                except BaseException:
                    ROOM.give(page.octets)
                    raise
                running = committing.submit(copy_context().run, self._store, page)
                if page.broken is not None:
                    # The mails before the break are good, and are committed before the poll fails.
                    running.result()
                    raise page.broken
                if page.out_of_time:
                    break
            else:
                self._ended(running)
                return False
            self._ended(running)
            return True

    def _carefully(self, new: Sequence[Item]) -> bool:
        """Take mails one by one, naming each before it is touched: one of them killed the workers before."""
        for number, item in enumerate(new):
            if number and self._run.over:
                return True
            self._lease.save(in_flight=item.id)
            page = self._fetched([item])
            self._settle(self._store(page))
            if page.broken is not None:
                raise page.broken
        return False

    def _ended(self, running: Future[list[Item]] | None) -> None:
        if running is not None:
            self._settle(running.result())

    def _settle(self, items: Sequence[Item]) -> None:
        if items:
            self._checkpoint = self._checkpoint.settled(self._session.settle(items))

    @traced("fetch")
    def _fetched(self, planned: Sequence[Item]) -> _Page:
        small = [item for item in planned if item.size <= self._run.max_message_bytes]
        page = _Page(planned, sum(item.size for item in small))
        ROOM.take(page.octets)
        try:
            self._fill(page, small)
        except MailServerError as error:
            page.broken = error
        except BaseException:
            ROOM.give(page.octets)
            raise
        return page

    def _fill(self, page: _Page, small: Sequence[Item]) -> None:
        for fetched in self._session.fetch(small, lambda: not self._run.over):
            page.add(fetched)
        page.out_of_time = len(page.tried) < len(small)
        for item in page.planned:
            if item.size > self._run.max_message_bytes and not page.out_of_time:
                self._add_oversize(page, item)

    def _add_oversize(self, page: _Page, item: Item) -> None:
        head = self._session.headers(item)
        if head.raw is None:
            page.add(head)
            return
        problem = f"The mail has {item.size} bytes, more than MAX_MESSAGE_BYTES; it stays on the server."
        page.tried.append(item)
        page.mails.append(
            Incoming(item, head.raw, replace(parse(head.raw), kind=MessageKind.OVERSIZE, problem=problem))
        )

    def _store(self, page: _Page) -> list[Item]:
        """Commit a page and save the checkpoint; returns the mails to settle."""
        try:
            return self._stored(page) if page.tried else []
        finally:
            ROOM.give(page.octets)

    def _stored(self, page: _Page) -> list[Item]:
        committed, stored = self._committed(page)
        given_up = self._counted(page)
        whole = [each.item for each in stored if each.parsed.kind is not MessageKind.OVERSIZE]
        to_settle = [] if self._mailbox.after_ingest is AfterIngest.KEEP else whole
        done = [*(each.item for each in stored), *page.gone, *given_up]
        for item in done:
            self._troubles.over(item.id)
        self._checkpoint = self._checkpoint.after(page.planned, done, to_settle)
        self._save(len(stored), len(given_up))
        tally = self._run.tally
        tally.mails += len(stored)
        tally.tickets += committed.tickets
        tally.messages += committed.messages
        tally.quarantined += len(given_up)
        return to_settle

    def _committed(self, page: _Page) -> tuple[Committed, list[Incoming]]:
        try:
            return self._committer.commit(page.mails), page.mails
        except StorageRefusedError as error:
            refusal: Exception = error
        except TicketEngineError:
            raise
        except Exception as error:  # noqa: BLE001 - one message is an isolation edge; which one is found out below
            refusal = error
        _log.warning("a page can't be committed whole", extra={"mailbox": self._mailbox.id}, exc_info=refusal)
        total, stored = Committed(0, 0), []
        for each in page.mails:
            one, problem = self._committed_alone(each)
            if one is None:
                page.failed.append((each.item, problem))
            else:
                total = Committed(total.tickets + one.tickets, total.messages + one.messages)
                stored.append(each)
        return total, stored

    def _committed_alone(self, each: Incoming) -> tuple[Committed | None, str]:
        """Commit one mail, if need be with nothing of it but its raw bytes; or None, and why not."""
        problem = ""
        for attempt in (each, _bare(each)):
            try:
                return self._committer.commit([attempt]), ""
            except StorageRefusedError as error:
                problem = error.reaction.sentence
            except TicketEngineError:
                raise
            except Exception as error:  # noqa: BLE001 - the isolation edge: this is the one
                _log.exception("mail %s can't be committed", each.item.id, extra={"mailbox": self._mailbox.id})
                problem = f"{type(error).__name__} while filing it"
        return None, problem

    def _counted(self, page: _Page) -> list[Item]:
        """Count the failed tries; the mails that were tried often enough are quarantined and returned."""
        self._run.tally.problems += [f"mail {item.id}: {problem}" for item, problem in page.failed]
        if len(page.failed) >= _ALL_FAILED and not page.mails:
            return []
        now = self._run.clock()
        given_up = []
        for item, problem in page.failed:
            trouble = self._troubles.failed(item.id, problem, now)
            if trouble.hopeless:
                self._quarantined(item, trouble.tries, trouble.first_at, problem)
                given_up.append(item)
        return given_up

    def set_aside(self, new: Sequence[Item], item_id: str) -> list[Item]:
        """Quarantine the mail that killed its workers; returns the others."""
        suspects = [item for item in new if item.id == item_id]
        for item in suspects:
            self._quarantined(item, CAREFUL_AFTER + 1, self._run.clock(), "the worker that read it died")
        self._checkpoint = self._checkpoint.after(suspects, suspects, ())
        self._save(0, len(suspects))
        self._run.tally.quarantined += len(suspects)
        return [item for item in new if item.id != item_id]

    def _quarantined(self, item: Item, tries: int, first_at: datetime, problem: str) -> None:
        """Quarantine a mail for a human."""
        record = QuarantinedItem(item.id, item.size, tries, first_at, self._run.clock(), problem[:500])
        self._quarantine.put(self._mailbox.id, record)
        text = "mail %s is quarantined: %s"
        MAIL_QUARANTINED.log(_log, text, item.id, problem, mailbox=self._mailbox.id, item=item.id)

    def _save(self, mails: int, given_up: int) -> None:
        state, now = self._lease.state, self._run.clock()
        counted: dict[str, Any] = {}
        if mails:
            counted = {
                "messages_ingested": state.messages_ingested + mails,
                "last_mail_at": now,
                "mails_by_day": days.count(state.mails_by_day, now.date(), mails),
            }
        self._lease.save(quarantined=state.quarantined + given_up, in_flight="", **counted, **self.state)


def _bare(mail: Incoming) -> Incoming:
    """The same mail with nothing read of it but what makes its key."""
    parsed = mail.parsed
    bare = Parsed(
        MessageKind.UNPARSED,
        message_id=parsed.message_id,
        identity=parsed.identity,
        body=parsed.body,
        problem="What the mail says could not be filed; its raw bytes are kept.",
    )
    return replace(mail, parsed=bare)


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
