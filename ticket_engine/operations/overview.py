"""Every mailbox at a glance: its set-up, connection, polls, ticket types and health, in four table queries."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine import telemetry
from ticket_engine.events import MAILBOX_NEEDS
from ticket_engine.health import MailboxHealth
from ticket_engine.records import Mailbox, PollState, TicketType, TokenState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.health import Health
    from ticket_engine.store import Stores

_log = logging.getLogger("ticket_engine.operations")


@dataclass(frozen=True)
class MailboxView:
    """A mailbox with all that is known of it, as it was ``at`` that time."""

    mailbox: Mailbox
    token: TokenState
    poll: PollState
    ticket_types: tuple[TicketType, ...]
    health: MailboxHealth
    at: datetime

    @property
    def lag(self) -> timedelta | None:
        """The time since the mailbox was last polled with success; None before the first."""
        return None if self.poll.last_success_at is None else self.at - self.poll.last_success_at

    @property
    def connection(self) -> str:
        """``paused``, ``not connected`` or ``connected``."""
        if self.mailbox.paused:
            return "paused"
        return "connected" if self.health.connected else "not connected"

    def facts(self) -> dict[str, object]:
        """All of it that is for people and programs outside: nothing of the machine's own, no lease, no hash."""
        token, poll = self.token, self.poll
        return {
            "mailbox": self.mailbox,
            "connection": self.connection,
            "ok": self.health.ok,
            "actor": self.health.actor or None,
            "code": self.health.code or None,
            "sentence": self.health.sentence or None,
            "warnings": self.health.warnings,
            "connected_as": token.connected_as,
            "connected_at": token.connected_at,
            "token_rotated_at": token.rotated_at,
            "token_ends_at": token.refresh_token_expires_at,
            "secret_ends_at": token.credential_ends_at,
            "consent_link_ends_at": token.invite_expires_at,
            "last_poll_at": poll.last_poll_at,
            "last_success_at": poll.last_success_at,
            "lag_seconds": self.lag,
            "consecutive_failures": poll.consecutive_failures,
            "next_poll_at": poll.next_poll_at,
            "mails_on_server": poll.mails_on_server,
            "messages_ingested": poll.messages_ingested,
            "quarantined": poll.quarantined,
            "last_mail_at": poll.last_mail_at,
            "ticket_types": [each.id for each in self.ticket_types],
        }


class Overview:
    """Reads views of mailboxes."""

    def __init__(self, stores: Stores, *, health: Health, clock: Clock) -> None:
        self._stores = stores
        self._health = health
        self._clock = clock

    def all(self) -> list[MailboxView]:
        """Every mailbox, by id."""
        now = self._clock()
        tokens, polls = self._stores.states.all_tokens(), self._stores.states.all_polls()
        types: dict[str, list[TicketType]] = {}
        for each in self._stores.ticket_types.all():
            types.setdefault(each.mailbox, []).append(each)
        return [
            self._view(each, tokens.get(each.id), polls.get(each.id), types.get(each.id, []), now)
            for each in self._stores.mailboxes.all()
        ]

    def of(self, mailbox_id: str) -> MailboxView:
        """One mailbox; raises MailboxNotFoundError."""
        mailbox = self._stores.mailboxes.get(mailbox_id)
        states = self._stores.states
        token, poll = states.token(mailbox_id), states.poll(mailbox_id)[0]
        return self._view(mailbox, token, poll, self._stores.ticket_types.of(mailbox_id), self._clock())

    def report(self) -> None:
        """Log each mailbox that does not work, and record lag and token age as metrics.

        It is called by the refresh timer and not by the poll's, so that polls that never run are seen.
        """
        views = self.all()
        telemetry.looked_at(views)
        for view in views:
            health, mailbox_id = view.health, view.mailbox.id
            if not health.ok:
                text = "mailbox %s needs the %s: %s"
                MAILBOX_NEEDS.log(
                    _log,
                    text,
                    mailbox_id,
                    health.actor,
                    health.sentence,
                    mailbox=mailbox_id,
                    code=health.code,
                    actor=health.actor,
                )

    def _view(
        self,
        mailbox: Mailbox,
        token: TokenState | None,
        poll: PollState | None,
        types: list[TicketType],
        now: datetime,
    ) -> MailboxView:
        health = self._health.judge(mailbox, token, poll, now)
        return MailboxView(mailbox, token or TokenState(), poll or PollState(), tuple(types), health, now)
