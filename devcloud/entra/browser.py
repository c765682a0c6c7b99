"""What a person does in a browser to consent, for programs: follow the link, pick an account, follow back."""

from __future__ import annotations

import ssl
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form's address and its hidden fields."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = values["action"]
        elif tag == "input" and values.get("type") == "hidden":
            self.fields[values["name"]] = values["value"]


def sign_in(browser: httpx.Client, consent_url: str, account: str | None) -> httpx.Response:
    """Open a consent link and sign in with an account; None presses Cancel. Returns the last page.

    ``browser`` keeps the cookies; it must trust devcloud's authority.
    """
    page = browser.get(consent_url, follow_redirects=True)
    form = _Form()
    form.feed(page.text)
    if not form.action:
        return page
    fields = form.fields | ({} if account is None else {"account": account})
    return browser.post(urljoin(str(page.url), form.action), data=fields, follow_redirects=True)


class CallbackReached(Exception):  # noqa: N818 - it is where the browser got to, no accident
    """The browser was sent to the app's callback, where no app runs."""

    def __init__(self, url: httpx.URL) -> None:
        super().__init__(str(url.copy_with(query=None)))
        self.url = url


def sent_back_with(context: ssl.SSLContext, authorize_url: str, account: str | None) -> dict[str, str]:
    """Sign in without an app; the parameters that the browser is sent back to the callback with.

    Raises:
        RuntimeError: the browser was not sent back; says which page it got.
    """

    def stop_at_callback(request: httpx.Request) -> None:
        if request.url.path.endswith("/api/oauth/callback"):
            raise CallbackReached(request.url)

    with httpx.Client(verify=context, event_hooks={"request": [stop_at_callback]}) as browser:
        try:
            page = sign_in(browser, authorize_url, account)
        except CallbackReached as callback:
            return dict(callback.url.params)
    raise RuntimeError(f"no redirect to the callback, but HTTP {page.status_code}: {page.text[-300:]}")
