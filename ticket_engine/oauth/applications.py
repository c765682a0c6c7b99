"""The application as Microsoft Entra ID knows it: MSAL clients, one for each tenant, client id and secret."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from ticket_engine.errors import Actor, Reaction, TokenError
from ticket_engine.oauth import reactions
from ticket_engine.records import MailboxType

if TYPE_CHECKING:
    import msal

    from ticket_engine.records import Mailbox
    from ticket_engine.store.vault import SecretVault

_OUTLOOK = "https://outlook.office.com"
_SCOPES = {
    MailboxType.POP3: f"{_OUTLOOK}/POP.AccessAsUser.All",
    MailboxType.IMAP: f"{_OUTLOOK}/IMAP.AccessAsUser.All",
}
# Both protocols are asked for at once, so that a mailbox can change its type without a new consent.
SCOPES = sorted(_SCOPES.values())
# Only Microsoft's own hosts answer MSAL's instance discovery.
_MICROSOFT_HOSTS = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)
_TIMEOUT = 20
_KEPT_CLIENTS = 256

Answer = TypeVar("Answer")

# On a response cut in the middle MSAL logs what came of it, tokens included.
logging.getLogger("msal.oauth2cli.oauth2").disabled = True


class Applications:
    """Gives the MSAL client of a mailbox's application, with the client secret that is in Key Vault now."""

    def __init__(self, authority_host: str, vault: SecretVault) -> None:
        self._authority_host = authority_host
        self._vault = vault
        self._clients: dict[tuple[str, str, str], msal.ConfidentialClientApplication] = {}
        self._lock = Lock()

    def of(self, mailbox: Mailbox) -> msal.ConfidentialClientApplication:
        """The client for this mailbox's tenant, client id and current secret.

        Raises:
            TokenError: no client secret is stored, or the tenant does not exist.
            VaultUnavailableError: Key Vault did not answer.
        """
        secret = self._vault.client_secret(mailbox.id)
        if secret is None:
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "client-secret-missing",
                    f"No client secret is stored for mailbox {mailbox.id}: store the one of its application.",
                )
            )
        key = (mailbox.tenant_id, mailbox.client_id, hashlib.sha256(secret.value.encode()).hexdigest())
        with self._lock:
            if key not in self._clients:
                if len(self._clients) >= _KEPT_CLIENTS:
                    self._clients.pop(next(iter(self._clients)))
                self._clients[key] = self._connect(mailbox, secret.value)
            return self._clients[key]

    def _connect(self, mailbox: Mailbox, secret: str) -> msal.ConfidentialClientApplication:
        import msal

        class NoCache(msal.TokenCache):  # type: ignore[misc]  # msal ships no types
            """Keeps nothing: tokens live in Key Vault and in the broker."""

            def add(self, event: Any, now: Any = None) -> None:
                """Drop the tokens."""

        def build() -> msal.ConfidentialClientApplication:
            return msal.ConfidentialClientApplication(
                mailbox.client_id,
                client_credential=secret,
                authority=f"{self._authority_host}/{mailbox.tenant_id}",
                instance_discovery=None if self._authority_host in _MICROSOFT_HOSTS else False,
                token_cache=NoCache(),
                timeout=_TIMEOUT,
            )

        try:
            return asking(build)
        except ValueError:
            # MSAL found no such tenant; its message repeats the address that it asked.
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "tenant-not-found",
                    f"There is no tenant {mailbox.tenant_id!r}: check the tenant id of mailbox {mailbox.id}.",
                )
            ) from None


def asking(call: Callable[[], Answer]) -> Answer:
    """Make a call to the identity platform.

    Raises:
        TokenError: it did not answer, or its answer makes no sense. The cause is left out, because the
            request and the response that it carries may hold a token.
    """
    import requests
    from msal.exceptions import MsalServiceError

    try:
        return call()
    except (requests.RequestException, MsalServiceError, json.JSONDecodeError) as error:
        raise TokenError(reactions.unreachable()) from ConnectionError(type(error).__name__)


def checked(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The token response itself; raises TokenError with the reaction when it is an error."""
    if "error" in answer:
        raise TokenError(reactions.classify(answer))
    return answer
