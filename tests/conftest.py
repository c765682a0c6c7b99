"""One cloud for the session, an engine in it, and mailboxes of a test's own."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devcloud.cloud import DevCloud
from devcloud.entra import Application, User
from devcloud.entra.browser import sent_back_with
from ticket_engine.engine import Engine
from ticket_engine.intake.poll import PollResult
from ticket_engine.oauth import scopes
from ticket_engine.oauth.outcome import Connected
from ticket_engine.records import Mailbox, Message, Ticket, TicketType
from ticket_engine.settings import Settings

_numbers = itertools.count(1)


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a run in a shell's background ignores it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cloud() -> Iterator[DevCloud]:
    """Storage, identity, vault and mail server; no functions host."""
    with DevCloud() as running:
        running.join()
        yield running


@pytest.fixture(autouse=True)
def real_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins at the real time, however far the one before has moved the shared cloud's clock."""
    cloud = request.getfixturevalue("cloud") if "cloud" in request.fixturenames else None
    yield
    if cloud is not None:
        cloud.clock.reset()


@pytest.fixture
def engine(cloud: DevCloud) -> Engine:
    """A fresh process's engine: nothing in its memory."""
    return Engine(Settings.from_environment(cloud.environment()), cloud.clock)


@dataclass
class Desk:
    """A mailbox of a test's own, and what people do with it."""

    cloud: DevCloud
    engine: Engine
    application: Application
    user: User
    id: str

    @property
    def mailbox(self) -> Mailbox:
        """The record as it is stored."""
        return self.engine.stores.mailboxes.get(self.id)

    @property
    def address(self) -> str:
        """The mailbox's address."""
        return self.user.upn

    def change(self, **values: Any) -> None:
        """Change the record as an operator does."""
        self.engine.stores.mailboxes.put(Mailbox.create(**{**self.mailbox.model_dump(), **values}))

    def add_ticket_type(self, ticket_type_id: str | None = None) -> TicketType:
        """Give the mailbox a ticket type."""
        ticket_type = TicketType.create(
            id=ticket_type_id or self.id, name="Requests", mailbox=self.id, admin_email="lead@contoso.example"
        )
        self.engine.stores.ticket_types.add(ticket_type)
        return ticket_type

    def connect(self) -> Connected:
        """Consent without a functions host: the same calls that the HTTP functions make."""
        started = self.engine.consent.start(self.id, self.invite())
        parameters = self.cloud_redirect(started.authorize_url)
        return self.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value})

    def invite(self) -> str:
        """A fresh invite's secret part."""
        return self.engine.consent.invite(self.id).partition("invite=")[2]

    def token_by_hand(self, *asked: str) -> str:
        """A refresh token of the mailbox's account, as the manual set-up obtains it: URL, code, token endpoint."""
        application = self.engine.applications.of(self.mailbox)
        permissions = list(asked) or scopes.to_consent(self.mailbox)
        flow = application.initiate_auth_code_flow(permissions, redirect_uri=self.mailbox.redirect_url)
        parameters = self.cloud_redirect(flow["auth_uri"])
        return str(application.acquire_token_by_auth_code_flow(flow, parameters)["refresh_token"])

    def cloud_redirect(self, authorize_url: str, account: str | None = "") -> dict[str, str]:
        """Sign in at the identity platform; the parameters that the browser is sent back with."""
        account = self.address if account == "" else account
        return sent_back_with(self.cloud.certificates.context(), authorize_url, account)

    def deliver(self, *mails: bytes) -> None:
        """Deliver mails."""
        for raw in mails:
            self.cloud.mail.deliver(self.address, raw)

    def poll(self, *, by: Engine | None = None) -> PollResult:
        """Poll the mailbox, with this engine or another instance's."""
        return (by or self.engine).poller.poll(self.id)

    def tickets(self) -> list[Ticket]:
        """The mailbox's tickets, newest first."""
        return list(self.engine.stores.tickets.tickets(self.id))

    def messages(self) -> list[Message]:
        """The mailbox's messages."""
        return list(self.engine.stores.tickets.messages(self.id))


@pytest.fixture
def new_desk(cloud: DevCloud, engine: Engine) -> Callable[..., Desk]:
    """Make mailboxes: record, account, application and client secret, not connected yet."""

    def make(application: Application | None = None, *, ticket_type: bool = True, **values: Any) -> Desk:
        name = f"desk-{next(_numbers)}"
        application = application or cloud.add_application()
        address = cloud.add_account(name)
        user = cloud.entra.directory.user(address)
        assert user is not None
        fields = {
            "id": name,
            "name": f"Desk {name}",
            "host": "localhost",
            "port": cloud.mail.pop3_port,
            "username": address,
            "tenant_id": cloud.tenant.id,
            "client_id": application.client_id,
            "redirect_url": cloud.redirect_url,
        }
        engine.stores.mailboxes.add(Mailbox.create(**{**fields, **values}))
        engine.stores.vault.store_client_secret(name, application.add_secret())
        desk = Desk(cloud, engine, application, user, name)
        if ticket_type:
            desk.add_ticket_type()
        return desk

    return make


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """A connected mailbox with a ticket type."""
    made = new_desk()
    made.connect()
    return made


def mail(number: int, *, subject: str = "", body: str = "", **headers: str) -> bytes:
    """A small mail of our own."""
    lines = {
        "From": "Ada <ada@fabrikam.example>",
        "To": "support@contoso.example",
        "Subject": subject or f"Request {number}",
        "Date": f"Mon, 23 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000",
        "Message-ID": f"<request-{number}@fabrikam.example>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{head}\r\n{body or f'Body of request {number}'}\r\n".encode()


@pytest.fixture(name="mail")
def mail_fixture() -> Callable[..., bytes]:
    """Makes small mails."""
    return mail


def _serve(lines: Callable[[], Any], tls: Any = None) -> Iterator[int]:
    """A server in a thread that talks to each client by this generator: it is sent lines, and yields answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(client: socket.socket) -> None:
        with contextlib.suppress(OSError, StopIteration), client:
            secured = tls.wrap_socket(client, server_side=True) if tls else client
            talker = lines()
            secured.sendall(next(talker))
            for line in secured.makefile("rb"):
                secured.sendall(talker.send(line))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def plain_server() -> Iterator[int]:
    """The port of a POP3 server without TLS."""

    def lines() -> Any:
        line = yield b"+OK ready\r\n"
        while True:
            line = yield b"-ERR " + line[:4] + b"\r\n"

    yield from _serve(lines)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def password_server(cloud: DevCloud) -> Iterator[int]:
    """The port of a POP3 server with TLS that takes passwords only."""

    def lines() -> Any:
        line = yield b"+OK ready\r\n"
        while True:
            capabilities = b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"
            line = yield capabilities if line.upper().startswith(b"CAPA") else b"+OK\r\n"

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cloud.certificates.server_certificate, cloud.certificates.server_key)
    yield from _serve(lines, tls)
