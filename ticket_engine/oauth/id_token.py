"""The checks of an ID token that MSAL leaves to the application.

Sources: OpenID Connect Core 1.0, section 3.1.3.7; Microsoft, "ID token claims reference" and "Secure applications
and APIs by validating claims".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import TokenError
from ticket_engine.oauth import reactions

if TYPE_CHECKING:
    import jwt

_LEEWAY_SECONDS = 120
# Microsoft's tenant for personal accounts, whose names are not an organisation's.
_PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"


class InvalidIdTokenError(Exception):
    """The ID token is not one that Microsoft Entra ID made for this sign-in; says which check failed."""


@dataclass(frozen=True)
class Account:
    """Who signed in."""

    username: str
    tenant_id: str
    object_id: str


class IdTokenVerifier:
    """Checks signature, audience, expiry, issuer against tenant, and the tenant itself."""

    def __init__(self, authority_host: str) -> None:
        self._authority_host = authority_host
        self._keys: dict[str, jwt.PyJWKClient] = {}
        self._lock = Lock()

    def verify(self, id_token: str, *, client_id: str, tenant_id: str | None) -> Account:
        """The account of a valid ID token.

        ``tenant_id`` is the tenant's GUID, or None where every organisation's tenant is allowed.

        Raises:
            InvalidIdTokenError: a check failed.
            TokenError: the identity platform's keys can't be read now.
        """
        import jwt

        keys = self._key_client(tenant_id or "common")
        try:
            keys.get_jwk_set()
        except (jwt.PyJWTError, ValueError):
            raise TokenError(reactions.unreachable()) from None
        try:
            key = keys.get_signing_key_from_jwt(id_token)
            claims = jwt.decode(
                id_token,
                key.key,
                algorithms=["RS256"],
                audience=client_id,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["aud", "iss", "exp", "iat", "tid", "oid"]},
            )
        except (jwt.PyJWKClientConnectionError, ValueError):
            # The keys were looked up once more, for one that is not among those that are known.
            raise TokenError(reactions.unreachable()) from None
        except jwt.PyJWTError as error:
            raise InvalidIdTokenError(type(error).__name__) from None
        return self._account(claims, tenant_id)

    def _account(self, claims: Mapping[str, Any], tenant_id: str | None) -> Account:
        tid = str(claims["tid"])
        if claims["iss"] != f"{self._authority_host}/{tid}/v2.0":
            raise InvalidIdTokenError("the issuer is not the tenant's")
        if tid == _PERSONAL_ACCOUNTS or tenant_id not in (None, tid):
            raise InvalidIdTokenError("the tenant is another one")
        return Account(username=str(claims.get("preferred_username", "")), tenant_id=tid, object_id=str(claims["oid"]))

    def _key_client(self, tenant: str) -> jwt.PyJWKClient:
        import jwt

        with self._lock:
            if tenant not in self._keys:
                # No cooldown: a key that the platform began to sign with a moment ago is looked up at once.
                address = f"{self._authority_host}/{tenant}/discovery/v2.0/keys"
                self._keys[tenant] = jwt.PyJWKClient(address, timeout=20, cooldown_duration=0)
            return self._keys[tenant]
