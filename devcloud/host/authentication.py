"""App Service's authentication ("Easy Auth") in front of the app: sign-in, sessions, and the headers it vouches for.

Source: Microsoft, "Authentication and authorization in Azure App Service" and "Work with user identities".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

SETTING = "DEVCLOUD_AUTHENTICATION"
CALLBACK_PATH = "/.auth/login/aad/callback"
SESSION_COOKIE = "AppServiceAuthSession"
_FLOW_COOKIE = "AppServiceAuthFlow"
_FLOW_SECONDS = 600
# Only the platform may send these.
_VOUCHED = ("x-ms-client-principal", "x-ms-token-")
# How the platform names some of the token's claims; the others keep their names.
_CLAIM_NAMES = {
    "email": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
}


@dataclass(frozen=True)
class Configuration:
    """What ``authsettingsV2`` holds: the app registration, its issuer, and the paths that need no sign-in."""

    issuer: str
    client_id: str
    client_secret: str
    excluded_paths: tuple[str, ...]
    session_seconds: int = 8 * 3600

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Configuration | None:
        """The configuration, or None where authentication is off."""
        if environment.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
            return None
        values = json.loads(environment[SETTING])
        return cls(**{**values, "excluded_paths": tuple(values["excluded_paths"])})


@dataclass
class _Session:
    claims: dict[str, Any]
    ends_at: float


@dataclass
class _Flow:
    verifier: str
    nonce: str
    then: str
    ends_at: float = field(default_factory=lambda: time.time() + _FLOW_SECONDS)


class Authentication:
    """An ASGI app around the host's: every path but the excluded ones needs a session."""

    def __init__(self, app: ASGIApp, configuration: Configuration) -> None:
        self._app = app
        self._configuration = configuration
        self._sessions: dict[str, _Session] = {}
        self._flows: dict[str, _Flow] = {}
        self._own = Starlette(
            routes=[
                Route("/.auth/login/aad", self._login),
                Route(CALLBACK_PATH, self._callback),
                Route("/.auth/logout", self._logout),
                Route("/.auth/logout/complete", self._logged_out),
                Route("/.auth/me", self._me),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the platform's own paths, and let through what is excluded or signed in."""
        path = str(scope["path"])
        if path.startswith("/.auth/"):
            await self._own(scope, receive, send)
            return
        request = Request(scope)
        _strip(scope)
        session = self._session(request)
        if session is not None:
            _vouch(scope, session.claims)
        # The admin API is not behind the sign-in: the platform guards it with keys.
        elif not path.startswith("/admin/") and not self._excluded(path):
            await _to_login(request)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _excluded(self, path: str) -> bool:
        return any(fnmatchcase(path, each) for each in self._configuration.excluded_paths)

    def _session(self, request: Request) -> _Session | None:
        session = self._sessions.get(request.cookies.get(SESSION_COOKIE, ""))
        return session if session is not None and session.ends_at > time.time() else None

    async def _login(self, request: Request) -> Response:
        flow = _Flow(secrets.token_urlsafe(48), secrets.token_urlsafe(16), _local(request, "post_login_redirect_uri"))
        state = secrets.token_urlsafe(24)
        self._flows[state] = flow
        digest = hashlib.sha256(flow.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._configuration.client_id,
            "redirect_uri": _base(request) + CALLBACK_PATH,
            "scope": "openid profile email",
            "state": state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoints = await run_in_threadpool(self._endpoints)
        response = RedirectResponse(f"{endpoints['authorization_endpoint']}?{urlencode(query)}", 302)
        response.set_cookie(_FLOW_COOKIE, state, max_age=_FLOW_SECONDS, secure=True, httponly=True, samesite="lax")
        return response

    async def _callback(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        flow = self._flows.pop(state, None)
        if flow is None or flow.ends_at < time.time() or request.cookies.get(_FLOW_COOKIE) != state:
            return HTMLResponse(_page("This sign-in was not started here. Open the console again."), 401)
        if "code" not in request.query_params:
            return HTMLResponse(_page("The sign-in was cancelled. Open the console again to sign in."), 401)
        claims = await run_in_threadpool(self._redeem, request.query_params["code"], _base(request), flow)
        session = secrets.token_urlsafe(48)
        seconds = self._configuration.session_seconds
        self._sessions[session] = _Session(claims, time.time() + seconds)
        response = RedirectResponse(flow.then, 302)
        response.set_cookie(SESSION_COOKIE, session, secure=True, httponly=True, samesite="lax")
        response.delete_cookie(_FLOW_COOKIE)
        return response

    async def _logout(self, request: Request) -> Response:
        self._sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
        response = RedirectResponse(_local(request, "post_logout_redirect_uri", "/.auth/logout/complete"), 302)
        response.delete_cookie(SESSION_COOKIE)
        return response

    async def _logged_out(self, request: Request) -> Response:
        del request
        return HTMLResponse(_page("You have signed out."))

    async def _me(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return Response(status_code=401)
        principal = _principal(session.claims)
        return JSONResponse([{"provider_name": "aad", "user_id": _name(session.claims), "user_claims": principal}])

    def _endpoints(self) -> dict[str, Any]:
        url = f"{self._configuration.issuer}/.well-known/openid-configuration"
        answer: dict[str, Any] = httpx.get(url, verify=_trust(), timeout=10).raise_for_status().json()
        return answer

    def _redeem(self, code: str, base: str, flow: _Flow) -> dict[str, Any]:
        configuration = self._configuration
        endpoints = self._endpoints()
        form = {
            "grant_type": "authorization_code",
            "client_id": configuration.client_id,
            "client_secret": configuration.client_secret,
            "code": code,
            "code_verifier": flow.verifier,
            "redirect_uri": base + CALLBACK_PATH,
        }
        answer = httpx.post(endpoints["token_endpoint"], data=form, verify=_trust(), timeout=10).raise_for_status()
        token = answer.json()["id_token"]
        keys = jwt.PyJWKSet.from_dict(httpx.get(endpoints["jwks_uri"], verify=_trust(), timeout=10).json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["RS256"], audience=configuration.client_id, issuer=configuration.issuer
        )
        if claims.get("nonce") != flow.nonce:
            raise jwt.InvalidTokenError("another sign-in's nonce")
        return claims


def _trust() -> Any:
    import ssl

    return ssl.create_default_context()


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _local(request: Request, parameter: str, otherwise: str = "/") -> str:
    """Where to go afterwards: a path of this host; another site only if the app's settings allowed it."""
    wanted = request.query_params.get(parameter, "")
    parts = urlsplit(wanted.replace("\\", "/"))
    return wanted if wanted.startswith("/") and not parts.netloc and not wanted.startswith("//") else otherwise


def _to_login(request: Request) -> Response:
    if request.headers.get("x-requested-with") == "XMLHttpRequest":
        return Response(status_code=401)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': here})}", 302)


def _strip(scope: Scope) -> None:
    scope["headers"] = [(n, v) for n, v in scope["headers"] if not n.decode("latin-1").lower().startswith(_VOUCHED)]


def _vouch(scope: Scope, claims: Mapping[str, Any]) -> None:
    headers = MutableHeaders(scope=scope)
    principal = {
        "auth_typ": "aad",
        "claims": _principal(claims),
        "name_typ": _CLAIM_NAMES["email"],
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    }
    headers["x-ms-client-principal"] = base64.b64encode(json.dumps(principal).encode()).decode()
    headers["x-ms-client-principal-id"] = str(claims["oid"])
    headers["x-ms-client-principal-idp"] = "aad"
    headers["x-ms-client-principal-name"] = _name(claims)


def _name(claims: Mapping[str, Any]) -> str:
    return str(claims["preferred_username"])


def _principal(claims: Mapping[str, Any]) -> list[dict[str, str]]:
    found = []
    for name, value in claims.items():
        values = value if isinstance(value, list) else [value]
        found += [{"typ": _CLAIM_NAMES.get(name, name), "val": str(each)} for each in values]
    return found


def _page(sentence: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign-in</title></head>'
        f"<body><main><h1>Sign-in</h1><p>{sentence}</p></main></body></html>"
    )
