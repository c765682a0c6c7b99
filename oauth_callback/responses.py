"""The HTTP answers of the consent: redirects, cookies and pages."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import azure.functions as func

from ticket_engine.oauth.consent import cookie_name
from ticket_engine.oauth.outcome import Connected, Page, Refusal, Started

if TYPE_CHECKING:
    import jinja2

_STATUS = {
    Page.CONNECTED: 200,
    Page.WRONG_ACCOUNT: 403,
    Page.DECLINED: 200,
    Page.ADMIN_APPROVAL: 403,
    Page.APPROVED: 200,
    Page.NOT_APPROVED: 200,
    Page.LINK_ENDED: 404,
    Page.MAILBOX_REFUSED: 502,
    Page.BROKEN: 500,
}
_FOLDER = Path(__file__).parent / "templates"


def to_microsoft(started: Started) -> func.HttpResponse:
    """Redirect to the authorize endpoint, setting the flow's cookie."""
    return func.HttpResponse(
        status_code=302,
        headers={
            **_headers(),
            "Location": started.authorize_url,
            "Set-Cookie": _cookie(started.cookie_name, started.cookie_value, started.max_age),
        },
    )


def connected(result: Connected, state: str) -> func.HttpResponse:
    """The page after a consent that worked; the flow's cookie ends."""
    response = _page(Page.CONNECTED, mailbox=result.mailbox, mails=result.mails)
    response.headers["Set-Cookie"] = _cookie(cookie_name(state), "", 0)
    return response


def refused(refusal: Refusal, reference: str) -> func.HttpResponse:
    """The page after a consent that did not lead to a connection; the log has it under the reference."""
    retry = refusal.retry
    response = _page(
        refusal.page,
        mailbox=refusal.mailbox,
        reaction=refusal.reaction,
        reference=reference,
        retry_url=retry.authorize_url if retry else None,
        approval_url=refusal.approval_url,
    )
    if retry is not None:
        response.headers["Set-Cookie"] = _cookie(retry.cookie_name, retry.cookie_value, retry.max_age)
    return response


def approval(*, given: bool) -> func.HttpResponse:
    """The page for an administrator who approved the application, or did not."""
    return _page(Page.APPROVED if given else Page.NOT_APPROVED)


def broken(reference: str) -> func.HttpResponse:
    """The page for what nobody foresaw; the log has its traceback under the reference."""
    return _page(Page.BROKEN, reference=reference)


def cookies(req: func.HttpRequest) -> dict[str, str]:
    """The request's cookies (RFC 6265, section 4.2.1).

    Not by Python's SimpleCookie, which drops them all when one of the host's other cookies has a value that it
    does not like.
    """
    pairs = (each.partition("=") for each in req.headers.get("Cookie", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _cookie(name: str, value: str, max_age: int) -> str:
    return f"{name}={value}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Lax"


def _page(page: Page, **values: Any) -> func.HttpResponse:
    body = _templates().get_template(f"{page.value}.html").render(**values)
    return func.HttpResponse(body, status_code=_STATUS[page], mimetype="text/html", headers=_headers())


def _headers() -> dict[str, str]:
    # Nothing from elsewhere, no script, no frame; the code in the address must not reach anyone by the Referer.
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src '{_style_hash()}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


@cache
def _style_hash() -> str:
    # The only style that the browser may apply is the one that the template includes, to the letter.
    style = _templates().get_template("style.css").render()
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
