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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, MailboxNotFoundError, Reaction, TicketEngineError
from ticket_engine.oauth import outcome, reactions, scopes
from ticket_engine.oauth.applications import Applications, Granted
from ticket_engine.oauth.outcome import Connected, Page, Refusal, Started
from ticket_engine.records import ConsentFlow, Failure, JournalEntry, Mailbox, TokenState, is_identifier

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.connection import Connector
    from ticket_engine.store import Stores

FLOW_LIFETIME = timedelta(minutes=10)
INVITE_LIFETIME = timedelta(days=7)
# MSAL recommends form_post, whose cross-site POST would come without the SameSite=Lax cookie that binds the flow.
warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended", module="msal")
# The browser takes a cookie with this prefix only when it is Secure, for the whole host, and of this host.
_COOKIE_PREFIX = "__Host-consent-"
# After these the same person may try again at once, in the same browser.
_RETRIED = {Page.WRONG_ACCOUNT, Page.DECLINED}


def hashed(secret: str) -> str:
    """SHA-256, hexadecimal: how states, invites and verifiers are remembered."""
    return hashlib.sha256(secret.encode()).hexdigest()


def cookie_name(state: str) -> str:
    """The cookie of one flow; each flow has its own, so that two tabs don't disturb each other."""
    return _COOKIE_PREFIX + hashed(state)[:16]


class Consent:
    """Starts and finishes consents."""

    def __init__(self, stores: Stores, *, applications: Applications, connector: Connector, clock: Clock) -> None:
        self._stores = stores
        self._applications = applications
        self._connector = connector
        self._clock = clock

    def invite(self, mailbox_id: str, by: str | None = None) -> str:
        """Make a consent link for a mailbox's owner; an earlier link of the mailbox ends. ``by`` is who made it.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        invite = secrets.token_urlsafe(32)
        ends = self._clock() + INVITE_LIFETIME
        self._stores.states.update_token(
            mailbox_id, lambda state: replace(state, invite_hash=hashed(invite), invite_expires_at=ends)
        )
        self._journal(mailbox_id, "invited", f"A consent link was made; it ends on {ends:%Y-%m-%d}.", by=by)
        return mailbox.consent_url(invite)

    def revoke_invite(self, mailbox_id: str, by: str | None = None) -> bool:
        """End a mailbox's consent link, and sign-ins that were started with it; False when there was none.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        self._stores.mailboxes.get(mailbox_id)
        if self._stores.states.token(mailbox_id).invite_hash is None:
            return False
        self._stores.states.update_token(
            mailbox_id, lambda state: replace(state, invite_hash=None, invite_expires_at=None)
        )
        self._journal(mailbox_id, "invite-revoked", "The consent link was revoked.", by=by)
        return True

    def start(self, mailbox_id: str, invite: str) -> Started:
        """Begin a consent.

        Raises:
            Refusal: the link is not, or no longer, valid.
            TicketEngineError: storage, Key Vault or the identity platform did not answer.
        """
        # The same answer for what is no mailbox as for a wrong invite, so that nobody can try out which ones exist.
        if not is_identifier(mailbox_id):
            raise outcome.link_ended(None)
        try:
            mailbox = self._stores.mailboxes.get(mailbox_id)
        except MailboxNotFoundError:
            raise outcome.link_ended(None) from None
        state = self._stores.states.token(mailbox_id)
        if not _invited(state, hashed(invite), self._clock()):
            raise outcome.link_ended(None)
        try:
            return self._begin(mailbox, hashed(invite))
        except TicketEngineError as error:
            raise self._refusal(error, mailbox) from _cause(error)

    def _begin(self, mailbox: Mailbox, invite_hash: str) -> Started:
        application = self._applications.of(mailbox)
        flow = application.initiate_auth_code_flow(
            scopes.to_consent(mailbox),
            redirect_uri=mailbox.redirect_url,
            state=secrets.token_urlsafe(32),
            prompt="select_account",
            login_hint=mailbox.consenting_account,
            response_mode="query",
        )
        verifier = flow.pop("code_verifier")
        authorize_url, state = flow.pop("auth_uri"), flow.pop("state")
        self._stores.flows.start(
            hashed(state),
            ConsentFlow(
                mailbox_id=mailbox.id,
                flow=json.dumps(flow),
                verifier_hash=hashed(verifier),
                invite_hash=invite_hash,
                expires_at=self._clock() + FLOW_LIFETIME,
            ),
        )
        return Started(
            authorize_url=authorize_url,
            cookie_name=cookie_name(state),
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
            raise outcome.link_ended(None)
        try:
            mailbox = self._stores.mailboxes.get(flow.mailbox_id)
        except MailboxNotFoundError:
            raise outcome.link_ended(None) from None
        try:
            return self._finish(mailbox, flow, parameters, cookies.get(cookie_name(state), ""))
        except TicketEngineError as error:
            raise self._refusal(error, mailbox, flow) from _cause(error)

    def _finish(self, mailbox: Mailbox, flow: ConsentFlow, parameters: Mapping[str, str], verifier: str) -> Connected:
        if not hmac.compare_digest(hashed(verifier), flow.verifier_hash):
            raise outcome.other_browser(mailbox)
        if not _invited(self._stores.states.token(mailbox.id), flow.invite_hash, self._clock()):
            raise outcome.link_ended(mailbox)
        if "error" in parameters:
            raise _declined(parameters, mailbox)
        return self._connector.connect(mailbox, self._redeem_code(mailbox, flow, parameters, verifier))

    def _redeem_code(
        self, mailbox: Mailbox, flow: ConsentFlow, parameters: Mapping[str, str], verifier: str
    ) -> Granted:
        # The flow was found by its state, so the state is this flow's.
        msal_flow = {**json.loads(flow.flow), "state": parameters["state"], "code_verifier": verifier}
        response = {name: parameters[name] for name in ("code", "state") if name in parameters}
        # MSAL: no code among the parameters, or a nonce that is not this flow's. Its errors quote the ID token.
        with suppress(ValueError, RuntimeError):
            return self._applications.ask(
                mailbox, lambda application: application.acquire_token_by_auth_code_flow(msal_flow, response)
            )
        raise outcome.not_genuine("the response does not belong to this sign-in", mailbox)

    def _refusal(self, error: TicketEngineError, mailbox: Mailbox, flow: ConsentFlow | None = None) -> Refusal:
        """The refusal with its next step, after it was recorded."""
        refusal = outcome.refusal_of(error, mailbox)
        self._record_failure(mailbox, refusal.reaction)
        if reactions.is_about_approval(refusal.reaction):
            refusal.approval_url = self._applications.admin_consent_url(mailbox)
        if refusal.page in _RETRIED and flow is not None:
            # Without the offer the person still has the link.
            with suppress(TicketEngineError):
                refusal.retry = self._begin(mailbox, flow.invite_hash)
        return refusal

    def _record_failure(self, mailbox: Mailbox, reaction: Reaction) -> None:
        failure = Failure.of(reaction, self._clock())
        self._journal(mailbox.id, "consent-failed", reaction.sentence, failure)
        # A consent that fails takes nothing from a mailbox that works.
        self._stores.states.update_token(
            mailbox.id, lambda state: state if state.connected else replace(state, failure=failure)
        )

    def _journal(
        self, mailbox_id: str, event: str, sentence: str, failure: Failure | None = None, by: str | None = None
    ) -> None:
        actor, code = (failure.actor, failure.code) if failure else (None, None)
        self._stores.journal.add(mailbox_id, JournalEntry(self._clock(), event, sentence, actor, code, by))


def _invited(state: TokenState, invite_hash: str, now: datetime) -> bool:
    if state.invite_hash is None or state.invite_expires_at is None or state.invite_expires_at <= now:
        return False
    return hmac.compare_digest(state.invite_hash, invite_hash)


def _cause(error: TicketEngineError) -> TicketEngineError | None:
    # A refusal that is raised on is not its own cause.
    return None if isinstance(error, Refusal) else error


def _declined(parameters: Mapping[str, str], mailbox: Mailbox) -> Refusal:
    reaction = reactions.classify(parameters)
    if reaction.actor is Actor.TENANT_ADMIN:
        return Refusal(Page.ADMIN_APPROVAL, reaction, mailbox)
    page = Page.DECLINED if parameters["error"] == "access_denied" else Page.BROKEN
    return Refusal(page, reaction, mailbox)
