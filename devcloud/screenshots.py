"""``python -m devcloud.screenshots``: pictures of every page of the console, made in Chromium, for the guides."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from devcloud.cloud import DevCloud
from devcloud.scene import Scene
from ticket_engine.engine import Engine
from ticket_engine.settings import Settings

_FOLDER = Path(__file__).parent.parent / "docs" / "images"
_DESKTOP = {"width": 1280, "height": 800}
_PHONE = {"width": 390, "height": 844}
_COLOURS = 128

Prepare = Callable[[Any], None]


def _tested(page: Any) -> None:
    page.get_by_role("button", name="Test the mailbox").click()
    page.locator("#steps li").nth(5).wait_for()


def _invited(page: Any) -> None:
    page.get_by_role("button", name="Make a consent link").click()
    page.get_by_role("heading", name="Consent link").wait_for()


def _tried(page: Any) -> None:
    page.get_by_role("button", name="Try on recent mails").click()
    page.locator("#trial li").first.wait_for()


def _worked_on(page: Any) -> None:
    page.get_by_role("combobox", name="State").select_option("open")
    page.get_by_role("textbox", name="Note").fill("Called the warehouse: it leaves today.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").wait_for()
    page.goto(page.url.partition("?")[0])


def pictures(scene: Scene) -> dict[str, tuple[str, Prepare | None]]:
    """Each picture's page, and what is done there first."""
    return {
        "overview": ("", None),
        "mailboxes": ("/mailboxes", None),
        "mailbox": ("/mailboxes/support", _tested),
        "consent-link": ("/mailboxes/info", _invited),
        "add-mailbox": ("/mailboxes/add?like=support", None),
        "ticket-types": ("/ticket-types", None),
        "ticket-type": ("/ticket-types/support-shipping", _tried),
        "tickets": ("/tickets", None),
        "ticket": (scene.ticket_path(), _worked_on),
        "quarantine": ("/quarantine", None),
    }


def main() -> int:
    """Make every picture anew."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        print("Chromium is missing: run script/bootstrap.", file=sys.stderr)
        return 1
    console = Console(stderr=True)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with DevCloud(host=True, say=console.print) as cloud, sync_playwright() as playwright:
        cloud.join()
        scene = Scene(cloud, Engine(Settings.from_environment(cloud.environment()), cloud.clock))
        scene.play()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        desktop = _signed_in(browser, cloud, viewport=_DESKTOP)
        for name, (path, prepare) in pictures(scene).items():
            console.print(f"{name}.png")
            _open(desktop, cloud.console_url + path, prepare)
            _save(desktop, name)
        others: dict[str, dict[str, Any]] = {
            "overview-dark": {"viewport": _DESKTOP, "color_scheme": "dark"},
            "overview-phone": {"viewport": _PHONE},
        }
        for name, options in others.items():
            page = _signed_in(browser, cloud, **options)
            _open(page, cloud.console_url, None)
            _save(page, name)
        page = _signed_in(browser, cloud, viewport=_PHONE)
        _open(page, cloud.console_url + scene.ticket_path(), None)
        _save(page, "ticket-phone")
        browser.close()
    return 0


def _signed_in(browser: Any, cloud: DevCloud, **options: Any) -> Any:
    context = browser.new_context(ignore_https_errors=True, locale="en-GB", **options)
    page = context.new_page()
    page.goto(cloud.console_url)
    page.get_by_role("button", name=cloud.operator.upn).click()
    page.wait_for_url(f"{cloud.app_url}/**")
    return page


def _open(page: Any, url: str, prepare: Prepare | None) -> None:
    page.goto(url)
    if prepare is not None:
        prepare(page)
    page.wait_for_load_state("networkidle")
    # Nothing blinks or is focused in a picture.
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def _save(page: Any, name: str) -> None:
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(_FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
