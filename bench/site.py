"""The site that benchmarks run in: a devcloud, mailboxes full of mail, and lines to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.mails import mails
from bench.peers import Account
from devcloud.cloud import DevCloud
from devcloud.entra.browser import sent_back_with
from devcloud.ports import free_ports, listens
from devcloud.processes import Process
from ticket_engine.engine import Engine
from ticket_engine.records import Mailbox, TicketType
from ticket_engine.settings import Settings

_PASSWORD = "bench"  # noqa: S105 - of mailboxes that live for minutes


@dataclass(frozen=True)
class Line:
    """A way to the mail server: protocol, round-trip time in milliseconds, whether POP3 announces PIPELINING.

    ``slow_login`` are seconds that each login takes longer.
    """

    protocol: str
    rtt: int = 0
    pipelining: bool = True
    slow_login: float = 0.0

    def __str__(self) -> str:
        """Its name in tables."""
        hidden = "" if self.pipelining else ", no PIPELINING"
        return f"{self.protocol}, {self.rtt} ms{hidden}"


class Site:
    """A devcloud with an application; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._ports: dict[Line, int] = {}
        self._mailboxes = 0

    def __enter__(self) -> Self:
        """Start it."""
        self.cloud = self._stack.enter_context(DevCloud(mail_password=_PASSWORD))
        self.cloud.join()
        self.engine = Engine(Settings.from_environment(self.cloud.environment()), self.cloud.clock)
        self._application = self.cloud.add_application()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it, the lines too."""
        self._stack.close()

    def fill(self, name: str, count: int, seed: int = 1) -> str:
        """An account with so many mails; returns its address."""
        address = self.cloud.add_account(name)
        for each in mails(count, seed):
            self.cloud.mail.deliver(address, each)
        return address

    def account(self, address: str, line: Line) -> Account:
        """What a peer needs to fetch over this line."""
        return Account(address, _PASSWORD, self.port(line), self.cloud.certificates.bundle)

    def port(self, line: Line) -> int:
        """Where a client connects to use this line."""
        server = self.cloud.mail.pop3_port if line.protocol == "POP3" else self.cloud.mail.imap_port
        if line == Line(line.protocol):
            return server
        if line not in self._ports:
            self._ports[line] = self._start_proxy(line, server)
        return self._ports[line]

    def mailbox(self, address: str, line: Line) -> str:
        """A new mailbox of ours, connected by its owner's consent, with a ticket type; returns its id."""
        self._mailboxes += 1
        name = f"bench-{self._mailboxes}"
        mailbox = Mailbox.create(
            id=name,
            name=name,
            type=f"{line.protocol} - OAuth",
            host="localhost",
            port=self.cloud.mail.pop3_port if line.protocol == "POP3" else self.cloud.mail.imap_port,
            username=address,
            tenant_id=self.cloud.tenant.id,
            client_id=self._application.client_id,
            redirect_url=self.cloud.redirect_url,
        )
        stores = self.engine.stores
        stores.mailboxes.add(mailbox)
        stores.vault.store_client_secret(name, self._application.add_secret())
        stores.ticket_types.add(TicketType.create(id=name, name=name, mailbox=name, admin_email="lead@contoso.example"))
        started = self.engine.consent.start(name, self.engine.consent.invite(name).partition("invite=")[2])
        sent_back = sent_back_with(self.cloud.certificates.context(), started.authorize_url, address)
        self.engine.consent.finish(sent_back, {started.cookie_name: started.cookie_value})
        stores.mailboxes.put(Mailbox.create(**{**mailbox.model_dump(), "port": self.port(line)}))
        return name

    def work(self, *arguments: str) -> dict[str, Any]:
        """Run ``python -m bench.worker`` in this cloud and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker", *arguments],
            env={**os.environ, **self.cloud.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the worker ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    def _start_proxy(self, line: Line, server: int) -> int:
        (port,) = free_ports(1)
        command: list[str] = [sys.executable, "-m", "bench.proxy", "--port", str(port), "--to", str(server)]
        command += ["--rtt", str(line.rtt), "--slow-login", str(line.slow_login)]
        if not line.pipelining:
            certificates = self.cloud.certificates
            command += ["--hide-pipelining", "--cert", str(certificates.server_certificate)]
            command += ["--key", str(certificates.server_key), "--ca", str(certificates.bundle)]
        proxy = Process(str(line), _strings(command), self.cloud.folder / "proxy.log")
        self._stack.callback(proxy.stop)
        proxy.wait_until(lambda: listens(port))
        return port


def _strings(command: Sequence[str | Path]) -> list[str]:
    return [str(each) for each in command]
