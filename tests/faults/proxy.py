"""A mail server's front that misbehaves on demand: it ends the TLS, reads the client's lines, and passes them on."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
    """Listens on ``port``; ``sessions`` counts the connections. One event loop in a thread serves all of them."""

    def __init__(self, upstream: int, certificates: Any) -> None:
        self._upstream = upstream
        self._inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inner.load_cert_chain(certificates.server_certificate, certificates.server_key)
        self._outer = certificates.context()
        self.rules: list[Rule] = []
        self.sessions = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._inner, limit=2**26)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(timeout=10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening; what is still connected ends with its client."""
        self._loop.call_soon_threadsafe(self._server.close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        with contextlib.suppress(OSError):
            if self._rule(b"(connect)") is None:
                server = await asyncio.open_connection(
                    "127.0.0.1", self._upstream, ssl=self._outer, server_hostname="localhost"
                )
                await self._talk(_Session(reader, writer, *server))
        writer.transport.abort()

    async def _talk(self, session: _Session) -> None:
        down = asyncio.create_task(session.down())
        up = asyncio.create_task(self._up(session))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for each in (up, down):
            each.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        session.server.transport.abort()

    async def _up(self, session: _Session) -> None:
        while (line := await session.lines.readline()) and await self._pass_on(session, line):
            pass

    async def _pass_on(self, session: _Session, line: bytes) -> bool:
        """Do with a client's line what the rules say; False ends the session."""
        rule = None if session.stalled else self._rule(line)
        if rule is None:
            if not session.stalled:
                session.server.write(line)
            return True
        if rule.call is not None:
            await self._loop.run_in_executor(None, rule.call)
        if rule.answer is not None:
            session.client.write(rule.answer.replace(b"TAG", line.split()[0]))
            await session.client.drain()
            return not rule.answer.startswith(b"* BYE")
        session.stalled = rule.stall
        if rule.cut == 0:
            return False
        session.left = rule.cut
        if not rule.stall:
            session.server.write(line)
        return True

    def _rule(self, line: bytes) -> Rule | None:
        for rule in self.rules:
            if rule.times > 0 and re.search(rule.line.encode(), line):
                rule.times -= 1
                return rule
        return None


@dataclass
class _Session:
    """One client's connection and the one behind it; ``left`` are the octets that may still come down."""

    lines: asyncio.StreamReader
    client: asyncio.StreamWriter
    answers: asyncio.StreamReader
    server: asyncio.StreamWriter
    left: int | None = None
    stalled: bool = False

    async def down(self) -> None:
        """Pass the server's octets on."""
        while data := await self.answers.read(65_536):
            if self.left is not None and len(data) >= self.left:
                self.client.write(data[: self.left])
                await self.client.drain()
                return
            if self.left is not None:
                self.left -= len(data)
            self.client.write(data)
            await self.client.drain()
