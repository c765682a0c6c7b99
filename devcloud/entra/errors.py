"""The error bodies of the token endpoint: Microsoft, "Microsoft Entra authentication and authorization error codes"."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

# AADSTS number: (OAuth error, text)
KNOWN: dict[int, tuple[str, str]] = {
    50011: ("invalid_request", "The redirect URI specified in the request does not match the ones configured."),
    50012: ("invalid_client", "Authentication failed: the client assertion is expired or not valid yet."),
    50033: ("temporarily_unavailable", "RetryableError: a transient error not related to the database operations."),
    50057: ("invalid_grant", "The user account is disabled."),
    50076: (
        "interaction_required",
        "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
    ),
    50173: ("invalid_grant", "The provided grant has expired due to it being revoked, a fresh auth token is needed."),
    50196: ("invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    54005: ("invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code."),
    65001: ("invalid_grant", "The user or administrator has not consented to use the application."),
    65004: ("access_denied", "User declined to consent to access the app."),
    70000: ("invalid_grant", "The provided authorization code or refresh token is malformed or not valid."),
    70008: ("invalid_grant", "The provided authorization code or refresh token has expired due to inactivity."),
    70011: ("invalid_scope", "The provided value for the input parameter 'scope' isn't valid."),
    90014: ("invalid_request", "The required field is missing from the credential."),
    90094: ("access_denied", "The grant requires admin permission."),
    501481: ("invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the request."),
    70021: (
        "invalid_client",
        "No matching federated identity record found for presented assertion.",
    ),
    700027: (
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    ),
    700211: ("invalid_client", "No matching federated identity record found for presented assertion issuer."),
    700212: ("invalid_client", "No matching federated identity record found for presented assertion audience."),
    700213: ("invalid_client", "No matching federated identity record found for presented assertion subject."),
    700016: ("unauthorized_client", "Application was not found in the directory."),
    700082: ("invalid_grant", "The refresh token has expired due to inactivity."),
    7000215: (
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent is the client secret value, not its ID.",
    ),
    7000218: (
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    7000222: ("invalid_client", "The provided client secret keys for app are expired."),
    90002: ("invalid_request", "Tenant not found. Check to make sure you have the correct tenant ID."),
    9002313: ("invalid_request", "Invalid request. Request is malformed or invalid."),
    70003: ("unsupported_grant_type", "The app requested an unsupported grant type."),
}


class EntraError(Exception):
    """A request that the identity platform refuses, with its AADSTS number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.error, self.text = KNOWN[number]

    @property
    def status(self) -> int:
        """The HTTP status of the token endpoint's answer."""
        return 401 if self.error == "invalid_client" else 400

    def description(self, now: datetime) -> str:
        """The error_description with its trace."""
        return (
            f"AADSTS{self.number}: {self.text} Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()} "
            f"Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
        )

    def body(self, now: datetime) -> dict[str, Any]:
        """The JSON body of the token endpoint's answer."""
        return {
            "error": self.error,
            "error_description": self.description(now),
            "error_codes": [self.number],
            "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }
