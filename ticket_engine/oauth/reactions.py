"""What each error of Microsoft Entra ID means: who must act, and what to do.

Sources: Microsoft, "Microsoft Entra authentication and authorization error codes" and "OAuth 2.0 authorization
code flow" (error response). The OAuth ``error`` decides; the AADSTS number says it more precisely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ticket_engine.errors import Actor, Reaction

_CODE_IN_TEXT = re.compile(r"AADSTS(\d+)")

# Settled by "Admin consent" for the application.
_APPROVAL = {"AADSTS90094", "AADSTS90095", "AADSTS700016"}

# Entra ID stops a client that repeats itself, and does so longer the longer it goes on.
_LOOP = 50196
_WAIT = timedelta(hours=1)
LOOP_CODE = f"AADSTS{_LOOP}"

_RETRY = "The identity platform has a passing problem; the next run tries again, and the stored token is kept."
_CONSENT = "The owner must open a new consent link and sign in"

# AADSTS number: (who acts, the sentence)
AADSTS: dict[int, tuple[Actor, str]] = {
    **dict.fromkeys((50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090), (Actor.SERVICE, _RETRY)),
    _LOOP: (
        Actor.OPERATOR,
        "The identity platform stopped a loop of equal requests: wait an hour; if it comes back, report it as a bug.",
    ),
    70008: (Actor.OWNER, f"{_CONSENT}: the authorization or the refresh token has expired."),
    700082: (Actor.OWNER, f"{_CONSENT}: the refresh token was not used for 90 days."),
    50173: (Actor.OWNER, f"{_CONSENT}: the password was changed or the sessions were revoked."),
    70043: (Actor.OWNER, f"{_CONSENT}: the tenant's sign-in frequency has ended the session."),
    50072: (Actor.OWNER, f"{_CONSENT}: the account has to register for multifactor authentication."),
    50074: (Actor.OWNER, f"{_CONSENT}: the account has to pass multifactor authentication."),
    50076: (Actor.OWNER, f"{_CONSENT}: the tenant now asks for multifactor authentication."),
    50078: (Actor.OWNER, f"{_CONSENT}: the multifactor authentication has expired."),
    50079: (Actor.OWNER, f"{_CONSENT}: the account has to register for multifactor authentication."),
    65001: (Actor.OWNER, f"{_CONSENT}: the permissions were withdrawn or never given."),
    50132: (
        Actor.OWNER,
        f"{_CONSENT}: the session was ended by a change of the password or by an administrator.",
    ),
    50133: (Actor.OWNER, f"{_CONSENT}: the session was ended by a change of the password."),
    70000: (Actor.OWNER, f"{_CONSENT}: the identity platform does not accept the stored token."),
    54005: (Actor.OWNER, "This sign-in was used already: the owner must start again from the consent link."),
    90094: (
        Actor.TENANT_ADMIN,
        "An administrator of the mailbox's tenant must approve the application first.",
    ),
    90095: (
        Actor.TENANT_ADMIN,
        "An administrator of the mailbox's tenant must approve the request for this application.",
    ),
    700016: (
        Actor.TENANT_ADMIN,
        "The mailbox's tenant does not know the application: its administrator must approve it, or an id is wrong.",
    ),
    50105: (
        Actor.TENANT_ADMIN,
        "An administrator of the tenant must assign the mailbox's account to the application.",
    ),
    53000: (
        Actor.TENANT_ADMIN,
        "A Conditional Access policy asks for a compliant device: an administrator must exempt this app.",
    ),
    53003: (
        Actor.TENANT_ADMIN,
        "A Conditional Access policy blocks this sign-in: an administrator must exempt this app.",
    ),
    530032: (
        Actor.TENANT_ADMIN,
        "A security policy of the tenant blocks this sign-in: an administrator must allow it.",
    ),
    50057: (
        Actor.TENANT_ADMIN,
        "The mailbox's account is disabled: an administrator of the tenant must enable it.",
    ),
    500011: (
        Actor.TENANT_ADMIN,
        "The tenant does not know Exchange Online's permissions: an administrator must check its licences.",
    ),
    650052: (
        Actor.TENANT_ADMIN,
        "The tenant has no service for these permissions: an administrator must check its licences.",
    ),
    7000215: (
        Actor.OPERATOR,
        "The client secret is wrong: store the secret's value (not its id) again. No token was dropped.",
    ),
    7000222: (
        Actor.OPERATOR,
        "The client secret has expired: make a new one and store it. No token was dropped.",
    ),
    7000218: (
        Actor.OPERATOR,
        "The application needs a client secret or certificate: store one for this mailbox.",
    ),
    700027: (
        Actor.OPERATOR,
        "The application's certificate is not accepted: upload it to the app registration again.",
    ),
    50012: (
        Actor.OPERATOR,
        "The application's credential is not accepted: check the certificate or the identity.",
    ),
    **dict.fromkeys(
        (70021, 700211, 700212, 700213, 700229),
        (
            Actor.OPERATOR,
            "The federated credential does not match: check its issuer, subject and audience in the app registration.",
        ),
    ),
    50011: (
        Actor.OPERATOR,
        "The redirect URL is not registered with the application: add it, letter by letter, in the app registration.",
    ),
    70011: (
        Actor.OPERATOR,
        "The application asks for a permission that does not exist: check its API permissions.",
    ),
    700084: (
        Actor.OPERATOR,
        "The redirect URL is registered as a single-page application, whose tokens last 24 hours: register it as Web.",
    ),
}

# The numbers that mean the application's own credential, whatever the OAuth error beside them says
_CREDENTIAL = {7000215, 7000222, 7000218, 700027, 50012, 70021, 700211, 700212, 700213, 700229}

# OAuth error: what it means without a known number
ERRORS: dict[str, tuple[Actor, str]] = {
    "temporarily_unavailable": (Actor.SERVICE, _RETRY),
    "server_error": (Actor.SERVICE, _RETRY),
    "invalid_grant": (
        Actor.OWNER,
        f"{_CONSENT}: the identity platform does not accept the stored token any more.",
    ),
    "interaction_required": (Actor.OWNER, f"{_CONSENT}: the identity platform wants to see the person."),
    "consent_required": (Actor.OWNER, f"{_CONSENT}: the permissions were withdrawn or never given."),
    "login_required": (Actor.OWNER, f"{_CONSENT}: the identity platform wants to see the person."),
    "access_denied": (Actor.OWNER, "The consent was declined: the owner can open the link again and accept."),
    "invalid_client": (
        Actor.OPERATOR,
        "The application's credential is not accepted: store its client secret again. No token was dropped.",
    ),
    "unauthorized_client": (
        Actor.OPERATOR,
        "The application may not sign people in this way: check the app registration.",
    ),
    "invalid_scope": (
        Actor.OPERATOR,
        "The application asks for a permission that does not exist: check its API permissions.",
    ),
    "invalid_request": (
        Actor.OPERATOR,
        "The identity platform does not understand the request: check the mailbox's tenant and client id.",
    ),
}


def classify(answer: Mapping[str, Any]) -> Reaction:
    """The reaction to an error of the authorize or token endpoint, from its parsed body or parameters."""
    error = str(answer.get("error", ""))
    for number in _numbers(answer):
        if number in AADSTS:
            actor, sentence = AADSTS[number]
            return Reaction(actor, f"AADSTS{number}", sentence, retry_after=_WAIT if number == _LOOP else None)
    if error in ERRORS:
        actor, sentence = ERRORS[error]
        number_or_error = next((f"AADSTS{number}" for number in _numbers(answer)), error)
        return Reaction(actor, number_or_error, sentence)
    return Reaction(
        Actor.OPERATOR,
        next((f"AADSTS{number}" for number in _numbers(answer)), "unknown-identity-error"),
        "The identity platform answered with an error that this release does not know: look its code up at "
        "login.microsoftonline.com/error. The stored token is kept.",
    )


def is_about_credential(answer: Mapping[str, Any]) -> bool:
    """Whether an error means the application's own credential, so that all mailboxes that use it share it."""
    return answer.get("error") == "invalid_client" or not _CREDENTIAL.isdisjoint(_numbers(answer))


def is_about_approval(reaction: Reaction) -> bool:
    """Whether an approval of the application settles this, and not a change of a policy or a licence."""
    return reaction.code in _APPROVAL


def unreachable(retry_after: timedelta | None = None) -> Reaction:
    """The reaction to an identity platform that does not answer, or answers 429 or 5xx."""
    return Reaction(Actor.SERVICE, "identity-unavailable", _RETRY, retry_after=retry_after)


def _numbers(answer: Mapping[str, Any]) -> list[int]:
    codes = answer.get("error_codes")
    if isinstance(codes, list):
        return [int(code) for code in codes if str(code).isdecimal()]
    return [int(code) for code in _CODE_IN_TEXT.findall(str(answer.get("error_description", "")))[:1]]
