"""What a person does in a browser to consent, for programs: follow the link, pick an account, follow back."""

from __future__ import annotations

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
