"""The console as a Flask app: who may see what, the headers of every page, and the pages for what goes wrong."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from console import csrf, display
from console.answers import PREFIX, message
from console.fleet import Fleet
from console.pages import BLUEPRINTS
from console.principal import AuthenticationOffError, NotSignedInError, read_principal
from ticket_engine.engine import Engine
from ticket_engine.errors import (
    ConflictError,
    MailboxNotFoundError,
    TicketEngineError,
    TicketNotFoundError,
    TicketTypeNotFoundError,
)
from ticket_engine.settings import Settings

_log = logging.getLogger("console")

SIGN_IN = "/.auth/login/aad"
SIGN_OUT = "/.auth/logout"
# Whoever works with tickets sees these; everything else is the operators'.
_AGENTS_BLUEPRINTS = {"tickets", "mail"}
# A page of 1,000 selected tickets, or a form of match rules, is far below this.
_STATUSES: dict[type[Exception], int] = {
    MailboxNotFoundError: 404,
    TicketNotFoundError: 404,
    TicketTypeNotFoundError: 404,
    ConflictError: 409,
}
_PAGES = (
    ("Overview", PREFIX),
    ("Mailboxes", f"{PREFIX}/mailboxes"),
    ("Ticket types", f"{PREFIX}/ticket-types"),
    ("Tickets", f"{PREFIX}/tickets"),
    ("Quarantine", f"{PREFIX}/quarantine"),
)
_AGENTS_PAGES = {"Tickets"}
_MAX_FORM_BYTES = 512 * 1024
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    # A form that is sent after the sign-in has ended is redirected there, which a browser takes for its action.
    "form-action 'self' {sign_in}; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


def create_app(engine: Callable[[], Engine], environment: Mapping[str, str] = os.environ) -> Flask:
    """The app; ``engine`` gives the process's engine, ``environment`` says whether authentication is on."""
    app = Flask("console", root_path=str(Path(__file__).parent), static_url_path=f"{PREFIX}/static")
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = _MAX_FORM_BYTES
    app.config["MAX_FORM_PARTS"] = 2_000
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # A name that a page does not get is a fault to see, not an empty text.
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(display.FILTERS)
    for each in BLUEPRINTS:
        app.register_blueprint(each, url_prefix=PREFIX)

    fleet = cache(Fleet)

    @app.before_request
    def admit() -> BaseResponse | None:
        if request.endpoint == "static":
            return None
        g.key = request.cookies.get(csrf.COOKIE, "")
        g.principal = read_principal(request.headers.get, environment)
        if request.endpoint == "overview.overview" and g.principal.agent and not g.principal.operator:
            return redirect(url_for("tickets.tickets"))
        if not _may_see(request.blueprint):
            return _page("refused", 403)
        if request.method != "GET" and not _genuine():
            return _page("not-genuine", 403)
        g.engine = engine()
        g.fleet = fleet(g.engine)
        return None

    policy = _POLICY.format(sign_in=environment.get("AZURE_AUTHORITY_HOST") or Settings.authority_host)

    @app.after_request
    def secure(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", policy)
        return _secure(response)

    app.register_error_handler(Exception, _failed)
    app.context_processor(_values)
    return app


def _may_see(blueprint: str | None) -> bool:
    return bool(g.principal.operator or (g.principal.agent and blueprint in _AGENTS_BLUEPRINTS))


def _genuine() -> bool:
    given = request.form.get(csrf.FIELD, "")
    return not csrf.from_another_site(request.headers.get, request.host) and csrf.is_ours(given, g.key, g.principal.id)


def _values() -> dict[str, Any]:
    """What every template may use."""
    principal = g.get("principal")

    def csrf_token() -> str:
        if not csrf.is_key(g.key):
            g.key = g.new_key = csrf.new_key()
        return csrf.token(g.key, principal.id)

    return {
        "pages": [each for each in _PAGES if principal and (principal.operator or each[0] in _AGENTS_PAGES)],
        "principal": principal,
        "csrf_token": csrf_token,
        "static_file": static_file,
        "sign_out_url": f"{SIGN_OUT}?post_logout_redirect_uri=/.auth/logout/complete",
        "said": message(),
        "section": "",
    }


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / "static" / name).read_bytes()).hexdigest()[:12]


def static_file(name: str) -> str:
    """A static file's address, which changes with its content, so that browsers may keep it for ever."""
    return url_for("static", filename=name, v=_digest(name))


def _secure(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static" and response.status_code == 200 and "v" in request.args:  # noqa: PLR2004 - OK
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    key = g.get("new_key")
    if key:
        response.set_cookie(csrf.COOKIE, key, secure=True, httponly=True, samesite="Strict", path="/")
    return response


def _failed(error: Exception) -> BaseResponse:
    """The page for what went wrong; what nobody foresaw is logged under the reference that the page shows."""
    if isinstance(error, AuthenticationOffError):
        return _page("authentication-off", 403)
    if isinstance(error, NotSignedInError):
        return _sign_in()
    if isinstance(error, HTTPException):
        return _page("not-found" if error.code in {404, 405} else "bad-request", error.code or 400)
    if isinstance(error, TicketEngineError):
        status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 503)
        return _page("failed", status, reaction=error.reaction)
    reference = secrets.token_hex(4)
    _log.error("console failed, reference %s", reference, exc_info=error)
    return _page("broken", 500, reference=reference)


def _sign_in() -> BaseResponse:
    if request.method == "GET" and request.headers.get("X-Requested-With") != "XMLHttpRequest":
        return redirect(_sign_in_url())
    return _page("signed-out", 401, sign_in_url=_sign_in_url())


def _sign_in_url() -> str:
    # The path comes from this request, so it is this host's: the platform redirects nowhere else.
    return f"{SIGN_IN}?" + display.query(post_login_redirect_uri=request.full_path.rstrip("?"))


def _page(name: str, status: int, **values: Any) -> BaseResponse:
    return Response(render_template(f"problem/{name}.html", **values), status, mimetype="text/html")
