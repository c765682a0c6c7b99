"""How fast and how large the console's pages are, with many mailboxes and many tickets in Azurite."""

from __future__ import annotations

import base64
import io
import json
import random
import statistics
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient

from bench.mails import mails
from bench.site import Site
from console.app import create_app
from ticket_engine.engine import Engine
from ticket_engine.records import (
    Listed,
    Mailbox,
    Message,
    MessageKind,
    PollState,
    Segment,
    Ticket,
    TicketState,
    TicketType,
    TokenState,
    days,
    ticket_id,
)
from ticket_engine.store.entities import to_entity
from ticket_engine.store.segments import shelf_of

LIMIT_MS = 100
LIMIT_BYTES = 100 * 1024
_REQUESTS = 100
# What one poll brings is a handful, so the index has many small rows.
_A_POLL = 4
_DAYS = 180
_ARCHIVE = "bench/pages.zip"
_TRANSACTION = 100
_WORDS = ("printer", "invoice", "badge", "delivery", "order", "refund", "password", "export", "pallet", "meeting")


def measure(site: Site, known: Sequence[Ticket], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Ask for each page many times, in tables with these tickets; one line a page, times in milliseconds.

    ``cpu_ms`` is what this process works for a page; the rest of its time is Azurite's, and the machine's other work.
    """
    browser = create_app(lambda: site.engine, {"WEBSITE_AUTH_ENABLED": "True"}).test_client()
    chance = random.Random(2)  # noqa: S311 - which page is asked for
    lines = []
    for name, path in _pages(chance, known).items():
        say(f"Page: {name}")
        lines.append({"page": name, **_timed(browser, path)})
    return lines


def _pages(chance: random.Random, known: Sequence[Ticket]) -> dict[str, Callable[[], str]]:
    def ticket() -> Ticket:
        return chance.choice(known)

    def mailbox() -> str:
        return ticket().ticket_type

    def where() -> str:
        each = ticket()
        return f"{each.ticket_type}/{each.id}"

    return {
        "overview": lambda: "",
        "overview, one page of many": lambda: f"?page={chance.randrange(1, 20)}",
        "mailboxes, searched": lambda: f"/mailboxes?q={chance.randrange(1000)}",
        "mailbox": lambda: f"/mailboxes/{mailbox()}",
        "add a mailbox": lambda: "/mailboxes/add",
        "ticket types": lambda: f"/ticket-types?page={chance.randrange(1, 20)}",
        "ticket type": lambda: f"/ticket-types/{mailbox()}",
        "tickets, newest": lambda: "/tickets",
        "tickets, any state, somewhere": lambda: f"/tickets?state=any&after=a{ticket().id}",
        "tickets of a mailbox": lambda: f"/tickets?state=any&mailbox={mailbox()}",
        "tickets of an assignee": lambda: f"/tickets?assignee=agent{chance.randrange(20)}@contoso.example",
        "ticket": lambda: f"/tickets/{where()}",
        "quarantine": lambda: "/quarantine",
    }


def _timed(browser: FlaskClient, path: Callable[[], str]) -> dict[str, Any]:
    headers = _operator()
    took, worked, sizes = [], [], []
    for number in range(_REQUESTS + 5):
        url = f"/api/console{path()}"
        began, cpu = time.perf_counter(), time.process_time()
        answer = browser.get(url, headers=headers, base_url="https://localhost")
        seconds = time.perf_counter() - began
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"{url} answered {answer.status_code}")
        # The first ones make connections and compile templates.
        if number >= 5:  # noqa: PLR2004 - see above
            took.append(seconds * 1000)
            worked.append((time.process_time() - cpu) * 1000)
            sizes.append(len(answer.data))
    return {
        "median_ms": statistics.median(took),
        "p95_ms": statistics.quantiles(took, n=20)[18],
        "cpu_ms": statistics.median(worked),
        "bytes": max(sizes),
    }


def _operator() -> dict[str, str]:
    claims = [{"typ": "roles", "val": "Operator"}, {"typ": "preferred_username", "val": "bench@contoso.example"}]
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps({"claims": claims}).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": "bench",
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }


def fill(engine: Engine, mailboxes: int, tickets: int) -> list[Ticket]:
    """Write mailboxes and their tickets into the tables, and return some of the tickets."""
    now = engine.clock()
    chance = random.Random(1)  # noqa: S311 - figures for a benchmark
    names = [f"mailbox-{number:04}" for number in range(mailboxes)]
    _write(engine, "Mailboxes", [to_entity(_mailbox(name), "mailbox", name) for name in names])
    _write(engine, "TicketTypes", [to_entity(_ticket_type(name), "ticket-type", name) for name in names])
    for name in names:
        states = [to_entity(_token(now), name, "token"), to_entity(_poll(now, chance), name, "poll")]
        _write(engine, "MailboxStates", states)
    raw = next(iter(mails(1)))
    with io.BytesIO() as archive:
        with zipfile.ZipFile(archive, "w") as bundle:
            bundle.writestr("1.eml", raw)
        engine.stores.archive.put(_ARCHIVE, archive.getvalue())
    known: list[Ticket] = []
    index: list[dict[str, Any]] = []
    for name in names:
        made = list(_tickets(name, tickets // mailboxes, now, chance))
        rows = [row for ticket, message in made for row in _rows(name, ticket, message)]
        _write(engine, "Tickets", rows)
        for page in _batches(made, _A_POLL):
            listed = [Listed.of(ticket, name) for ticket, _ in page]
            segment = Segment.of(name, listed, [message for _, message in page])
            index.append(to_entity(segment, shelf_of(segment), min(each.id for each in listed)))
        known += [ticket for ticket, _ in made[::10]]
    for shelf in {each["PartitionKey"] for each in index}:
        _write(engine, "TicketIndex", [each for each in index if each["PartitionKey"] == shelf])
    return known


def _write(engine: Engine, table: str, rows: list[dict[str, Any]]) -> None:
    client = engine.clients.table(table)
    for part in _batches(rows, _TRANSACTION):
        client.submit_transaction([("upsert", each) for each in part])


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _rows(mailbox: str, ticket: Ticket, message: Message) -> Iterator[dict[str, Any]]:
    yield to_entity(ticket, mailbox, f"T{ticket.id}")
    yield to_entity(message, mailbox, message.key)


def _tickets(mailbox: str, count: int, now: datetime, chance: random.Random) -> Iterator[tuple[Ticket, Message]]:
    # A poll's tickets are a millisecond apart.
    polls = [now - timedelta(seconds=chance.randrange(_DAYS * 86_400)) for _ in range(-(-count // _A_POLL))]
    for number in range(count):
        at = polls[number // _A_POLL] + timedelta(milliseconds=number % _A_POLL)
        # What is older is closed, but for some that were forgotten.
        state = TicketState.NEW if (now - at).days < 5 or chance.random() < 0.005 else TicketState.CLOSED  # noqa: PLR2004
        subject = " ".join(chance.choices(_WORDS, k=6))
        key = f"M{number:020}-{chance.getrandbits(128):032x}"
        sender = f"Person {chance.randrange(5000)} <person@fabrikam.example>"
        ticket = Ticket(
            id=ticket_id(mailbox, at),
            ticket_type=mailbox,
            task="Simple Storage",
            subject=subject,
            sender=sender,
            assignee=f"agent{chance.randrange(20)}@contoso.example",
            created_at=at,
            updated_at=at,
            state=state,
        ).with_messages([key])
        yield ticket, _message(ticket, key, " ".join(chance.choices(_WORDS, k=120)), at)


def _message(ticket: Ticket, key: str, text: str, at: datetime) -> Message:
    return Message(
        key=key,
        ticket=ticket.id,
        kind=MessageKind.PARSED,
        message_id=f"<{key}@fabrikam.example>",
        subject=ticket.subject,
        sender=ticket.sender,
        recipients="support@contoso.example",
        received_at=at,
        size=4_000,
        archive=_ARCHIVE,
        entry="1.eml",
        source_item=key,
        text=text,
    )


def _mailbox(name: str) -> Mailbox:
    return Mailbox.create(
        id=name,
        name=f"Department {name}",
        username=f"{name}@contoso.example",
        tenant_id="contoso.example",
        client_id="11111111-2222-3333-4444-555555555555",
        redirect_url="https://app.example/api/oauth/callback",
    )


def _ticket_type(name: str) -> TicketType:
    return TicketType.create(id=name, name=f"Requests to {name}", mailbox=name, admin_email="lead@contoso.example")


def _token(now: datetime) -> TokenState:
    ends = now + timedelta(days=80)
    return TokenState(connected_at=now, connected_as="x", rotated_at=now, refresh_token_expires_at=ends)


def _poll(now: datetime, chance: random.Random) -> PollState:
    text = ""
    for ago in range(days.DAYS - 1, -1, -1):
        text = days.count(text, now.date() - timedelta(days=ago), chance.randrange(60))
    # An idle checkpoint of a POP3 mailbox with 500 mails.
    checkpoint = bytes(chance.randrange(256) for _ in range(4_000))
    return PollState(last_poll_at=now, last_success_at=now, last_mail_at=now, mails_by_day=text, checkpoint=checkpoint)
