"""The tokens that the identity platform issues, and the keys that sign them."""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class SigningKeys:
    """The platform's signing keys; the newest signs, all are published."""

    def __init__(self) -> None:
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._newest = ""
        self.rotate()

    def rotate(self) -> None:
        """Make a new key, as the platform does every few weeks."""
        self._newest = secrets.token_hex(12)
        self._keys[self._newest] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT, RS256."""
        return jwt.encode(dict(claims), self._keys[self._newest], algorithm="RS256", headers={"kid": self._newest})

    def verify(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token of ours for this audience; raises jwt.PyJWTError."""
        key = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            raise jwt.InvalidKeyError("unknown key")
        claims: dict[str, Any] = jwt.decode(token, key.public_key(), algorithms=["RS256"], audience=audience)
        return claims

    def jwks(self) -> dict[str, Any]:
        """The public keys as JSON Web Keys (RFC 7517)."""
        return {"keys": [_jwk(kid, key) for kid, key in self._keys.items()]}

    def write_public_keys(self, directory: Path) -> None:
        """Write the public keys where Dovecot's local validation looks: ``default/RS256/<kid>``."""
        folder = directory / "default" / "RS256"
        folder.mkdir(parents=True, exist_ok=True)
        for kid, key in self._keys.items():
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            (folder / kid).write_bytes(pem)


def _jwk(kid: str, key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()

    def encoded(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()

    return {"kty": "RSA", "use": "sig", "kid": kid, "alg": "RS256", "n": encoded(numbers.n), "e": encoded(numbers.e)}


def lifetime_claims(lifetime: timedelta) -> dict[str, int]:
    """iat, nbf and exp by the machine's own time, by which Azurite and Dovecot check them."""
    issued = int(time.time())
    return {"iat": issued, "nbf": issued, "exp": issued + int(lifetime.total_seconds())}


def opaque(prefix: str) -> str:
    """An opaque code or refresh token."""
    return f"{prefix}.{secrets.token_urlsafe(48)}"


def unique() -> str:
    """A GUID."""
    return str(uuid.uuid4())
