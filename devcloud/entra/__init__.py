"""Microsoft Entra ID's stand-in: directory, authorize page, token endpoint, keys, managed identities."""

from devcloud.entra.directory import Application, ManagedIdentity, Tenant, User
from devcloud.entra.server import Entra

__all__ = ["Application", "Entra", "ManagedIdentity", "Tenant", "User"]
