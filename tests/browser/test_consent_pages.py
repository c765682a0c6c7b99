"""The pages of the consent on a phone, without scripts, under their own Content-Security-Policy."""

from collections.abc import Callable
from dataclasses import dataclass

import azure.functions as func
import pytest
from playwright.sync_api import BrowserContext, Page, Route

from oauth_callback import responses
from ticket_engine.errors import Actor, Reaction
from ticket_engine.oauth import outcome
from ticket_engine.oauth.outcome import Connected, Refusal, Started
from ticket_engine.records import Mailbox

PHONE = {"width": 390, "height": 844}
ADDRESS = "https://engine.example/api/oauth/callback"
LONG = "customer-service-and-returns-department@subsidiary-of-the-company.contoso.example"
MAILBOX = Mailbox.create(
    id="support",
    name="Customer service, returns and complaints of the whole company",
    username=LONG,
    tenant_id="11111111-2222-3333-4444-555555555555",
    client_id="11111111-2222-3333-4444-555555555555",
    redirect_url=ADDRESS,
)
AUTHORIZE = "https://login.microsoftonline.com/contoso/oauth2/v2.0/authorize?" + "&".join(
    f"parameter{n}=0123456789abcdef" for n in range(20)
)


def refused(refusal: Refusal, *, retry: bool = False, approval: bool = False) -> func.HttpResponse:
    refusal.retry = Started(AUTHORIZE, "__Host-consent-1", "value", 600) if retry else None
    refusal.approval_url = AUTHORIZE.replace("oauth2/v2.0/authorize", "v2.0/adminconsent") if approval else None
    return responses.refused(refusal, "deadbeef")


def _reaction(actor: Actor) -> Reaction:
    return Reaction(
        actor, "AADSTS90094", "An administrator of the mailbox's tenant must approve the application first."
    )


PAGES: dict[str, Callable[[], func.HttpResponse]] = {
    "connected": lambda: responses.connected(Connected(MAILBOX, 12_345), "state"),
    "connected-empty": lambda: responses.connected(Connected(MAILBOX, 0), "state"),
    "wrong-account": lambda: refused(outcome.wrong_account(MAILBOX), retry=True),
    "declined": lambda: refused(Refusal(outcome.Page.DECLINED, _reaction(Actor.OWNER), MAILBOX), retry=True),
    "admin-approval": lambda: refused(
        Refusal(outcome.Page.ADMIN_APPROVAL, _reaction(Actor.TENANT_ADMIN), MAILBOX), approval=True
    ),
    "approved": lambda: responses.approval(given=True),
    "not-approved": lambda: responses.approval(given=False),
    "link-ended": lambda: refused(outcome.link_ended(None)),
    "mailbox-refused": lambda: refused(Refusal(outcome.Page.MAILBOX_REFUSED, _reaction(Actor.TENANT_ADMIN), MAILBOX)),
    "broken": lambda: responses.broken("deadbeef"),
    "broken-known": lambda: refused(outcome.no_refresh_token(MAILBOX)),
}


@dataclass
class Shown:
    """A page in the browser, what it asked for, and what the browser complained of."""

    page: Page
    asked: list[str]
    complaints: list[str]


def show(response: func.HttpResponse, context: BrowserContext) -> Shown:
    page = context.new_page()
    shown = Shown(page, [], [])

    def answer(route: Route) -> None:
        shown.asked.append(route.request.url)
        headers = {**dict(response.headers.items()), "Content-Type": "text/html; charset=utf-8"}
        route.fulfill(status=response.status_code, headers=headers, body=response.get_body().decode())

    page.on("console", lambda message: shown.complaints.append(message.text))
    page.route("**/*", answer)
    page.goto(ADDRESS)
    return shown


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_applies_its_style_and_asks_nobody_for_anything(
    new_context: Callable[..., BrowserContext], name: str
) -> None:
    context = new_context(viewport=PHONE, java_script_enabled=True)
    shown = show(PAGES[name](), context)
    page = shown.page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], "nobody scrolls sideways"
    assert page.evaluate("getComputedStyle(document.querySelector('main')).borderTopWidth") == "4px", (
        "the style applies"
    )
    assert float(page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 16
    assert shown.asked == [ADDRESS]
    assert [each for each in shown.complaints if "status of" not in each] == [], "no policy is violated"
    assert page.locator("h1").count() == 1
    assert page.title().endswith("Ticket Engine")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_all_without_scripts(new_context: Callable[..., BrowserContext], name: str) -> None:
    page = show(PAGES[name](), new_context(viewport=PHONE, java_script_enabled=False)).page
    assert page.locator("script").count() == 0
    assert page.locator("h1").is_visible()
    assert page.locator(".next").first.is_visible()


def test_the_address_for_the_administrator_is_shown_whole_and_copied_by_one_touch(
    new_context: Callable[..., BrowserContext],
) -> None:
    page = show(PAGES["admin-approval"](), new_context(viewport=PHONE)).page
    code = page.locator("code")
    assert code.inner_text() == AUTHORIZE.replace("oauth2/v2.0/authorize", "v2.0/adminconsent")
    code.click()
    assert page.evaluate("getSelection().toString()") == code.inner_text()
