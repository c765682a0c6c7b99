"""A mail server's front that misbehaves on demand: it ends the TLS, reads the client's lines, and passes them on."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FOR_EVER = 10**9


@dataclass
class Rule:
    """What happens when the client sends a line that matches, so many times.

    ``cut`` ends the connection: 0 before the line is passed on, else after so many octets of the answer. ``stall``
    passes nothing on from then on. ``answer`` is sent instead of the server's. ``call`` is called first.
    """

    line: str
    times: int = 1
    cut: int | None = None
    stall: bool = False
    answer: bytes | None = None
    call: Callable[[], Any] | None = None


class MailProxy:
    """Listens on ``port``; ``sessions`` counts the connections."""

    def __init__(self, upstream: int, certificates: Any) -> None:
        self._upstream = upstream
        self._inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inner.load_cert_chain(certificates.server_certificate, certificates.server_key)
        self._outer = certificates.context()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self.rules: list[Rule] = []
        self.seen: list[bytes] = []
        self.sessions = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.sessions += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), raw:
            client = self._inner.wrap_socket(raw, server_side=True)
            if self._rule(b"(connect)") is not None:
                return
            plain = socket.create_connection(("127.0.0.1", self._upstream))
            server = self._outer.wrap_socket(plain, server_hostname="localhost")
            session = _Session(client, server)
            threading.Thread(target=session.down, daemon=True).start()
            for line in client.makefile("rb"):
                self.seen.append(line)
                if not self._pass_on(session, line):
                    break
            session.close()

    def _pass_on(self, session: _Session, line: bytes) -> bool:
        """Do with a client's line what the rules say; False ends the session."""
        if session.stalled:
            return True
        rule = self._rule(line)
        if rule is None:
            session.server.sendall(line)
            return True
        if rule.call is not None:
            rule.call()
        if rule.answer is not None:
            session.client.sendall(rule.answer.replace(b"TAG", line.split()[0]))
            return not rule.answer.startswith(b"* BYE")
        if rule.cut == 0:
            return False
        if rule.stall:
            session.stalled = True
            return True
        session.left = rule.cut
        session.server.sendall(line)
        return True

    def _rule(self, line: bytes) -> Rule | None:
        for rule in self.rules:
            if rule.times > 0 and re.search(rule.line.encode(), line):
                rule.times -= 1
                return rule
        return None


class _Session:
    """One client's connection and the one behind it; ``left`` are the octets that may still come down."""

    def __init__(self, client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
        self.client = client
        self.server = server
        self.left: int | None = None
        self.stalled = False

    def down(self) -> None:
        """Pass the server's octets on."""
        with contextlib.suppress(OSError, ValueError):
            while data := self.server.recv(65_536):
                if self.left is not None and len(data) >= self.left:
                    self.client.sendall(data[: self.left])
                    break
                if self.left is not None:
                    self.left -= len(data)
                self.client.sendall(data)
        self.close()

    def close(self) -> None:
        """End both."""
        for each in (self.client, self.server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                each.close()
