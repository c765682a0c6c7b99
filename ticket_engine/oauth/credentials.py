"""How an application proves itself: a client secret, a certificate, or a managed identity and no secret at all.

Sources: Microsoft, "Application and service principal objects", "Microsoft identity platform application authentication
certificate credentials", "Configure an application to trust a managed identity".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, Reaction, TokenError
from ticket_engine.records import CredentialKind, Mailbox

if TYPE_CHECKING:
    from ticket_engine.store.vault import SecretVault

# The longest that the portal gives; the end of a secret whose end date nobody told.
CLIENT_SECRET_LIFETIME = timedelta(days=730)


@dataclass(frozen=True)
class Credential:
    """A credential as it is now.

    ``for_msal`` is MSAL's ``client_credential``; ``fingerprint`` tells credentials of a client apart and can't be
    turned back into one; ``ends_at`` is when it ends at the latest, None for one that doesn't end.
    """

    kind: CredentialKind
    for_msal: Any = field(repr=False)
    fingerprint: str
    ends_at: datetime | None


class Credentials:
    """Reads the credential of a mailbox's application anew each time, so that a replaced one is used at once."""

    def __init__(self, vault: SecretVault, assertion: Callable[[], str]) -> None:
        self._vault = vault
        self._assertion = assertion

    def of(self, mailbox: Mailbox) -> Credential:
        """The credential that the mailbox names.

        Raises:
            TokenError: it is not stored, or can't be read.
            VaultUnavailableError: Key Vault did not answer.
        """
        if mailbox.credential is CredentialKind.MANAGED_IDENTITY:
            return Credential(mailbox.credential, {"client_assertion": self._asserted}, _fingerprint(mailbox, ""), None)
        if mailbox.credential is CredentialKind.CERTIFICATE:
            return self._certificate(mailbox)
        return self._client_secret(mailbox)

    def _client_secret(self, mailbox: Mailbox) -> Credential:
        secret = self._vault.client_secret(mailbox.id)
        if secret is None:
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "client-secret-missing",
                    f"No client secret is stored for mailbox {mailbox.id}: store the one of its application.",
                )
            )
        ends_at = secret.expires_at or secret.created_at + CLIENT_SECRET_LIFETIME
        return Credential(mailbox.credential, secret.value, _fingerprint(mailbox, secret.value), ends_at)

    def _certificate(self, mailbox: Mailbox) -> Credential:
        stored = self._vault.certificate(mailbox.certificate_name)
        if stored is None:
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "certificate-missing",
                    f"Key Vault has no certificate {mailbox.certificate_name!r}: create it there, or correct the name "
                    f"in mailbox {mailbox.id}.",
                )
            )
        found = None
        with suppress(ValueError):
            found = read_certificate(stored.value)
        if found is None:
            # Not from the parser's error, which may quote the key.
            raise TokenError(
                Reaction(
                    Actor.OPERATOR,
                    "certificate-unreadable",
                    f"{mailbox.certificate_name!r} in Key Vault is no certificate with an RSA key: create it as a "
                    "certificate (not as a secret), with an exportable RSA key.",
                )
            )
        key, certificate, ends_at = found
        for_msal = {"private_key": key, "public_certificate": certificate}
        return Credential(mailbox.credential, for_msal, _fingerprint(mailbox, certificate), ends_at)

    def _asserted(self) -> str:
        from azure.core.exceptions import AzureError

        with suppress(AzureError):
            return self._assertion()
        raise TokenError(
            Reaction(
                Actor.OPERATOR,
                "managed-identity-unavailable",
                "The app got no token from its managed identity: check that the identity is assigned to the "
                "function app and that AZURE_CLIENT_ID is its client id.",
            )
        )


def read_certificate(text: str) -> tuple[str, str, datetime]:
    """The private key (PEM), the certificate (PEM) and its end, of PEM text or of PKCS #12 in base 64.

    Raises:
        ValueError: it is neither, or has no RSA key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import pkcs12

    if "-----BEGIN" in text:
        key: Any = serialization.load_pem_private_key(text.encode(), None)
        certificate: x509.Certificate | None = x509.load_pem_x509_certificate(text.encode())
    else:
        try:
            archive = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError("neither PEM nor base 64") from None
        key, certificate, _ = pkcs12.load_key_and_certificates(archive, None)
    if certificate is None or not isinstance(key, RSAPrivateKey):
        raise ValueError("no certificate with an RSA key")
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), certificate.public_bytes(pem).decode(), certificate.not_valid_after_utc


def _fingerprint(mailbox: Mailbox, value: str) -> str:
    # A client secret has more than 200 random bits, so its hash gives nothing away.
    parts = (mailbox.tenant_id, mailbox.client_id, mailbox.credential.value, value)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
