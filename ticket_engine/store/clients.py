"""The Azure SDK clients, made once a process at first use, signed in with the app's own identity."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ticket_engine.settings import MAIL_CONTAINER, Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.data.tables import TableClient, TableServiceClient
    from azure.keyvault.secrets import SecretClient
    from azure.storage.blob import ContainerClient

    from ticket_engine.store.transactions import Transactions

# A request that fails is tried again three times within some seconds; the next run is the longer retry.
# Without these the SDKs wait up to five minutes for a host that doesn't answer.
_PATIENCE: dict[str, Any] = {
    "retry_total": 3,
    "retry_connect": 2,
    "retry_read": 2,
    "retry_backoff_max": 8,
    "connection_timeout": 5,
    "read_timeout": 30,
}

# The blob SDK has retries of its own, which begin with 15 seconds.
_BLOB_PATIENCE: dict[str, Any] = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}


class Clients:
    """The clients for tables, blobs and secrets that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def credential(self) -> TokenCredential:
        """The managed identity in Azure, an operator's `az login` elsewhere."""
        from azure.identity import DefaultAzureCredential

        identity = self._settings.identity_client_id
        if identity:
            return DefaultAzureCredential(managed_identity_client_id=identity)
        return DefaultAzureCredential()

    def federated_assertion(self) -> str:
        """The managed identity's token by which an application without a secret proves itself.

        Source: Microsoft, "Configure an application to trust a managed identity".

        Raises:
            azure.core.exceptions.ClientAuthenticationError: there is no managed identity here, or it got no token.
        """
        return self._identity.get_token("api://AzureADTokenExchange/.default").token

    @cached_property
    def _identity(self) -> TokenCredential:
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=self._settings.identity_client_id or None)

    @cached_property
    def _tables(self) -> TableServiceClient:
        from azure.data.tables import TableServiceClient

        return TableServiceClient(self._settings.tables_url, credential=self.credential, **_PATIENCE)

    @cached_property
    def transactions(self) -> Transactions:
        """Where transactions are sent."""
        from ticket_engine.store.transactions import Transactions

        return Transactions(self._settings.tables_url, self.credential, _PATIENCE)

    def table(self, name: str) -> TableClient:
        """The client of one table."""
        return self._tables.get_table_client(name)

    @cached_property
    def mail(self) -> ContainerClient:
        """The container that holds raw mail."""
        from azure.storage.blob import ContainerClient

        return ContainerClient(
            self._settings.blobs_url, MAIL_CONTAINER, credential=self.credential, **_PATIENCE, **_BLOB_PATIENCE
        )

    @cached_property
    def secrets(self) -> SecretClient:
        """The Key Vault."""
        from azure.keyvault.secrets import SecretClient

        return SecretClient(self._settings.vault_url, credential=self.credential, **_PATIENCE)
