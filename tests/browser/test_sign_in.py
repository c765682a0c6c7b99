"""Who gets in, as whom, and for how long."""

from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from devcloud.cloud import DevCloud
from devcloud.entra.browser import sign_in


@pytest.fixture
def web(cloud: DevCloud) -> httpx.Client:
    return httpx.Client(verify=cloud.certificates.context(), base_url=cloud.app_url, timeout=30)


def test_an_operator_signs_in_and_sees_who_they_are(signed_in: Callable[..., Page]) -> None:
    page = signed_in("operator")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page.locator(".who")).to_contain_text("operator@contoso.example")


def test_the_sign_in_leads_back_to_the_page_that_was_asked_for(cloud: DevCloud, signed_in: Callable[..., Page]) -> None:
    page = signed_in("operator", "/nowhere?a=1")
    assert page.url == f"{cloud.console_url}/nowhere?a=1"
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


def test_someone_without_a_role_is_told_whom_to_ask_and_sees_nothing(signed_in: Callable[..., Page]) -> None:
    page = signed_in("nobody")
    expect(page.get_by_role("heading", level=1)).to_have_text("You have no access to this page")
    expect(page.get_by_text("Enterprise applications")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_signing_out_ends_the_session(cloud: DevCloud, signed_in: Callable[..., Page]) -> None:
    page = signed_in("operator")
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.goto(cloud.console_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Pick an account")


def test_headers_that_a_client_sends_name_nobody(web: httpx.Client) -> None:
    forged = {
        "X-MS-CLIENT-PRINCIPAL-ID": "1",
        "X-MS-CLIENT-PRINCIPAL-NAME": "operator",
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }
    answer = web.get("/api/console", headers=forged)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/.auth/login/aad?")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example"]
)
def test_a_sign_in_never_leads_to_another_site(cloud: DevCloud, web: httpx.Client, elsewhere: str) -> None:
    page = sign_in(
        web, f"/.auth/login/aad?post_login_redirect_uri={quote(elsewhere, safe='')}", f"operator@{cloud.tenant.domain}"
    )
    assert str(page.url).startswith(cloud.app_url)


def test_consent_callback_and_health_need_no_sign_in(web: httpx.Client) -> None:
    assert web.get("/api/health").status_code == 200
    assert web.get("/api/consent/unknown?invite=x").status_code == 404
    assert web.get("/api/oauth/callback?state=x&code=y").status_code == 404


def test_nothing_loads_from_elsewhere(cloud: DevCloud, signed_in: Callable[..., Page]) -> None:
    page = signed_in("operator")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.reload()
    assert requested
    assert all(each.startswith(cloud.app_url) for each in requested)


def test_a_browser_without_script_gets_every_page(cloud: DevCloud, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(cloud.console_url)
    page.get_by_role("button", name="operator@").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_a_sign_in_that_ended_is_asked_for_again_and_nothing_was_changed(
    cloud: DevCloud, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("operator", "/mailboxes/add")
    page.get_by_label("Name", exact=True).fill("Never")
    page.get_by_label("Username").fill("never@contoso.example")
    page.get_by_label("Tenant id").fill(cloud.tenant.id)
    page.get_by_label("Client id").fill(cloud.console.client_id)
    page.context.clear_cookies(name="AppServiceAuthSession")
    page.get_by_role("button", name="Add the mailbox").click()
    page.get_by_role("button", name="operator@").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a mailbox")
    page.goto(f"{cloud.console_url}/mailboxes")
    expect(page.get_by_role("heading", name="No mailbox yet")).to_be_visible()


def test_an_agent_sees_tickets_and_nothing_of_the_operators(cloud: DevCloud, signed_in: Callable[..., Page]) -> None:
    page = signed_in("agent", "/tickets")
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(["Tickets"])
    page.goto(f"{cloud.console_url}/mailboxes")
    expect(page.get_by_role("heading", level=1)).to_have_text("You have no access to this page")
