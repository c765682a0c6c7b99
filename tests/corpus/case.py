"""A mail of the corpus: its bytes, and what reading it must give, written by hand and not by the parser."""

from __future__ import annotations

import base64
import quopri
from dataclasses import dataclass
from typing import Any

HEADER = (
    "From: Ada Novak <ada@northwind.example>",
    "To: desk@fabrikam.example",
    "Date: Mon, 23 Nov 2026 08:12:40 +0100",
)


@dataclass(frozen=True)
class Case:
    """One mail; ``expected`` names what must come out of it, and says nothing about what it does not name."""

    name: str
    raw: bytes
    expected: dict[str, Any]


def octets(line: str | bytes) -> bytes:
    return line if isinstance(line, bytes) else line.encode()


def plain(*lines: str | bytes, body: str | bytes = b"Hello.\r\n") -> bytes:
    """A mail with the usual From, To and Date, these header lines, and this body."""
    return bare(*HEADER, *lines, body=body)


def bare(*lines: str | bytes, body: str | bytes = b"Hello.\r\n") -> bytes:
    """A mail with these header lines only."""
    return b"\r\n".join([*map(octets, lines), b"", octets(body)])


def b64(data: bytes) -> bytes:
    """Base64 in lines of 76, as a part's content."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def qp(data: bytes) -> bytes:
    """Quoted-printable, as a part's content."""
    return quopri.encodestring(data).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def part(*lines: str | bytes, body: str | bytes) -> bytes:
    """A part of a multipart."""
    return b"\r\n".join([*map(octets, lines), b"", octets(body)])


def multipart(boundary: str, *parts: bytes, closed: bool = True) -> bytes:
    """The body of a multipart."""
    mark = b"--" + boundary.encode()
    end = mark + b"--\r\n" if closed else b""
    return b"".join(mark + b"\r\n" + each + b"\r\n" for each in parts) + end


TEXT = part("Content-Type: text/plain; charset=utf-8", body="Please see the attachment.")
