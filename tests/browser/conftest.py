"""A cloud with the console in it, Debian's Chromium, and people who sign in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from devcloud.cloud import DevCloud

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; every test opens contexts of its own in it.

    It ends with the file, because while it runs no other event loop may run in this thread.
    """
    program = shutil.which("chromium")
    assert program, "Chromium is missing: run script/bootstrap"
    with sync_playwright() as playwright:
        # As root, which a container often is, Chromium can't use its own sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def cloud() -> Iterator[DevCloud]:
    """An empty system with the functions host, for this file alone."""
    with DevCloud(host=True) as running:
        running.join()
        running.add_person("nobody")
        yield running


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens browser contexts: other people's browsers."""
    opened: list[BrowserContext] = []

    def open_context(**options: Any) -> BrowserContext:
        context = chromium.new_context(**{"ignore_https_errors": True, "viewport": DESKTOP, **options})
        context.set_default_timeout(15_000)
        opened.append(context)
        return context

    yield open_context
    for each in opened:
        each.close()


@pytest.fixture
def signed_in(cloud: DevCloud, new_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Opens a page of the console as someone: the first address goes through the sign-in."""

    def open_page(person: str, path: str = "", **options: Any) -> Page:
        page = new_context(**options).new_page()
        page.goto(cloud.console_url + path)
        page.get_by_role("button", name=f"{person}@{cloud.tenant.domain}").click()
        page.wait_for_url(f"{cloud.app_url}/**")
        return page

    return open_page
