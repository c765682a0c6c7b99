"""What a directory holds: tenants, users, applications, managed identities."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Tenant:
    """A directory of one organisation."""

    domain: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class User:
    """An account; the switches are what an administrator or a policy does to it.

    ``full_access`` is the address of a shared mailbox that Exchange lets this account open.
    """

    upn: str
    tenant: Tenant
    oid: str = field(default_factory=lambda: str(uuid.uuid4()))
    disabled: bool = False
    needs_mfa: bool = False
    revoked_at: datetime | None = None
    full_access: str = ""


@dataclass
class ClientSecret:
    """One of an application's secrets."""

    value: str
    expires_at: datetime | None = None


@dataclass
class Application:
    """An app registration; ``admin_consent_required`` is the tenant's policy for it."""

    name: str
    tenant: Tenant
    redirect_uris: list[str]
    multi_tenant: bool = False
    admin_consent_required: bool = False
    # PEM certificates that were uploaded, and (issuer, subject) of the federated credentials.
    certificates: list[str] = field(default_factory=list)
    federated: list[tuple[str, str]] = field(default_factory=list)
    # App roles that were assigned to people, by user principal name in lower case.
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secrets: list[ClientSecret] = field(default_factory=list)

    @property
    def client_secret(self) -> str:
        """The newest secret's value."""
        return self.secrets[-1].value

    def assign(self, user: User, *roles: str) -> None:
        """Give a person app roles, which their tokens for this application carry."""
        self.roles[user.upn.lower()] = roles

    def add_secret(self, expires_at: datetime | None = None) -> str:
        """Make another secret, valid beside the others, as in the portal."""
        self.secrets.append(ClientSecret(secrets.token_urlsafe(30), expires_at))
        return self.client_secret


@dataclass
class ManagedIdentity:
    """A user-assigned managed identity."""

    tenant: Tenant
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    principal_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Directory:
    """Everything that the stand-in knows."""

    tenants: list[Tenant] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    identities: list[ManagedIdentity] = field(default_factory=list)

    def tenant(self, name: str) -> Tenant | None:
        """The tenant with this id or domain."""
        return next((each for each in self.tenants if name.lower() in (each.id, each.domain.lower())), None)

    def user(self, upn: str) -> User | None:
        """The account with this user principal name."""
        return next((each for each in self.users if each.upn.lower() == upn.lower()), None)

    def application(self, client_id: str) -> Application | None:
        """The application with this client id."""
        return next((each for each in self.applications if each.client_id == client_id), None)

    def identity(self, client_id: str) -> ManagedIdentity | None:
        """The managed identity with this client id; with an empty one the only one there is."""
        if not client_id and len(self.identities) == 1:
            return self.identities[0]
        return next((each for each in self.identities if each.client_id == client_id), None)
