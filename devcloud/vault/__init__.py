"""Azure Key Vault's stand-in: the secrets REST API."""

from devcloud.vault.server import Vault

__all__ = ["Vault"]
