"""The application as Microsoft Entra ID knows it: MSAL clients, one for each tenant, client id and credential."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ticket_engine.errors import Actor, CredentialRefusedError, Reaction, TokenError
from ticket_engine.oauth import reactions, scopes, transport

if TYPE_CHECKING:
    import msal

    from ticket_engine.oauth.credentials import Credential, Credentials
    from ticket_engine.oauth.refusals import Refusals
    from ticket_engine.records import Mailbox

# Only Microsoft's own hosts answer MSAL's instance discovery.
_MICROSOFT_HOSTS = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)
_KEPT_CLIENTS = 256
# The state of an administrator's approval, which changes nothing here; a consent's is random.
APPROVAL_STATE = "approval"


@dataclass(frozen=True)
class Granted:
    """A token response, and when the credential that it was asked with ends (None: it doesn't)."""

    answer: Mapping[str, Any] = field(repr=False)
    credential_ends_at: datetime | None


class Applications:
    """Asks the identity platform as a mailbox's application, with the credential that it has now."""

    def __init__(self, authority_host: str, credentials: Credentials, refusals: Refusals) -> None:
        self._authority_host = authority_host
        self._credentials = credentials
        self._refusals = refusals
        self._clients: dict[tuple[str, str, str], msal.ConfidentialClientApplication] = {}
        self._lock = Lock()

    def of(self, mailbox: Mailbox) -> msal.ConfidentialClientApplication:
        """The MSAL client for this mailbox's tenant, client id and current credential.

        Raises:
            TokenError: no credential is stored, or the tenant does not exist.
            VaultUnavailableError: Key Vault did not answer.
        """
        return self._client(mailbox, self._credentials.of(mailbox))

    def ask(self, mailbox: Mailbox, call: Callable[[msal.ConfidentialClientApplication], Mapping[str, Any]]) -> Granted:
        """Make a request to the token endpoint.

        Raises:
            CredentialRefusedError: the credential is refused, now or since an earlier request of any mailbox.
            TokenError: another error of the token endpoint, or no answer.
            VaultUnavailableError: Key Vault did not answer.
        """
        credential = self._credentials.of(mailbox)
        again = self._refusals.admit(mailbox.client_id, credential)
        client = self._client(mailbox, credential)
        try:
            answer = _checked(transport.asking(lambda: call(client)))
        except CredentialRefusedError as error:
            self._refusals.refuse(mailbox.client_id, credential, error.reaction)
            raise
        if again:
            self._refusals.clear(mailbox.client_id, credential)
        return Granted(answer, credential.ends_at)

    def admin_consent_url(self, mailbox: Mailbox) -> str:
        """Where a tenant's administrator approves the application (Microsoft, "Admin consent")."""
        query = {
            "client_id": mailbox.client_id,
            "redirect_uri": mailbox.redirect_url,
            "scope": " ".join(scopes.to_consent(mailbox)),
            "state": APPROVAL_STATE,
        }
        return f"{self._authority_host}/{mailbox.tenant_id}/v2.0/adminconsent?{urlencode(query)}"

    def _client(self, mailbox: Mailbox, credential: Credential) -> msal.ConfidentialClientApplication:
        key = (mailbox.tenant_id, mailbox.client_id, credential.fingerprint)
        with self._lock:
            known = self._clients.get(key)
        if known is not None:
            return known
        # Not under the lock: a tenant whose discovery takes long must not keep the other mailboxes waiting.
        made = self._connect(mailbox, credential.for_msal)
        with self._lock:
            if len(self._clients) >= _KEPT_CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            return self._clients.setdefault(key, made)

    def _connect(self, mailbox: Mailbox, credential: Any) -> msal.ConfidentialClientApplication:
        import msal

        class NoCache(msal.TokenCache):  # type: ignore[misc]  # msal ships no types
            """Keeps nothing: tokens live in Key Vault and in the broker."""

            def add(self, event: Any, now: Any = None) -> None:
                """Drop the tokens."""

        def build() -> msal.ConfidentialClientApplication:
            return msal.ConfidentialClientApplication(
                mailbox.client_id,
                client_credential=credential,
                authority=f"{self._authority_host}/{mailbox.tenant_id}",
                instance_discovery=None if self._authority_host in _MICROSOFT_HOSTS else False,
                token_cache=NoCache(),
                http_client=transport.session(),
            )

        try:
            return transport.asking(build)
        except ValueError:
            # MSAL found no such tenant; its message repeats the address that it asked.
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "tenant-not-found",
                    f"There is no tenant {mailbox.tenant_id!r}: check the tenant id of mailbox {mailbox.id}.",
                )
            ) from None


def _checked(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if "error" not in answer:
        return answer
    reaction = reactions.classify(answer)
    raise (CredentialRefusedError if reactions.is_about_credential(answer) else TokenError)(reaction)
