"""Who is signed in, as the platform vouches for it.

Source: Microsoft, "Work with user identities in Azure App Service authentication". The platform removes these headers
from what clients send, but only where its authentication is on; so only there they mean anything.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_ROLE = "roles"
_NAME = "preferred_username"


class Role(StrEnum):
    """An app role of the console's app registration; the values are the tokens'."""

    OPERATOR = "Operator"
    AGENT = "Agent"


class AuthenticationOffError(Exception):
    """The platform's authentication is off here, so nobody can be known."""


class NotSignedInError(Exception):
    """The platform vouches for nobody: there is no session, or it has ended."""


@dataclass(frozen=True)
class Principal:
    """A signed-in person; ``id`` is the account's object id, ``name`` its user principal name."""

    id: str
    name: str
    roles: frozenset[Role]

    @property
    def operator(self) -> bool:
        """Whether the person sets up mailboxes and ticket types; an operator may work with tickets too."""
        return Role.OPERATOR in self.roles

    @property
    def agent(self) -> bool:
        """Whether the person works with tickets."""
        return bool(self.roles)


def authentication_is_on(environment: Mapping[str, str]) -> bool:
    """Whether the platform says that its authentication guards this app."""
    return environment.get("WEBSITE_AUTH_ENABLED", "").strip().lower() == "true"


def read_principal(header: Callable[[str, str], str], environment: Mapping[str, str]) -> Principal:
    """The person that the platform's headers name; ``header`` gives one by name, or the default.

    Raises:
        AuthenticationOffError: the headers could be anybody's.
        NotSignedInError: there are none.
    """
    if not authentication_is_on(environment):
        raise AuthenticationOffError
    account = header("X-MS-CLIENT-PRINCIPAL-ID", "").strip()
    if not account:
        raise NotSignedInError
    # Who comes from elsewhere than Entra ID, or with claims that can't be read, is signed in and has no role.
    ours = header("X-MS-CLIENT-PRINCIPAL-IDP", "") == "aad"
    claims = _claims(header("X-MS-CLIENT-PRINCIPAL", "")) if ours else []
    name = next((value for kind, value in claims if kind == _NAME), "")
    name = name or header("X-MS-CLIENT-PRINCIPAL-NAME", "").strip() or account
    held = {value for kind, value in claims if kind == _ROLE}
    return Principal(account, name, frozenset(role for role in Role if role.value in held))


def _claims(header: str) -> list[tuple[str, str]]:
    try:
        principal: Any = json.loads(base64.b64decode(header, validate=True))
        role_type = principal.get("role_typ") or _ROLE
        pairs = [(str(each["typ"]), str(each["val"])) for each in principal["claims"]]
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [(_ROLE if kind == role_type else kind, value) for kind, value in pairs]
