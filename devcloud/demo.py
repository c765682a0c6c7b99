"""``python -m devcloud.demo``: the whole way of a mail, from the consent link to the ticket, on this machine."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from devcloud.cloud import DevCloud
from devcloud.entra.browser import sign_in
from devcloud.processes import ProcessFailedError
from devcloud.samples import samples
from ticket_engine.engine import Engine
from ticket_engine.records import Mailbox, Message, Ticket, TicketType
from ticket_engine.settings import Settings

MAILBOXES = ("support", "billing")
_POLL_SECONDS = 60.0
# Heading: width in characters; the subject takes what the terminal leaves.
_COLUMNS = {"Ticket": 12, "Mailbox": 8, "From": 24, "Subject": None, "Mails": 5, "Assignee": 28, "Notes": 9}


class DemoFailedError(Exception):
    """The demo did not come to its end; the message says where it stopped."""


@dataclass(frozen=True)
class Outcome:
    """What the demo counted."""

    mails: int
    tickets: int
    messages: int

    @property
    def lost(self) -> int:
        """Mails that became no ticket message."""
        return self.mails - self.messages

    def line(self) -> str:
        """The demo's last line."""
        return f"demo: {self.mails} mails, {self.tickets} tickets, {self.messages} messages, {self.lost} lost"


def set_up(cloud: DevCloud, engine: Engine) -> None:
    """Register an application, and add each mailbox with a ticket type, as an operator would."""
    application = cloud.add_application()
    for name in MAILBOXES:
        mailbox = Mailbox.create(
            id=name,
            name=name.capitalize(),
            type="POP3 - OAuth",
            host="localhost",
            port=cloud.mail.pop3_port,
            username=cloud.add_account(name),
            tenant_id=cloud.tenant.id,
            client_id=application.client_id,
            redirect_url=cloud.redirect_url,
        )
        engine.stores.mailboxes.add(mailbox)
        # Every mailbox has a secret of its own, though the application is one.
        engine.stores.vault.store_client_secret(name, application.add_secret())
        ticket_type = TicketType.create(
            id=name,
            task="Simple Storage",
            name=f"{name.capitalize()} requests",
            mailbox=name,
            admin_email=f"{name}-lead@contoso.example",
        )
        engine.stores.ticket_types.add(ticket_type)


def consent(cloud: DevCloud, engine: Engine, name: str) -> None:
    """Follow a mailbox's consent link through the real redirects, as its owner would in a browser."""
    link = engine.consent.invite(name)
    account = engine.stores.mailboxes.get(name).username
    with httpx.Client(verify=cloud.certificates.context(), timeout=60) as browser:
        page = sign_in(browser, link, account)
    if page.status_code != httpx.codes.OK:
        raise DemoFailedError(f"the consent of {account} ended with HTTP {page.status_code}: see {cloud.host.log}")


def deliver(cloud: DevCloud, engine: Engine) -> int:
    """Deliver the samples to every mailbox; returns how many mails that is."""
    for name in MAILBOXES:
        for sample in samples():
            cloud.mail.deliver(engine.stores.mailboxes.get(name).username, sample.raw)
    return len(MAILBOXES) * len(samples())


def poll(cloud: DevCloud, engine: Engine, mails: int) -> Outcome:
    """Fire the timer, and wait until queue and poll have turned every mail into a message."""
    cloud.host.fire("mail_poll_timer")
    deadline = time.monotonic() + _POLL_SECONDS
    while True:
        outcome = count(engine, mails)
        if outcome.lost <= 0 or time.monotonic() > deadline:
            return outcome
        time.sleep(0.2)


def count(engine: Engine, mails: int) -> Outcome:
    """What the tables hold now; tickets are read after messages, which are never there without their ticket."""
    messages = sum(len(list(engine.stores.tickets.messages(name))) for name in MAILBOXES)
    tickets = sum(len(list(engine.stores.tickets.tickets(name))) for name in MAILBOXES)
    return Outcome(mails, tickets, messages)


def table(engine: Engine) -> Table:
    """The tickets of all mailboxes, newest first, with their messages."""
    shown = Table(title="Tickets", title_justify="left", expand=True)
    for heading, width in _COLUMNS.items():
        shown.add_column(heading, min_width=width, max_width=width, ratio=None if width else 1, no_wrap=True)
    for name in MAILBOXES:
        messages: dict[str, list[Message]] = {}
        for message in engine.stores.tickets.messages(name):
            messages.setdefault(message.ticket, []).append(message)
        for ticket in engine.stores.tickets.tickets(name):
            shown.add_row(*_row(name, ticket, messages[ticket.id]))
    return shown


def _row(mailbox: str, ticket: Ticket, messages: Sequence[Message]) -> tuple[str, ...]:
    notes = ["automatic"] if ticket.automatic else []
    files = sum(each.attachments for each in messages)
    if files:
        notes.append("1 file" if files == 1 else f"{files} files")
    notes += sorted({str(each.kind) for each in messages if each.kind != "parsed"})
    return (
        ticket.id,
        mailbox,
        ticket.sender,
        ticket.subject,
        str(ticket.messages),
        ticket.assignee,
        ", ".join(notes),
    )


def story(cloud: DevCloud, say: Callable[[str], None], console: Console) -> Outcome:
    """Play the demo through in a running cloud."""
    engine = Engine(Settings.from_environment(cloud.environment()), cloud.clock)
    say("Adding two mailboxes and a ticket type each")
    set_up(cloud, engine)
    for name in MAILBOXES:
        say(f"Consent: the owner of {name} follows the link and signs in")
        consent(cloud, engine, name)
    say("Delivering the sample mails")
    mails = deliver(cloud, engine)
    say("Timer -> queue -> poll")
    outcome = poll(cloud, engine, mails)
    console.print(table(engine))
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when every mail became a ticket message."""
    parser = argparse.ArgumentParser(prog="script/demo", description="From a consent link to tickets, on this machine.")
    parser.add_argument("--once", action="store_true", help="end when the tickets are shown")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    started = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {line}", highlight=False)

    # SIGTERM ends like Ctrl-C, so that everything is stopped in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with DevCloud(host=True, say=say) as cloud:
            cloud.join()
            outcome = story(cloud, say, console)
            if not options.once:
                _stay(cloud, console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except (DemoFailedError, ProcessFailedError) as error:
        console.print(f"[red]The demo failed:[/red] {error}", highlight=False)
        return 1
    print(outcome.line())
    return 0 if outcome.lost == 0 else 1


def _stay(cloud: DevCloud, console: Console) -> None:
    console.print(
        f"\nThe app's log is {cloud.host.log}. Timers run every 10 minutes. Ctrl-C stops everything.", highlight=False
    )
    console.print(
        f"Open the console and sign in as {cloud.operator.upn} with one click "
        "(the browser asks about devcloud's own certificate first):"
    )
    console.print(f"\n  {cloud.console_url}\n", highlight=False, style="bold")
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
