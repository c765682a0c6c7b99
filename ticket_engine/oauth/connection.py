"""What makes a mailbox connected: the right account, a login that works, and only then a stored refresh token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ticket_engine.intake import backlog
from ticket_engine.oauth import outcome, scopes
from ticket_engine.oauth.applications import Applications, Granted
from ticket_engine.oauth.id_token import Account, IdTokenVerifier, InvalidIdTokenError
from ticket_engine.oauth.outcome import Connected
from ticket_engine.oauth.tokens import Redeemed
from ticket_engine.records import JournalEntry, Mailbox
from ticket_engine.records.setup import ANY_TENANT

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.mail import MailSource
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.store import Stores


class Connector:
    """Connects mailboxes, by a token response or by a refresh token that someone obtained by hand."""

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

    def import_token(self, mailbox_id: str, refresh_token: str, by: str | None = None) -> Connected:
        """Connect a mailbox by a refresh token of its account and application; ``by`` is who imported it.

        The token is redeemed, its account checked and the mailbox opened before anything is stored.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            TicketEngineError: the token is not accepted, or not this mailbox's; nothing was stored.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        granted = self._applications.ask(
            mailbox,
            lambda application: application.acquire_token_by_refresh_token(
                refresh_token.strip(), scopes=scopes.to_read(mailbox)
            ),
        )
        return self.connect(mailbox, granted, instead=refresh_token.strip(), by=by)

    def connect(
        self, mailbox: Mailbox, granted: Granted, *, instead: str | None = None, by: str | None = None
    ) -> Connected:
        """Check the account, open the mailbox, store the token; ``instead`` is kept when the response has none.

        Raises:
            Refusal: another account, another tenant, a forged ID token, or no refresh token.
            MailServerError: the mailbox can't be opened.
            TicketEngineError: the vault or storage did not answer.
        """
        account = self._account(mailbox, granted.answer)
        redeemed = Redeemed.of(granted.answer, self._clock())
        token = redeemed.refresh_token or instead
        if token is None:
            raise outcome.no_refresh_token(mailbox)
        with self._log_in(mailbox, redeemed.access_token.value) as source:
            found = backlog.at_connection(mailbox, source)
        ends_at = redeemed.refresh_token_expires_at
        stored = self._stores.vault.store_refresh_token(mailbox.id, token, ends_at)
        now = self._clock()
        self._stores.states.update_token(
            mailbox.id,
            lambda state: replace(
                state,
                connected_at=now,
                connected_as=account.username,
                tenant_id=account.tenant_id,
                token_version=stored.version,
                rotated_at=now,
                refresh_token_expires_at=ends_at,
                credential_ends_at=granted.credential_ends_at,
                invite_hash=None,
                invite_expires_at=None,
                failure=None,
            ),
        )
        self._stores.states.update_poll(mailbox.id, lambda state: backlog.remembered(state, found, now))
        self._broker.forget(mailbox)
        sentence = f"{account.username} connected the mailbox, which holds {found.mails} mails."
        self._stores.journal.add(mailbox.id, JournalEntry(now, "connected", sentence, by=by))
        return Connected(mailbox, found.mails)

    def _account(self, mailbox: Mailbox, answer: Mapping[str, Any]) -> Account:
        any_tenant = mailbox.tenant_id == ANY_TENANT
        tenant = None if any_tenant else self._applications.of(mailbox).authority.tenant
        try:
            account = self._id_tokens.verify(
                str(answer.get("id_token", "")), client_id=mailbox.client_id, tenant_id=tenant
            )
        except InvalidIdTokenError as error:
            raise outcome.not_genuine(str(error), mailbox) from None
        if account.username.casefold() != mailbox.consenting_account.casefold():
            raise outcome.wrong_account(mailbox)
        pinned = self._stores.states.token(mailbox.id).tenant_id
        if any_tenant and pinned is not None and account.tenant_id != pinned:
            raise outcome.wrong_tenant(mailbox)
        return account
