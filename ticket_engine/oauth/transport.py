"""HTTP to the identity platform: answers that make no sense end here, before MSAL reads or logs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ticket_engine.errors import TokenError, suggested_wait
from ticket_engine.oauth import reactions

if TYPE_CHECKING:
    import requests

_TIMEOUT = 20
_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
# Seconds in ten years, more than any token lasts.
_LONGEST_LIFETIME = 10 * 365 * 24 * 3600
_ENDPOINTS = ("issuer", "authorization_endpoint", "token_endpoint")

Answer = TypeVar("Answer")

# Of an answer that it can't read MSAL logs the whole text, tokens included.
logging.getLogger("msal.oauth2cli.oauth2").disabled = True


def session() -> requests.Session:
    """MSAL's HTTP client as it makes its own, with a timeout, a check of each answer, and no redirects.

    A redirect would carry the form with its tokens to another address; the identity platform sends none.
    """
    import requests

    made = requests.Session()
    made.mount("https://", requests.adapters.HTTPAdapter(max_retries=1))
    made.hooks["response"].append(_check)
    made.max_redirects = 0
    made.request = partial(made.request, timeout=_TIMEOUT)  # type: ignore[method-assign]
    return made


def asking(call: Callable[[], Answer]) -> Answer:
    """Make a call to the identity platform.

    Raises:
        TokenError: it did not answer, or its answer makes no sense.
    """
    import requests
    from msal.exceptions import MsalServiceError

    try:
        return call()
    except (requests.RequestException, MsalServiceError) as error:
        name, wait = type(error).__name__, _retry_after(getattr(error, "response", None))
    # Out here the library's error is not in the chain: the request and the response that it carries hold tokens.
    raise TokenError(reactions.unreachable(wait)) from ConnectionError(name)


def _retry_after(response: requests.Response | None) -> timedelta | None:
    return None if response is None else suggested_wait(response.headers.get("Retry-After", ""))


def _check(response: requests.Response, **_: Any) -> None:
    """Raise requests.RequestException for an answer that is a passing fault; MSAL would drop its Retry-After."""
    import requests

    status = response.status_code
    if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR:
        response.raise_for_status()
    asks_for_token = response.request.method == "POST"
    if status == _BAD_REQUEST and not asks_for_token:
        # There is no such tenant; what the page says does not matter.
        return
    answer = None
    # MSAL takes a ValueError, which the parser's error is too, for a missing tenant.
    with suppress(ValueError):
        answer = response.json()
    sensible = _is_token_answer if asks_for_token else _is_configuration
    if not (isinstance(answer, dict) and sensible(answer)):
        raise requests.exceptions.InvalidJSONError("the answer makes no sense")


def _is_configuration(answer: Mapping[str, Any]) -> bool:
    # OpenID Connect Discovery 1.0, section 3.
    return all(isinstance(answer.get(each), str) for each in _ENDPOINTS)


def _is_token_answer(answer: Mapping[str, Any]) -> bool:
    # RFC 6749, sections 5.1 and 5.2.
    if "error" in answer:
        return isinstance(answer["error"], str)
    tokens = [answer.get("access_token"), answer.get("refresh_token", "none")]
    lifetimes = [answer.get("expires_in", 0), answer.get("refresh_token_expires_in", 0)]
    return (
        all(isinstance(each, str) and each for each in tokens)
        and all(map(_is_lifetime, lifetimes))
        and ("id_token" not in answer or _is_jwt(answer["id_token"]))
    )


def _is_lifetime(value: Any) -> bool:
    return str(value).isascii() and str(value).isdigit() and int(value) <= _LONGEST_LIFETIME


def _is_jwt(token: Any) -> bool:
    import jwt

    try:
        jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, TypeError):
        return False
    return True
