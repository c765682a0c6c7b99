"""Hostile mail in a real browser: it runs nothing, calls nowhere, and does not leave its frame."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from devcloud.cloud import DevCloud
from devcloud.scene import Scene
from ticket_engine.engine import Engine
from ticket_engine.settings import Settings

MARK = "https://evil.invalid"
# What the sanitizer must take out, and, should it ever fail, what the frame and its policy must stop by themselves.
BODY = f"""
<meta http-equiv="refresh" content="0;url={MARK}/refresh">
<script>document.title = "owned"; parent.document.title = "owned"; fetch("{MARK}/script")</script>
<img src="x" onerror="fetch('{MARK}/onerror')"><svg onload="fetch('{MARK}/svg')"><image href="{MARK}/svg-image"/></svg>
<link rel="stylesheet" href="{MARK}/css">
<style>@import "{MARK}/import"; body {{ background: url({MARK}/background) }}</style>
<div style="background-image: url({MARK}/style); position: fixed; inset: 0">Dear colleague</div>
<img src="{MARK}/pixel.png"><iframe src="{MARK}/frame"></iframe><object data="{MARK}/object"></object>
<video src="{MARK}/video" autoplay></video><form action="{MARK}/form"><button>Go</button></form>
<a href="javascript:fetch('{MARK}/link')">press</a><base href="{MARK}/">
<a href="{MARK}/top" target="_top">leave</a>
"""


def mail(subject: str) -> bytes:
    head = (
        f"From: m@evil.invalid\r\nTo: support@contoso.example\r\nSubject: {subject}\r\nMessage-ID: <{subject}@evil>\r\n"
    )
    return f"{head}MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{BODY}".encode()


@pytest.fixture(scope="module")
def path(cloud: DevCloud) -> str:
    engine = Engine(Settings.from_environment(cloud.environment()), cloud.clock)
    scene = Scene(cloud, engine)
    scene.add("support")
    scene.connect("support")
    scene.deliver("support", mail("hostile"))
    engine.poller.poll("support")
    (ticket,) = engine.stores.tickets.tickets("support")
    return f"/tickets/support/{ticket.id}"


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def page(cloud: DevCloud, path: str, signed_in: Callable[..., Page], log: list[str]) -> Page:
    opened = signed_in("agent")
    opened.context.on("request", lambda request: log.append(request.url))
    opened.goto(cloud.console_url + path)
    return opened


def frame_of(page: Page) -> Any:
    return page.frame(name="mail-1")


def test_it_runs_nothing_and_calls_nowhere(cloud: DevCloud, page: Page, log: list[str]) -> None:
    frame = page.frame_locator("iframe[name=mail-1]")
    expect(frame.get_by_text("Dear colleague")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert log
    assert [each for each in log if not each.startswith(cloud.app_url)] == []
    assert page.title() == "hostile - Ticket Engine"
    assert frame.locator("script, form, iframe, object, svg, meta[http-equiv], link").count() == 0


def test_the_frame_has_no_origin_and_no_scripts(page: Page) -> None:
    sandbox = page.locator("iframe[name=mail-1]").get_attribute("sandbox")
    assert sandbox == "allow-popups allow-popups-to-escape-sandbox"
    page.wait_for_load_state("networkidle")
    assert frame_of(page).evaluate("self.origin") == "null"


def test_were_the_sanitizer_to_fail_the_frame_alone_would_stop_it(
    cloud: DevCloud, page: Page, path: str, log: list[str]
) -> None:
    # The document as the console serves it, with the mail's own HTML put back into it unsanitized.
    def unsanitized(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("<main>", f"<main>{BODY}"))

    # The browser announces what a policy then blocks; what is not blocked arrives here.
    reached: list[str] = []

    def arrived(route: Any) -> None:
        reached.append(route.request.url)
        route.abort()

    page.context.route(f"{MARK}/**", arrived)
    page.route("**/page", unsanitized)
    log.clear()
    page.goto(cloud.console_url + path)
    expect(page.frame_locator("iframe[name=mail-1]").get_by_text("Dear colleague").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert any(each.startswith(MARK) for each in log), "the mail did not even try"
    assert reached == []
    assert page.title() == "hostile - Ticket Engine"


def test_a_remote_image_is_loaded_when_the_reader_asks_for_it(page: Page, log: list[str]) -> None:
    page.context.route(f"{MARK}/**", lambda route: route.fulfill(status=404))
    page.get_by_role("link", name="Load remote images").click()
    page.wait_for_load_state("networkidle")
    assert [each for each in log if each.startswith(MARK)] == [f"{MARK}/pixel.png"]


def test_the_mail_alone_in_a_tab_is_in_the_sandbox_too(cloud: DevCloud, page: Page, log: list[str]) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open alone").click()
    alone = opened.value
    alone.wait_for_load_state("networkidle")
    assert alone.evaluate("self.origin") == "null"
    assert [each for each in log if not each.startswith(cloud.app_url)] == []
