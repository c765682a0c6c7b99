"""The pages of the consent: plain words, no script, nothing from elsewhere, and nothing of what came in."""

import base64
import hashlib
import re

import pytest

from oauth_callback import responses
from ticket_engine.errors import Actor, Reaction
from ticket_engine.oauth.outcome import Connected, Page, Refusal, Started
from ticket_engine.records import Mailbox

MAILBOX = Mailbox.create(
    id="support",
    name="<b>Support & more",
    username="support@contoso.example",
    tenant_id="contoso.example",
    client_id="11111111-2222-3333-4444-555555555555",
    redirect_url="https://x.example/api/oauth/callback",
)
REACTION = Reaction(Actor.OWNER, "a-code", "What to do next.")


def page(kind: Page, mailbox: Mailbox | None = MAILBOX) -> tuple[int, str, dict[str, str]]:
    if kind is Page.CONNECTED:
        response = responses.connected(Connected(MAILBOX, 1234), "state")
    else:
        response = responses.refused(Refusal(kind, REACTION, mailbox), "deadbeef")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return response.status_code, response.get_body().decode(), headers


@pytest.mark.parametrize("kind", list(Page))
def test_each_page_escapes_names_and_allows_its_own_style_only(kind: Page) -> None:
    _, body, headers = page(kind)
    assert "<b>Support" not in body
    assert "&lt;b&gt;Support &amp; more" in body
    assert "<script" not in body
    assert not re.search(r"(src|href)=", body)
    styles = re.findall(r"<style>(.*?)</style>", body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in headers["content-security-policy"]
    assert "style=" not in body
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        (Page.CONNECTED, 200, "It holds 1,234 mails now"),
        (Page.WRONG_ACCOUNT, 403, "choose support@contoso.example"),
        (Page.DECLINED, 200, "was declined"),
        (Page.ADMIN_APPROVAL, 403, "What to do next."),
        (Page.LINK_ENDED, 404, "What to do next."),
        (Page.MAILBOX_REFUSED, 502, "What to do next."),
        (Page.BROKEN, 500, "What to do next."),
    ],
)
def test_each_page_says_what_happened_and_what_to_do(kind: Page, status: int, says: str) -> None:
    code, body, _ = page(kind)
    assert code == status
    assert says in body


@pytest.mark.parametrize(("given", "says"), [(True, "is approved"), (False, "was not approved")])
def test_an_administrator_is_told_what_came_of_the_approval(says: str, *, given: bool) -> None:
    response = responses.approval(given=given)
    assert response.status_code == 200
    assert says in response.get_body().decode()


def test_a_page_without_a_known_mailbox_still_works() -> None:
    assert "mailbox" not in page(Page.LINK_ENDED, None)[1].partition("<footer>")[2]


def test_what_nobody_foresaw_shows_the_reference_that_the_log_has() -> None:
    response = responses.broken("deadbeef")
    assert response.status_code == 500
    assert b"deadbeef" in response.get_body()


def test_the_flows_cookie_is_for_this_host_and_this_flow_only() -> None:
    response = responses.to_microsoft(Started("https://login.example/authorize", "__Host-consent-1", "secret", 600))
    assert response.headers["Location"] == "https://login.example/authorize"
    cookie = "__Host-consent-1=secret; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert response.headers["Set-Cookie"] == cookie
    assert "Max-Age=0" in page(Page.CONNECTED)[2]["set-cookie"]


def test_an_empty_mailbox_is_called_empty() -> None:
    body = responses.connected(Connected(MAILBOX, 0), "state").get_body().decode()
    assert "It is empty now." in body
