"""Every page by WCAG 2.2 AA, as far as axe-core can tell, and by keyboard; wide, narrow and dark."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from devcloud.cloud import DevCloud
from devcloud.scene import Scene
from ticket_engine.engine import Engine
from ticket_engine.settings import Settings

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SHAPES: dict[str, Any] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "dark phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
# Each width and each scheme is in the default run once.
LONG = {"desktop", "dark phone"}
PAGES = {
    "overview": "",
    "overview, nothing found": "?q=zzz",
    "mailboxes": "/mailboxes",
    "mailbox": "/mailboxes/support",
    "mailbox that needs action": "/mailboxes/orders",
    "add a mailbox": "/mailboxes/add",
    "add a mailbox like another": "/mailboxes/add?like=support",
    "edit a mailbox": "/mailboxes/support/edit",
    "remove a mailbox": "/mailboxes/info/remove",
    "ticket types": "/ticket-types",
    "ticket type": "/ticket-types/support",
    "add a ticket type": "/ticket-types/add?mailbox=support",
    "tickets": "/tickets",
    "tickets, all filters": "/tickets?state=any&text=order&mailbox=support&since=2026-01-01",
    "tickets, none found": "/tickets?sender=nobody",
    "ticket": "{ticket}",
    "quarantine": "/quarantine",
    "not found": "/nowhere",
}


@pytest.fixture(scope="module")
def scene(cloud: DevCloud) -> Scene:
    played = Scene(cloud, Engine(Settings.from_environment(cloud.environment()), cloud.clock))
    played.play()
    return played


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=[pytest.mark.long] if each in LONG else []) for each in SHAPES],
)
def page(request: pytest.FixtureRequest, cloud: DevCloud, scene: Scene, chromium: Browser) -> Iterator[Page]:
    del scene
    context = chromium.new_context(ignore_https_errors=True, **SHAPES[request.param])
    opened = context.new_page()
    opened.goto(cloud.console_url)
    opened.get_by_role("button", name=cloud.operator.upn).click()
    opened.wait_for_url(f"{cloud.app_url}/**")
    yield opened
    context.close()


def violations(page: Page) -> list[Any]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_is_accessible_and_fits_its_screen(cloud: DevCloud, scene: Scene, page: Page, path: str) -> None:
    page.goto(cloud.console_url + path.replace("{ticket}", scene.ticket_path()))
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"


def test_the_check_itself_sees_a_fault(page: Page) -> None:
    page.set_content("<html><title>x</title><main><h1>x</h1><img src='x'><input></main></html>")
    assert {name for name, _ in violations(page)} >= {"image-alt", "label", "html-has-lang"}


@pytest.fixture
def desktop(signed_in: Callable[..., Page], scene: Scene) -> Page:
    del scene
    return signed_in("operator")


def test_a_form_that_was_refused_is_accessible_and_leads_to_the_field(cloud: DevCloud, desktop: Page) -> None:
    desktop.goto(f"{cloud.console_url}/mailboxes/add")
    for label in ("Name", "Username", "Tenant id"):
        desktop.get_by_label(label, exact=True).fill("a@b.example")
    desktop.get_by_label("Client id").fill("no guid")
    desktop.get_by_label("Tenant id").press("Enter")
    expect(desktop.get_by_role("alert")).to_contain_text("Nothing was saved.")
    assert violations(desktop) == []
    desktop.get_by_role("link", name="Client id").click()
    expect(desktop.get_by_label("Client id")).to_be_focused()


def test_a_keyboard_alone_pauses_a_mailbox(cloud: DevCloud, desktop: Page) -> None:
    def tab_to(name: str) -> None:
        for _ in range(60):
            desktop.keyboard.press("Tab")
            focused = desktop.evaluate("document.activeElement.textContent.trim()")
            if focused == name:
                return
        raise AssertionError(f"{name!r} can't be reached by Tab")

    desktop.goto(cloud.console_url)
    desktop.keyboard.press("Tab")
    assert desktop.evaluate("document.activeElement.textContent") == "Skip to the content"
    desktop.keyboard.press("Enter")
    tab_to("Billing")
    desktop.keyboard.press("Enter")
    desktop.wait_for_url("**/mailboxes/billing")
    tab_to("Pause")
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("status")).to_contain_text("Polling is paused.")


def test_the_live_try_of_rules_comes_while_they_are_written(cloud: DevCloud, desktop: Page) -> None:
    desktop.goto(f"{cloud.console_url}/ticket-types/add?mailbox=support")
    desktop.get_by_label("Match rules").fill("subject contains badge")
    trial = desktop.locator("#trial[aria-live=polite]")
    expect(trial.locator("li", has_text="Badge reader")).to_contain_text("New ←")
    assert violations(desktop) == []


def test_what_has_the_focus_can_be_seen(cloud: DevCloud, desktop: Page) -> None:
    desktop.goto(f"{cloud.console_url}/mailboxes/add")
    for _ in range(25):
        desktop.keyboard.press("Tab")
        outline = desktop.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", desktop.evaluate("document.activeElement.outerHTML")


def test_times_are_in_the_reader_s_zone(cloud: DevCloud, signed_in: Callable[..., Page], scene: Scene) -> None:
    del scene
    for zone, hour in (("Asia/Tokyo", 9), ("America/New_York", -5)):
        page = signed_in("operator", "/mailboxes/support", timezone_id=zone, locale="en-GB")
        moment = page.locator("time").first
        utc = moment.get_attribute("datetime")
        assert utc is not None
        shown = moment.inner_text()
        assert f"{(int(utc[11:13]) + hour) % 24:02}:{utc[14:16]}" in shown
    assert cloud.console_url
