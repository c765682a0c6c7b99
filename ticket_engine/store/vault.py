"""Key Vault: each mailbox's refresh token and client secret, and the applications' certificates."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine.store.failures import asking_vault

if TYPE_CHECKING:
    from azure.keyvault.secrets import KeyVaultSecret

    from ticket_engine.store.clients import Clients


@dataclass(frozen=True)
class StoredSecret:
    """A secret's current version; ``value`` is kept out of every representation."""

    value: str = field(repr=False)
    version: str
    created_at: datetime
    expires_at: datetime | None


class SecretVault:
    """The secrets ``{mailbox id}--refresh-token`` and ``{mailbox id}--client-secret``, and certificates by name."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def refresh_token(self, mailbox_id: str, version: str | None = None) -> StoredSecret | None:
        """The mailbox's refresh token, the newest or the named version; None where there is none."""
        return self._get(f"{mailbox_id}--refresh-token", version)

    def store_refresh_token(self, mailbox_id: str, token: str, expires_at: datetime) -> StoredSecret:
        """Write a new version of the refresh token; earlier versions stay readable in the vault."""
        return self._set(f"{mailbox_id}--refresh-token", token, expires_at)

    def client_secret(self, mailbox_id: str) -> StoredSecret | None:
        """The client secret of the mailbox's application, or None when it was never stored."""
        return self._get(f"{mailbox_id}--client-secret")

    def store_client_secret(self, mailbox_id: str, secret: str, expires_at: datetime | None = None) -> StoredSecret:
        """Write a new version of the client secret, with its end date where it is known."""
        return self._set(f"{mailbox_id}--client-secret", secret, expires_at)

    def webhook_secret(self, ticket_type_id: str) -> StoredSecret | None:
        """The secret that signs a ticket type's webhook posts, or None when there is none."""
        return self._get(f"{ticket_type_id}--webhook-secret")

    def store_webhook_secret(self, ticket_type_id: str, secret: str) -> StoredSecret:
        """Write a new version of a ticket type's signing secret."""
        return self._set(f"{ticket_type_id}--webhook-secret", secret, None)

    def delete_webhook_secret(self, ticket_type_id: str) -> bool:
        """Delete a ticket type's signing secret; False when there was none."""
        return self._delete(f"{ticket_type_id}--webhook-secret")

    def delete(self, mailbox_id: str) -> list[str]:
        """Delete a mailbox's secrets and return the names of those that there were.

        The vault's soft delete keeps them recoverable for its retention period.
        """
        names = [f"{mailbox_id}--refresh-token", f"{mailbox_id}--client-secret"]
        return [name for name in names if self._delete(name)]

    def certificate(self, name: str) -> StoredSecret | None:
        """A certificate of the vault with its private key (PEM, or PKCS #12 in base 64), or None.

        Key Vault serves a certificate's private key as the secret of the same name, and its end date as the secret's
        (Microsoft, "About Azure Key Vault certificates").
        """
        return self._get(name)

    def _get(self, name: str, version: str | None = None) -> StoredSecret | None:
        from azure.core.exceptions import ResourceNotFoundError

        def read() -> StoredSecret | None:
            try:
                return _stored(self._clients.secrets.get_secret(name, version))
            except ResourceNotFoundError:
                return None

        return asking_vault(read)

    def _set(self, name: str, value: str, expires_at: datetime | None) -> StoredSecret:
        from azure.core.exceptions import ResourceExistsError

        secrets = self._clients.secrets

        def write() -> StoredSecret:
            try:
                return _stored(secrets.set_secret(name, value, expires_on=expires_at))
            except ResourceExistsError:
                # Deleted with an earlier mailbox of this id: the vault keeps the name until it is recovered or purged.
                secrets.begin_recover_deleted_secret(name).wait()
                return _stored(secrets.set_secret(name, value, expires_on=expires_at))

        return asking_vault(write)

    def _delete(self, name: str) -> bool:
        from azure.core.exceptions import ResourceNotFoundError

        def delete() -> bool:
            try:
                self._clients.secrets.begin_delete_secret(name).wait()
            except ResourceNotFoundError:
                return False
            return True

        return asking_vault(delete)


def _stored(secret: KeyVaultSecret) -> StoredSecret:
    properties = secret.properties
    if secret.value is None or properties.version is None or properties.created_on is None:
        raise ValueError(f"Key Vault answered without a value for {properties.name!r}")
    return StoredSecret(
        value=secret.value,
        version=properties.version,
        created_at=properties.created_on,
        expires_at=properties.expires_on,
    )
