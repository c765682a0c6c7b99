"""The consent: a mailbox's owner follows a link, signs in at Microsoft, and the mailbox is connected.

Sources: RFC 9700 (OAuth 2.0 security best current practice), RFC 7636 (PKCE), Microsoft, "Microsoft identity platform
and OAuth 2.0 authorization code flow".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import (
    Actor,
    ConsentError,
    MailboxNotFoundError,
    MailLoginError,
    Reaction,
    TicketEngineError,
)
from ticket_engine.oauth import reactions
from ticket_engine.oauth.applications import SCOPES, Applications, asking, checked
from ticket_engine.oauth.id_token import Account, IdTokenVerifier, InvalidIdTokenError
from ticket_engine.oauth.tokens import Redeemed
from ticket_engine.records import ConsentFlow, Failure, JournalEntry, Mailbox, TokenState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.mail import MailSource
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.store import Stores

FLOW_LIFETIME = timedelta(minutes=10)
INVITE_LIFETIME = timedelta(days=7)
# MSAL recommends form_post, whose cross-site POST would come without the SameSite=Lax cookie that binds the flow.
warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended", module="msal")
# The browser takes a cookie with this prefix only when it is Secure, for the whole host, and of this host.
_COOKIE_PREFIX = "__Host-consent-"


class Page(StrEnum):
    """What the person in the browser is told."""

    CONNECTED = "connected"
    WRONG_ACCOUNT = "wrong-account"
    DECLINED = "declined"
    ADMIN_APPROVAL = "admin-approval"
    LINK_ENDED = "link-ended"
    MAILBOX_REFUSED = "mailbox-refused"
    BROKEN = "broken"


class Refusal(ConsentError):  # noqa: N818 - a refusal is what it is, not an accident
    """The consent ended without a connection; ``page`` is what to show, ``mailbox`` whose it was, if known."""

    def __init__(self, page: Page, reaction: Reaction, mailbox: Mailbox | None = None) -> None:
        super().__init__(reaction)
        self.page = page
        self.mailbox = mailbox


@dataclass(frozen=True)
class Started:
    """Where to send the browser, and the cookie that binds the flow to it."""

    authorize_url: str = field(repr=False)
    cookie_name: str
    cookie_value: str = field(repr=False)
    max_age: int


@dataclass(frozen=True)
class Connected:
    """A consent that worked."""

    mailbox: Mailbox
    mails: int


def hashed(secret: str) -> str:
    """SHA-256, hexadecimal: how states, invites and verifiers are remembered."""
    return hashlib.sha256(secret.encode()).hexdigest()


def cookie_name(state: str) -> str:
    """The cookie of one flow; each flow has its own, so that two tabs don't disturb each other."""
    return _COOKIE_PREFIX + hashed(state)[:16]


class Consent:
    """Starts and finishes consents."""

    def __init__(
        self,
        stores: Stores,
        *,
        applications: Applications,
        id_tokens: IdTokenVerifier,
        broker: TokenBroker,
        log_in: Callable[[Mailbox, str], MailSource],
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._applications = applications
        self._id_tokens = id_tokens
        self._broker = broker
        self._log_in = log_in
        self._clock = clock

    def invite(self, mailbox_id: str) -> str:
        """Make a consent link for a mailbox's owner; an earlier link of the mailbox ends.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        invite = secrets.token_urlsafe(32)
        ends = self._clock() + INVITE_LIFETIME
        self._stores.states.update_token(
            mailbox_id, lambda state: replace(state, invite_hash=hashed(invite), invite_expires_at=ends)
        )
        return mailbox.consent_url(invite)

    def start(self, mailbox_id: str, invite: str) -> Started:
        """Begin a consent.

        Raises:
            Refusal: the link is not, or no longer, valid.
            TicketEngineError: storage, Key Vault or the identity platform did not answer.
        """
        try:
            mailbox = self._stores.mailboxes.get(mailbox_id)
        except MailboxNotFoundError:
            # The same answer as for a wrong invite, so that nobody can try out which mailboxes exist.
            raise _link_ended(None) from None
        state = self._stores.states.token(mailbox_id)
        if not _invited(state, hashed(invite), self._clock()):
            raise _link_ended(mailbox)
        try:
            return self._begin(mailbox, invite)
        except TicketEngineError as error:
            self._record_failure(mailbox, error.reaction)
            raise Refusal(_page_of(error), error.reaction, mailbox) from error

    def _begin(self, mailbox: Mailbox, invite: str) -> Started:
        application = self._applications.of(mailbox)
        flow = asking(
            lambda: application.initiate_auth_code_flow(
                SCOPES,
                redirect_uri=mailbox.redirect_url,
                state=secrets.token_urlsafe(32),
                prompt="select_account",
                login_hint=mailbox.username,
                response_mode="query",
            )
        )
        verifier = flow.pop("code_verifier")
        authorize_url = flow.pop("auth_uri")
        self._stores.flows.start(
            hashed(flow["state"]),
            ConsentFlow(
                mailbox_id=mailbox.id,
                flow=json.dumps(flow),
                verifier_hash=hashed(verifier),
                invite_hash=hashed(invite),
                expires_at=self._clock() + FLOW_LIFETIME,
            ),
        )
        return Started(
            authorize_url=authorize_url,
            cookie_name=cookie_name(flow["state"]),
            cookie_value=verifier,
            max_age=int(FLOW_LIFETIME.total_seconds()),
        )

    def finish(self, parameters: Mapping[str, str], cookies: Mapping[str, str]) -> Connected:
        """End a consent with the parameters that Microsoft sent the browser back with.

        Raises:
            Refusal: the consent did not lead to a connection; nothing was stored.
            TicketEngineError: storage did not answer before the flow was known.
        """
        state = parameters.get("state", "")
        flow = self._stores.flows.take(hashed(state)) if state else None
        if flow is None or flow.expires_at <= self._clock():
            raise _link_ended(None)
        try:
            mailbox = self._stores.mailboxes.get(flow.mailbox_id)
        except MailboxNotFoundError:
            raise _link_ended(None) from None
        try:
            return self._connect(mailbox, flow, parameters, cookies.get(cookie_name(state), ""))
        except TicketEngineError as error:
            self._record_failure(mailbox, error.reaction)
            if isinstance(error, Refusal):
                raise
            raise Refusal(_page_of(error), error.reaction, mailbox) from error

    def _connect(self, mailbox: Mailbox, flow: ConsentFlow, parameters: Mapping[str, str], verifier: str) -> Connected:
        if not hmac.compare_digest(hashed(verifier), flow.verifier_hash):
            raise Refusal(
                Page.LINK_ENDED,
                Reaction(
                    Actor.OWNER,
                    "other-browser",
                    "The sign-in came back to another browser than it was started in, or cookies are off: open the "
                    "consent link again and finish in the same browser.",
                ),
                mailbox,
            )
        if "error" in parameters:
            raise _declined(parameters, mailbox)
        state = self._stores.states.token(mailbox.id)
        if not _invited(state, flow.invite_hash, self._clock()):
            raise _link_ended(mailbox)
        answer = self._redeem_code(mailbox, flow, parameters, verifier)
        account = self._account(mailbox, answer)
        redeemed = Redeemed.of(answer, self._clock())
        if redeemed.refresh_token is None:
            raise Refusal(
                Page.BROKEN,
                Reaction(
                    Actor.OPERATOR,
                    "no-refresh-token",
                    "The identity platform gave no refresh token: add offline_access to the application's permissions.",
                ),
                mailbox,
            )
        with self._log_in(mailbox, redeemed.access_token.value) as source:
            mails = source.count()
        self._stores.vault.store_refresh_token(mailbox.id, redeemed.refresh_token, redeemed.refresh_token_expires_at)
        self._broker.forget(mailbox)
        self._mark_connected(mailbox, account, redeemed.refresh_token_expires_at, mails)
        return Connected(mailbox, mails)

    def _redeem_code(
        self, mailbox: Mailbox, flow: ConsentFlow, parameters: Mapping[str, str], verifier: str
    ) -> Mapping[str, Any]:
        application = self._applications.of(mailbox)
        msal_flow = {**json.loads(flow.flow), "code_verifier": verifier}
        response = {name: parameters[name] for name in ("code", "state") if name in parameters}
        try:
            return checked(asking(lambda: application.acquire_token_by_auth_code_flow(msal_flow, response)))
        except (ValueError, RuntimeError):
            # MSAL: no code among the parameters, or a nonce that is not this flow's.
            raise _not_genuine("the response does not belong to this sign-in", mailbox) from None

    def _account(self, mailbox: Mailbox, answer: Mapping[str, Any]) -> Account:
        tenant = None
        if mailbox.tenant_id != "organizations":
            tenant = self._applications.of(mailbox).authority.tenant
        try:
            account = self._id_tokens.verify(
                str(answer.get("id_token", "")), client_id=mailbox.client_id, tenant_id=tenant
            )
        except InvalidIdTokenError as error:
            raise _not_genuine(str(error), mailbox) from None
        if account.username.casefold() != mailbox.username.casefold():
            raise Refusal(
                Page.WRONG_ACCOUNT,
                Reaction(
                    Actor.OWNER,
                    "wrong-account",
                    f"Another account than {mailbox.username} signed in: open the link again and choose "
                    f"{mailbox.username}.",
                ),
                mailbox,
            )
        return account

    def _mark_connected(self, mailbox: Mailbox, account: Account, ends: datetime, mails: int) -> None:
        now = self._clock()
        self._stores.states.update_token(
            mailbox.id,
            lambda state: replace(
                state,
                connected_at=now,
                connected_as=account.username,
                rotated_at=now,
                refresh_token_expires_at=ends,
                invite_hash=None,
                invite_expires_at=None,
                failure=None,
            ),
        )
        self._stores.journal.add(
            mailbox.id,
            JournalEntry(now, "connected", f"{account.username} connected the mailbox, which holds {mails} mails."),
        )

    def _record_failure(self, mailbox: Mailbox, reaction: Reaction) -> None:
        now = self._clock()
        self._stores.journal.add(
            mailbox.id, JournalEntry(now, "consent-failed", reaction.sentence, reaction.actor, reaction.code)
        )
        # A consent that fails takes nothing from a mailbox that works.
        failure = Failure.of(reaction, now)
        self._stores.states.update_token(
            mailbox.id, lambda state: state if state.connected else replace(state, failure=failure)
        )


def _invited(state: TokenState, invite_hash: str, now: datetime) -> bool:
    if state.invite_hash is None or state.invite_expires_at is None or state.invite_expires_at <= now:
        return False
    return hmac.compare_digest(state.invite_hash, invite_hash)


def _link_ended(mailbox: Mailbox | None) -> Refusal:
    return Refusal(
        Page.LINK_ENDED,
        Reaction(
            Actor.OWNER,
            "link-ended",
            "This link was used already, has expired or was replaced: ask whoever sent it for a new one.",
        ),
        mailbox,
    )


def _not_genuine(why: str, mailbox: Mailbox) -> Refusal:
    return Refusal(
        Page.BROKEN,
        Reaction(
            Actor.OWNER,
            "sign-in-not-genuine",
            f"The sign-in could not be verified ({why}): nothing was stored; open the consent link again.",
        ),
        mailbox,
    )


def _declined(parameters: Mapping[str, str], mailbox: Mailbox) -> Refusal:
    reaction = reactions.classify(parameters)
    if reaction.actor is Actor.TENANT_ADMIN:
        return Refusal(Page.ADMIN_APPROVAL, reaction, mailbox)
    page = Page.DECLINED if parameters["error"] == "access_denied" else Page.BROKEN
    return Refusal(page, reaction, mailbox)


def _page_of(error: TicketEngineError) -> Page:
    if isinstance(error, MailLoginError):
        return Page.MAILBOX_REFUSED
    if error.reaction.actor is Actor.TENANT_ADMIN:
        return Page.ADMIN_APPROVAL
    return Page.BROKEN
