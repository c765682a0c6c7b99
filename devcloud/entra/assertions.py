"""Client assertions: how an application proves itself without a secret.

Sources: RFC 7523; Microsoft, "Microsoft identity platform application authentication certificate credentials" and
"Workload identity federation".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from devcloud.entra.directory import Application
from devcloud.entra.errors import EntraError
from devcloud.entra.tokens import SigningKeys

TOKEN_EXCHANGE = "api://AzureADTokenExchange"  # noqa: S105 - an audience
_THUMBPRINTS = (hashes.SHA256(), hashes.SHA1())  # noqa: S303 - x5t is SHA-1 by its definition
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Assertions:
    """Checks assertions signed with an application's certificate, or issued to a managed identity that it trusts."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def check(self, application: Application, token_endpoint: str, form: Mapping[str, str]) -> None:
        """Raise EntraError unless the assertion is this application's."""
        assertion = form["client_assertion"]
        if form.get("client_assertion_type") != _JWT_BEARER:
            raise EntraError(9002313)
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise EntraError(50012) from None
        if "x5t#S256" in header or "x5t" in header:
            self._check_certificate(application, assertion, header, token_endpoint)
        else:
            self._check_federated(application, assertion)

    def _check_certificate(
        self, application: Application, assertion: str, header: Mapping[str, Any], token_endpoint: str
    ) -> None:
        key = _registered_key(application, header)
        try:
            claims = jwt.decode(
                assertion,
                key,
                algorithms=["PS256", "RS256"],
                audience=token_endpoint,
                options={"require": ["exp", "iss", "sub", "jti"]},
            )
        except jwt.InvalidSignatureError:
            raise EntraError(700027) from None
        except jwt.PyJWTError:
            raise EntraError(50012) from None
        if not claims["iss"] == claims["sub"] == application.client_id:
            raise EntraError(50012)

    def _check_federated(self, application: Application, assertion: str) -> None:
        try:
            claims = self._keys.verify(assertion, TOKEN_EXCHANGE)
        except jwt.InvalidAudienceError:
            raise EntraError(700212) from None
        except jwt.PyJWTError:
            raise EntraError(50012) from None
        issuers = {issuer for issuer, _ in application.federated}
        if claims["iss"] not in issuers:
            raise EntraError(700211 if issuers else 70021)
        if (claims["iss"], claims["sub"]) not in application.federated:
            raise EntraError(700213)


def _registered_key(application: Application, header: Mapping[str, Any]) -> Any:
    # Some libraries keep the padding of base 64, and Entra ID takes both.
    named = {str(header.get(name, "")).rstrip("=") for name in ("x5t#S256", "x5t")}
    for pem in application.certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if not named.isdisjoint({_thumbprint(certificate, algorithm) for algorithm in _THUMBPRINTS}):
            return certificate.public_key()
    raise EntraError(700027)


def _thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()
