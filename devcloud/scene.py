"""A company's mailboxes in every condition, with two weeks of mail: what screenshots and browser tests look at."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from devcloud.entra.browser import sign_in
from devcloud.samples import samples
from ticket_engine.errors import Actor
from ticket_engine.records import Failure, QuarantinedItem, days

if TYPE_CHECKING:
    from devcloud.cloud import DevCloud
    from devcloud.entra import Application
    from ticket_engine.engine import Engine

OPERATOR = "operator@contoso.example"


class Scene:
    """Fills an empty cloud; ``working`` mailboxes are connected and polled for real, the others are as written."""

    working = ("support", "billing")

    def __init__(self, cloud: DevCloud, engine: Engine) -> None:
        self._cloud = cloud
        self._engine = engine
        self._application: Application = cloud.add_application()
        # The same scene every time, so that pictures differ only where pages do.
        self._random = random.Random(20261124)  # noqa: S311 - numbers for pictures

    def play(self) -> None:
        """Everything, in order."""
        for name in self.working:
            self.add(name)
            self.connect(name)
        for name, title in (
            ("facilities", "Facilities"),
            ("hr", "Human resources"),
            ("orders", "Orders"),
            ("info", "Info desk"),
        ):
            self.add(name, title)
        self._history()
        self._rules_and_quarantine()
        self.deliver("support", *(each.raw for each in samples()))
        self.deliver("billing", *(each.raw for each in samples()[:6]))
        for name in self.working:
            self._engine.poller.poll(name)

    def _rules_and_quarantine(self) -> None:
        """A ticket type with rules beside the one that takes the rest, and a mail that its server won't give."""
        self._engine.ticket_type_setup.add(
            {
                "id": "support-shipping",
                "name": "Shipping",
                "mailbox": "support",
                "admin_email": "shipping-lead@contoso.example",
                "rules": "subject contains pallet\nsubject contains order",
                "priority": 10,
            },
            by=OPERATOR,
        )
        now = self._engine.clock()
        problem = "The server ends the connection in the middle of this mail."
        item = QuarantinedItem("0000a7c35f1d2e09", 3_481_120, 5, now - timedelta(hours=2), now, problem)
        self._engine.stores.quarantine.put("billing", item)
        state, etag = self._engine.stores.states.poll("billing")
        self._engine.stores.states.save_poll("billing", replace(state, quarantined=1), etag)

    def add(self, name: str, title: str = "", **more: Any) -> None:
        """Set a mailbox and its ticket type up, as an operator does."""
        setup, types = self._engine.mailbox_setup, self._engine.ticket_type_setup
        values = {
            "id": name,
            "name": title or name.capitalize(),
            "host": "localhost",
            "port": self._cloud.mail.pop3_port,
            "username": self._cloud.add_account(name),
            "tenant_id": self._cloud.tenant.id,
            "client_id": self._application.client_id,
            "redirect_url": self._cloud.redirect_url,
        }
        setup.add({**values, **more}, by=OPERATOR)
        ends_at = self._engine.clock() + timedelta(days=400)
        setup.set_secret(name, self._application.add_secret(ends_at), ends_at=ends_at, by=OPERATOR)
        ticket_type = {
            "id": name,
            "name": f"{title or name.capitalize()} requests",
            "mailbox": name,
            "admin_email": f"{name}-lead@contoso.example",
        }
        types.add(ticket_type, by=OPERATOR)

    def connect(self, name: str) -> None:
        """Follow a mailbox's consent link as its owner; the cloud's functions host must run."""
        invite = self._engine.mailbox_setup.invite(name, by=OPERATOR)
        with httpx.Client(verify=self._cloud.certificates.context(), timeout=60) as browser:
            sign_in(browser, invite.url, invite.mailbox.username).raise_for_status()

    def deliver(self, name: str, *mails: bytes) -> None:
        """Deliver mails to a mailbox."""
        for raw in mails:
            self._cloud.mail.deliver(self._engine.stores.mailboxes.get(name).username, raw)

    def ticket_path(self, subject: str = "Order 88213 has not shipped") -> str:
        """Where the console shows a ticket of the mailbox support."""
        found = next(each for each in self._engine.stores.tickets.tickets("support") if each.subject == subject)
        return f"/tickets/support/{found.id}"

    def _history(self) -> None:
        """What the last two weeks left behind."""
        now, states = self._engine.clock(), self._engine.stores.states
        self._connected("facilities", token_days=71, secret_days=330)
        self._connected("hr", token_days=89, secret_days=6)
        self._connected("orders", token_days=12, secret_days=330)
        self._engine.mailbox_setup.pause("facilities", by=OPERATOR)
        consent_again = Failure(
            at=now - timedelta(hours=3),
            actor=Actor.OWNER,
            code="AADSTS50173",
            sentence="The password or the sign-in of orders@contoso.example was changed: open a new consent link and "
            "sign in again.",
        )
        for name, failure in (("support", None), ("billing", None), ("facilities", None), ("hr", None)):
            self._polled(name, failure)
        self._polled("orders", consent_again)
        states.update_token("orders", lambda state: replace(state, failure=consent_again))

    def _connected(self, name: str, *, token_days: int, secret_days: int) -> None:
        now = self._engine.clock()
        self._engine.stores.states.update_token(
            name,
            lambda state: replace(
                state,
                connected_at=now - timedelta(days=90 - token_days, hours=4),
                connected_as=f"{name}@contoso.example",
                tenant_id=self._cloud.tenant.id,
                rotated_at=now - timedelta(days=90 - token_days),
                refresh_token_expires_at=now + timedelta(days=token_days),
                credential_ends_at=now + timedelta(days=secret_days),
            ),
        )

    def _polled(self, name: str, failure: Failure | None) -> None:
        now, text = self._engine.clock(), ""
        for ago in range(days.DAYS - 1, -1, -1):
            day = now.date() - timedelta(days=ago)
            busy = 40 if day.weekday() < 5 else 6  # noqa: PLR2004 - weekdays
            text = days.count(text, day, self._random.randrange(busy // 4, busy))
        state, etag = self._engine.stores.states.poll(name)
        last = now - (timedelta(hours=3) if failure else timedelta(minutes=4))
        changed = replace(
            state,
            last_poll_at=last,
            last_success_at=last,
            last_mail_at=last - timedelta(minutes=25),
            mails_by_day=text,
            messages_ingested=sum(days.read(text).values()),
            mails_on_server=14,
            failure=failure,
        )
        self._engine.stores.states.save_poll(name, changed, etag)
