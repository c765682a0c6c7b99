"""Proof that a change was sent from a page of this console: a token that only such a page can hold.

The browser keeps a random key in a ``__Host-`` cookie, which no script and no other host can read or set; the token
is the key's HMAC of the person. So the token dies with the session and is worth nothing to another person, and no
instance has to share a secret. The browser's own word about the request's origin is checked beside it.

Source: OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet".
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

COOKIE = "__Host-console"
FIELD = "csrf"
_KEY_CHARACTERS = 43


def new_key() -> str:
    """A browser session's key."""
    return secrets.token_urlsafe(32)


def is_key(value: str) -> bool:
    """Whether a cookie's value can be one of our keys."""
    return len(value) == _KEY_CHARACTERS


def token(key: str, principal_id: str) -> str:
    """The token that this browser's pages carry for this person."""
    return hmac.new(key.encode(), principal_id.encode(), hashlib.sha256).hexdigest()


def is_ours(given: str, key: str, principal_id: str) -> bool:
    """Whether a token was made for this browser and person."""
    return is_key(key) and hmac.compare_digest(given.encode(), token(key, principal_id).encode())


def from_another_site(header: Callable[[str, str], str], host: str) -> bool:
    """Whether the browser says that another site sent the request; old browsers say nothing.

    ``header`` gives a request's header by name, or the default.
    """
    site = header("Sec-Fetch-Site", "")
    if site:
        return site not in {"same-origin", "none"}
    origin = header("Origin", "")
    return bool(origin) and urlsplit(origin).netloc != host
