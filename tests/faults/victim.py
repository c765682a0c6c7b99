"""A worker process that polls once and dies on demand before or after any of its I/O calls.

It reads one JSON line a poll (mailbox, point, when, page, offset) and answers with one: every I/O call that the poll
made, in order, and how it ended. Each poll is a fork of this process, so that none pays for the imports again.
The calls are found where they leave the process: HTTP requests, commands to the mail server, and connections to it.
"""

from __future__ import annotations

import imaplib
import json
import logging
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from ticket_engine.engine import Engine
from ticket_engine.intake import ingest
from ticket_engine.mail import imap, pop3
from ticket_engine.settings import Settings

DIED = 9
_SERVICES = {
    "STORAGE_TABLES_URL": "table",
    "STORAGE_BLOBS_URL": "blob",
    "KEY_VAULT_URL": "vault",
    "AZURE_AUTHORITY_HOST": "token",
    "IDENTITY_ENDPOINT": "identity",
}
_COMMAND = re.compile(rb"(?:[A-Z]{4}\d+ )?((?:UID )?[A-Z]{3,12})\b")


class Points:
    """Names and counts the I/O calls, and ends the process at one of them."""

    def __init__(self, fatal: str, when: str, report: int) -> None:
        self._fatal = fatal
        self._when = when
        self._report = report
        self._seen: Counter[str] = Counter()

    def passed(self, name: str, call: Callable[[], Any]) -> Any:
        """Make an I/O call, unless the process dies before it."""
        self._seen[name] += 1
        point = f"{name} #{self._seen[name]}"
        os.write(self._report, f"{point}\n".encode())
        if point == self._fatal and self._when == "before":
            os._exit(DIED)
        answer = call()
        if point == self._fatal and self._when == "after":
            os._exit(DIED)
        return answer

    def watch(self) -> None:
        """Stand between the process and everything outside it."""
        services = {os.environ[name]: kind for name, kind in _SERVICES.items()}
        send, pop3_send, imap_send = requests.Session.send, pop3.Pop3Connection.send, imaplib.IMAP4.send
        connect = socket.create_connection

        def http(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
            url = str(request.url)
            base, kind = next(((base, kind) for base, kind in services.items() if url.startswith(base)), ("", "other"))
            # The token endpoint's address begins with the tenant, which is another one in each run.
            what = "" if kind == "token" else re.split(r"[(/?]", url.removeprefix(base).strip("/"))[0]
            return self.passed(f"{kind} {request.method} {what}".strip(), lambda: send(session, request, **options))

        def command(lines: bytes) -> str:
            match = _COMMAND.match(lines)
            return match[1].decode() if match else "token"

        def to_pop3(connection: pop3.Pop3Connection, *lines: bytes) -> None:
            self.passed(f"pop3 {command(lines[0])}", lambda: pop3_send(connection, *lines))

        def to_imap(connection: imaplib.IMAP4, data: bytes) -> None:
            self.passed(f"imap {command(data)}", lambda: imap_send(connection, data))

        def to_server(*arguments: Any, **options: Any) -> socket.socket:
            found: socket.socket = self.passed("mail connect", lambda: connect(*arguments, **options))
            return found

        requests.Session.send = http  # type: ignore[assignment]
        pop3.Pop3Connection.send = to_pop3  # type: ignore[method-assign, assignment]
        imaplib.IMAP4.send = to_imap  # type: ignore[method-assign, assignment]
        socket.create_connection = to_server


def poll(order: dict[str, Any], report: int) -> int:
    """Poll one mailbox; 0 when it went well, 1 when the poll says that it failed."""
    offset = timedelta(seconds=order["offset"])
    engine = Engine(Settings.from_environment(), lambda: datetime.now(UTC) + offset)
    ingest.PAGE_MESSAGES = order["page"]
    imap.FETCH_SET = order["page"]
    Points(order["point"], order["when"], report).watch()
    result = engine.poller.poll(order["mailbox"])
    return 1 if result.failure is not None or result.skipped else 0


def main() -> None:
    """Serve polls until the input ends."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            code = 2
            try:
                code = poll(json.loads(line), writing)
            finally:
                os._exit(code)
        os.close(writing)
        with os.fdopen(reading) as report:
            points = report.read().splitlines()
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "points": points}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
