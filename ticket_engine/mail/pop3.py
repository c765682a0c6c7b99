"""A POP3 client over TLS (RFC 1939, RFC 2449) with XOAUTH2 and, where announced, pipelining."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from ticket_engine.mail import answers, sasl, tls
from ticket_engine.mail.source import Fetched, Item, Position
from ticket_engine.records import AfterIngest

if TYPE_CHECKING:
    from types import TracebackType

    from ticket_engine.records import Mailbox

_log = logging.getLogger("ticket_engine.mail")

# Logins at Exchange Online take seconds; a server that is silent for this long is gone.
TIMEOUT = 60.0
# Commands sent ahead of their answers where the server announces PIPELINING.
WINDOW = 100
_CHUNK = 256 * 1024
_END = b"\r\n.\r\n"


class Refused(Exception):  # noqa: N818 - named after the protocol's -ERR
    """The server answered a command with -ERR; the text is its own."""


class Pop3Connection:
    """The wire: commands out, answers in. Raises OSError when the connection fails, Refused on -ERR."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        raw = socket.create_connection((host, port), timeout=timeout)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = tls.context().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        self._buffer = bytearray()
        self.greeting = self.answer()

    def send(self, *lines: bytes) -> None:
        """Send command lines in one write."""
        self._socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def answer(self) -> str:
        """The text of a +OK, or of a continuation (``+ ``)."""
        line = self._line()
        if line.startswith(b"+"):
            return line.partition(b" ")[2].decode("utf-8", "replace")
        raise Refused(line.removeprefix(b"-ERR").strip().decode("utf-8", "replace"))

    def end_of_login(self) -> None:
        """Read the answer to the login's last line.

        Dovecot and Gmail explain a refusal in a challenge first; an empty answer to it makes them say -ERR.
        """
        line = self._line()
        if line.startswith(b"+ "):
            self.send(b"")
            line = self._line()
        if not line.startswith(b"+OK"):
            raise Refused(line.removeprefix(b"-ERR").strip().decode("utf-8", "replace"))

    def command(self, line: str) -> str:
        """Send one command and return the text of its +OK."""
        self.send(line.encode())
        return self.answer()

    def lines(self, line: str) -> list[bytes]:
        """Send one command with a multi-line answer; the lines without their dots and line ends."""
        self.command(line)
        return self.content().splitlines()

    def content(self) -> bytes:
        """A multi-line answer after its +OK, with dots unstuffed (RFC 1939, section 3)."""
        buffer = self._buffer
        while len(buffer) < len(b".\r\n"):
            self._receive()
        if buffer.startswith(b".\r\n"):
            del buffer[:3]
            return b""
        searched = 0
        while (end := buffer.find(_END, searched)) < 0:
            searched = max(0, len(buffer) - len(_END) + 1)
            self._receive()
        content = bytes(memoryview(buffer)[: end + 2])
        del buffer[: end + len(_END)]
        if b"\n.." in content:
            content = content.replace(b"\r\n..", b"\r\n.")
        return content[1:] if content.startswith(b"..") else content

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._receive()
        line = bytes(memoryview(self._buffer)[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    def _receive(self) -> None:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._buffer += data


class Pop3Source:
    """A logged-in POP3 session; see MailSource. Deletions are the server's at QUIT (RFC 1939, section 6)."""

    settles_at_end = True
    renumbers = True
    validity = 0

    def __init__(self, mailbox: Mailbox, connection: Pop3Connection, window: int, count: int) -> None:
        self._mailbox = mailbox
        self._connection = connection
        self._window = window
        self._count = count

    @classmethod
    def open(cls, mailbox: Mailbox, access_token: str) -> Self:
        """Connect, log in, and prove with STAT that the mailbox is open.

        Exchange Online can accept AUTH although the token is another account's; only the next command fails.

        Raises:
            MailLoginError: the server refused the login.
            MailServerError: the server can't be reached, or broke off.
        """
        try:
            connection = Pop3Connection(mailbox.host, mailbox.port, TIMEOUT)
        except OSError as error:
            raise answers.unreachable(mailbox, error) from error
        except Refused as error:
            raise answers.broken_off(mailbox, str(error)) from error
        try:
            window = WINDOW if b"PIPELINING" in _capabilities(connection) else 1
            _log_in(connection, mailbox.username, access_token)
            count = int(connection.command("STAT").split()[0])
        except (Refused, ValueError, IndexError) as error:
            connection.close()
            _log.warning("login refused, the server said: %s", error, extra={"mailbox": mailbox.id})
            raise answers.refused_login(mailbox, str(error)) from error
        except OSError as error:
            connection.close()
            raise answers.broken_off(mailbox, str(error)) from error
        return cls(mailbox, connection, window, count)

    def __enter__(self) -> Self:
        """Use the session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drop the connection; without QUIT nothing is deleted."""
        self._connection.close()

    def finish(self) -> None:
        """QUIT, which is what makes deletions final."""
        with self._broken_off():
            self._connection.command("QUIT")

    def count(self) -> int:
        """How many mails STAT said at the login."""
        return self._count

    def items(self, position: Position | None = None) -> list[Item]:
        """Every mail by UIDL with its size; neither order nor numbers are promised between sessions."""
        del position
        with self._broken_off():
            sizes, listed = (self._pairs(answer) for answer in self._answers([b"LIST", b"UIDL"]))
        return [
            Item(id=uidl.decode("utf-8", "backslashreplace"), number=number, size=int(sizes.get(number, b"0")))
            for number, uidl in sorted(listed.items())
        ]

    def _pairs(self, answer: str | Refused) -> dict[int, bytes]:
        if isinstance(answer, Refused):
            raise answer
        return dict(_pair(line) for line in self._connection.content().splitlines())

    def fetch(self, items: Sequence[Item]) -> Iterator[Fetched]:
        """RETR each mail, in windows of pipelined commands where the server announced that."""
        answered = self._answers([b"RETR %d" % item.number for item in items])
        for item in items:
            with self._broken_off():
                answer = next(answered)
                if isinstance(answer, Refused):
                    self._raise_if_not_its_own(answer)
                    fetched = Fetched(item, None, str(answer))
                else:
                    fetched = Fetched(item, self._connection.content())
            yield fetched

    def headers(self, item: Item) -> bytes:
        """A mail's header section (TOP with no body line)."""
        with self._broken_off():
            self._connection.command(f"TOP {item.number} 0")
            return self._connection.content()

    def settle(self, items: Sequence[Item], after: AfterIngest) -> None:
        """DELE each mail where it is to be deleted; the server does it at QUIT."""
        if after is not AfterIngest.DELETE:
            return
        with self._broken_off():
            for _ in self._answers([b"DELE %d" % item.number for item in items]):
                # A mail that is gone already is what was wanted.
                pass

    def _answers(self, commands: Sequence[bytes]) -> Iterator[str | Refused]:
        """Send commands and yield each one's answer, in windows where the server announced pipelining.

        Whoever takes a +OK of a multi-line answer reads the content before the next one.
        """
        waiting = deque(commands)
        sent = 0
        while waiting or sent:
            if waiting and sent <= self._window // 2:
                ahead = [waiting.popleft() for _ in range(min(len(waiting), self._window - sent))]
                self._connection.send(*ahead)
                sent += len(ahead)
            sent -= 1
            try:
                yield self._connection.answer()
            except Refused as error:
                yield error

    @staticmethod
    def _raise_if_not_its_own(error: Refused) -> None:
        if answers.of_the_session(str(error)):
            raise error

    @contextlib.contextmanager
    def _broken_off(self) -> Iterator[None]:
        try:
            yield
        except (OSError, Refused, ValueError, IndexError) as error:
            raise answers.broken_off(self._mailbox, str(error)) from error


def _pair(line: bytes) -> tuple[int, bytes]:
    number, _, value = line.partition(b" ")
    return int(number), value.split(b" ")[0]


def _capabilities(connection: Pop3Connection) -> list[bytes]:
    try:
        return [line.upper() for line in connection.lines("CAPA")]
    except Refused:
        return []


def _log_in(connection: Pop3Connection, username: str, access_token: str) -> None:
    # Two lines: Exchange Online ends the connection when the blob comes with the command.
    connection.command("AUTH XOAUTH2")
    connection.send(sasl.xoauth2(username, access_token))
    connection.end_of_login()
