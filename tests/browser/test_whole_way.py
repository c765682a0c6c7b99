"""The whole way in a browser: from an empty system to a ticket that was read and closed."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from devcloud.cloud import DevCloud
from devcloud.samples import samples


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def application(cloud: DevCloud) -> Any:
    return cloud.add_application()


def close_its_ticket(cloud: DevCloud, address: str, agent: Page) -> None:
    # A mail comes, the timer polls, and an agent reads the ticket and closes it with keys alone.
    cloud.mail.deliver(address, samples()[0].raw)
    cloud.host.fire("mail_poll_timer")
    expect(agent.get_by_role("heading", level=1)).to_have_text("Tickets")
    link_to_ticket = agent.get_by_role("link", name="Badge reader at the north gate")
    until(lambda: bool(agent.reload()) and link_to_ticket.count() == 1)
    agent.keyboard.press("j")
    agent.keyboard.press("Enter")
    expect(agent.frame_locator("iframe").locator("pre").first).to_be_visible()
    agent.keyboard.press("n")
    agent.keyboard.type("The reader was replaced.")
    agent.get_by_role("button", name="Save").click()
    expect(agent.get_by_role("status")).to_have_text("The changes were saved.")
    agent.locator("body").press("c")
    expect(agent.get_by_role("button", name="Reopen")).to_be_visible()
    history = agent.locator(".timeline")
    expect(history).to_contain_text("State: new → closed")
    expect(history).to_contain_text("The reader was replaced.")
    expect(history).to_contain_text("agent@contoso.example")
    agent.keyboard.press("u")
    expect(agent.get_by_role("heading", name="No open ticket")).to_be_visible()


def test_from_an_empty_system_to_a_closed_ticket(
    cloud: DevCloud, application: Any, signed_in: Callable[..., Page], new_context: Callable[..., BrowserContext]
) -> None:
    address = cloud.add_account("support")
    page = signed_in("operator")
    expect(page.get_by_role("heading", name="No mailbox yet")).to_be_visible()

    # Add a mailbox, as the empty page says.
    page.get_by_role("link", name="Add a mailbox").click()
    page.get_by_label("Name", exact=True).fill("Support")
    page.get_by_label("Username").fill(address)
    page.get_by_label("Host").fill("localhost")
    page.get_by_label("Port").fill(str(cloud.mail.pop3_port))
    page.get_by_label("Tenant id").fill(cloud.tenant.id)
    page.get_by_label("Client id").fill(application.client_id)
    expect(page.get_by_label("Redirect URL")).to_have_value(cloud.redirect_url)
    page.get_by_label("Client secret", exact=True).fill(application.client_secret)
    page.get_by_label("Secret ends on").fill("2028-11-24")
    page.get_by_role("button", name="Add the mailbox").click()
    expect(page.get_by_role("status")).to_have_text("The mailbox was added.")
    assert application.client_secret not in page.content()

    # The owner follows the consent link in a browser of their own.
    page.get_by_role("button", name="Make a consent link").click()
    link = page.get_by_role("textbox", name="Consent link").input_value()
    owner = new_context().new_page()
    owner.goto(link)
    owner.get_by_role("button", name=address).click()
    expect(owner.get_by_role("heading", level=1)).to_contain_text("connected")
    page.goto(f"{cloud.console_url}/mailboxes/support")
    expect(page.get_by_text(f"Connected as {address}")).to_be_visible()
    assert link not in page.content()

    # Every step of the test shows as it comes.
    page.get_by_role("button", name="Test the mailbox").click()
    expect(page.locator("#steps li[data-outcome=ok]")).to_have_count(6)
    expect(page.get_by_text("The mailbox holds 0 mails.")).to_be_visible()

    page.get_by_role("link", name="add a ticket type", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Support requests")
    page.get_by_label("Admin email").fill("lead@contoso.example")
    page.get_by_role("button", name="Add the ticket type").click()
    expect(page.get_by_role("status")).to_have_text("The ticket type was added.")
    for entry in ("added", "A client secret was stored", "A consent link was made", "Ticket type support-requests"):
        expect(page.locator(".timeline")).to_contain_text(entry)
    expect(page.locator(".timeline li", has_text="A consent link was made")).to_contain_text("operator@contoso.example")

    close_its_ticket(cloud, address, signed_in("agent"))
