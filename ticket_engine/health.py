"""Whether the service does its work, judged by the records and not by the code that polls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, TicketEngineError
from ticket_engine.oauth.expiry import endings
from ticket_engine.schedule import missed

if TYPE_CHECKING:
    from datetime import datetime

    from ticket_engine.clock import Clock
    from ticket_engine.records import Failure, Mailbox, PollState, TokenState
    from ticket_engine.store import Stores

# So many runs of the poll's schedule may pass before a connected mailbox counts as not polled.
DEAD_AFTER_RUNS = 3


class Status(StrEnum):
    """The service as a whole."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True)
class MailboxHealth:
    """One mailbox: whether it works, and if not, who must act and how.

    ``warnings`` say what will end soon, and what was set aside.
    """

    mailbox_id: str
    ok: bool
    connected: bool = False
    actor: str = ""
    code: str = ""
    sentence: str = ""
    warnings: tuple[str, ...] = ()


class Health:
    """Reads the records and judges."""

    def __init__(self, stores: Stores, clock: Clock, schedule: str) -> None:
        """``schedule`` is the poll timer's."""
        self._stores = stores
        self._clock = clock
        self._schedule = schedule

    def status(self) -> Status:
        """Down when the records can't be read, degraded when a mailbox does not work, else ok."""
        try:
            mailboxes = self.mailboxes()
        except TicketEngineError:
            return Status.DOWN
        return overall(mailboxes)

    def mailboxes(self) -> list[MailboxHealth]:
        """Every mailbox; paused ones are ok."""
        now = self._clock()
        tokens, polls = self._stores.states.all_tokens(), self._stores.states.all_polls()
        table = self._stores.mailboxes
        judged = [self.judge(each, tokens.get(each.id), polls.get(each.id), now) for each in table.all()]
        return [*judged, *(_unreadable(mailbox_id, fields) for mailbox_id, fields in table.unreadable().items())]

    def judge(self, mailbox: Mailbox, token: TokenState | None, poll: PollState | None, now: datetime) -> MailboxHealth:
        """One mailbox's health from its records."""
        return judge(mailbox, token, poll, now, self._schedule)


def _unreadable(mailbox_id: str, fields: str) -> MailboxHealth:
    return MailboxHealth(
        mailbox_id,
        ok=False,
        actor=Actor.OPERATOR,
        code="mailbox-unreadable",
        sentence=f"The stored record is not acceptable ({fields}), so the mailbox is not polled: put the row in the "
        "table Mailboxes right, or delete it and add the mailbox again.",
    )


def overall(mailboxes: Iterable[MailboxHealth]) -> Status:
    """Degraded when a mailbox does not work, else ok."""
    return Status.OK if all(each.ok for each in mailboxes) else Status.DEGRADED


def judge(
    mailbox: Mailbox, token: TokenState | None, poll: PollState | None, now: datetime, schedule: str
) -> MailboxHealth:
    """One mailbox's health from its records; ``schedule`` is the poll timer's."""
    health = _working(mailbox, token, poll, now, schedule)
    ending = [] if token is None else endings(mailbox, token, now)
    return replace(
        health,
        connected=token is not None and is_connected(mailbox, token),
        warnings=(*(each.sentence(now) for each in ending), *_set_aside(poll)),
    )


def is_connected(mailbox: Mailbox, token: TokenState) -> bool:
    """Whether the account that must consent for this mailbox has done so."""
    return token.connected and (token.connected_as or "").casefold() == mailbox.consenting_account.casefold()


def _working(
    mailbox: Mailbox, token: TokenState | None, poll: PollState | None, now: datetime, schedule: str
) -> MailboxHealth:
    if mailbox.paused:
        return MailboxHealth(mailbox.id, ok=True)
    if token is None or token.connected_at is None or not is_connected(mailbox, token):
        failure = token.failure if token is not None else None
        if failure is not None:
            return _failing(mailbox, failure)
        return MailboxHealth(
            mailbox.id,
            ok=False,
            actor=Actor.OWNER,
            code="not-connected",
            sentence=f"Not connected: {mailbox.consenting_account} must open the consent link and sign in.",
        )
    failure = (poll.failure if poll else None) or token.failure
    if failure is not None:
        return _failing(mailbox, failure)
    last = (poll.last_success_at if poll else None) or token.connected_at
    if missed(schedule, last, now, DEAD_AFTER_RUNS):
        return MailboxHealth(
            mailbox.id,
            ok=False,
            actor=Actor.OPERATOR,
            code="not-polled",
            sentence=f"Not polled since {last:%Y-%m-%d %H:%M} UTC: check that the timer mail_poll_timer runs.",
        )
    return MailboxHealth(mailbox.id, ok=True)


def _set_aside(poll: PollState | None) -> tuple[str, ...]:
    count = poll.quarantined if poll is not None else 0
    if not count:
        return ()
    mails = "1 mail is" if count == 1 else f"{count} mails are"
    return (f"{mails} in quarantine and still on the server: the journal and the console say why.",)


def _failing(mailbox: Mailbox, failure: Failure) -> MailboxHealth:
    return MailboxHealth(mailbox.id, ok=False, actor=failure.actor, code=failure.code, sentence=failure.sentence)
