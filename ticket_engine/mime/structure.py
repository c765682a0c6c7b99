"""The tree of parts of a mail (RFC 2046): where each begins and ends in the raw mail, in bounded time and depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ticket_engine.mime.headers import Headers, split
from ticket_engine.mime.parameters import parameters
from ticket_engine.mime.transfer import decoded, decoded_size

MAX_DEPTH = 30
MAX_PARTS = 500
_MAX_BOUNDARY = 1_000
_TYPE = re.compile(r"[!#-'*+.0-9A-Z^-~-]+/[!#-'*+.0-9A-Z^-~-]+", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A part: its type and names in lower case, and the offsets of its body, still encoded, in the raw mail.

    ``section`` is its number as IMAP counts (RFC 9051, section 6.4.5.1): the only part is ``1``, the second part of
    the first is ``1.2``, and a multipart at the top is the empty text.
    """

    section: str
    type: str
    headers: Headers = field(repr=False)
    parameters: dict[str, str]
    disposition: str
    filename: str
    encoding: str
    start: int
    end: int
    children: tuple[Part, ...] = field(default=(), repr=False)

    @property
    def content_id(self) -> str:
        """The Content-ID without its brackets; empty without one."""
        return self.headers.get("content-id").strip("<> ")

    @property
    def charset(self) -> str | None:
        """The declared charset."""
        return self.parameters.get("charset")

    def content(self, raw: bytes, limit: int | None = None) -> bytes:
        """Its decoded content, of which at most ``limit`` octets are wanted."""
        return decoded(raw[self.start : self.end], self.encoding, limit)

    def size(self, raw: bytes) -> int:
        """The octets of its decoded content."""
        return decoded_size(raw[self.start : self.end], self.encoding)

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in the order of the raw mail."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass
class Limits:
    """What the reading of one mail ran into; ``problem`` is empty where everything was read."""

    parts: int = 0
    problem: str = ""


def structure(raw: bytes, headers: Headers, body: int, limits: Limits) -> Part:
    """The tree of parts of the mail whose body begins at ``body``.

    More than 30 levels or 500 parts are not taken apart: what is deeper is one part, what comes later is left out, and
    ``limits`` says so.
    """
    return _part(raw, headers, (body, len(raw)), "", limits, 1, "text/plain")


def _part(
    raw: bytes, headers: Headers, span: tuple[int, int], section: str, limits: Limits, depth: int, default: str
) -> Part:
    limits.parts += 1
    kind, given = _content_type(headers, default)
    disposition, more = parameters(next(iter(headers.undecoded("content-disposition")), ""), hint=headers.hint)
    filename = more.get("filename") or given.get("name") or ""
    encoding = headers.get("content-transfer-encoding").lower().partition(";")[0].strip("\"' ")
    children: tuple[Part, ...] = ()
    if kind.startswith("multipart/"):
        delimited = list(_delimited(raw, given.get("boundary", ""), span))
        if not delimited:
            # Without its delimiters it is what it looks like: text.
            kind, given = "text/plain", {}
        elif depth >= MAX_DEPTH:
            limits.problem = f"The mail has more than {MAX_DEPTH} levels of parts; what is deeper was not taken apart."
        else:
            default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            children = tuple(_children(raw, headers, delimited, section, limits, depth + 1, default))
            encoding = ""
    section = section or ("" if children else "1")
    return Part(section, kind, headers, given, disposition, filename, encoding, *span, children)


def _children(
    raw: bytes, headers: Headers, spans: list[tuple[int, int]], section: str, limits: Limits, depth: int, default: str
) -> Iterator[Part]:
    for number, (start, end) in enumerate(spans, 1):
        if limits.parts >= MAX_PARTS:
            limits.problem = f"The mail has more than {MAX_PARTS} parts; the first {MAX_PARTS} were read."
            return
        stop, body = split(raw, start, end)
        name = f"{section}.{number}" if section else str(number)
        yield _part(raw, Headers(raw[start:stop], detector=headers.detector), (body, end), name, limits, depth, default)


def _content_type(headers: Headers, default: str) -> tuple[str, dict[str, str]]:
    value = next(iter(headers.undecoded("content-type")), "")
    if not value:
        return default, {}
    kind, given = parameters(value, hint=headers.hint)
    # An unreadable type is text (RFC 2045, section 5.2); mailers of old wrote just "text".
    match = _TYPE.match(kind)
    return (match[0] if match else "text/plain"), given


def _delimited(raw: bytes, boundary: str, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The spans between delimiter lines; a part without an end goes to the end of its parent (RFC 2046, 5.1.1)."""
    mark = boundary.encode("utf-8", "surrogateescape").rstrip()
    if not mark or len(mark) > _MAX_BOUNDARY:
        return
    line = re.compile(rb"\n--" + re.escape(mark) + rb"(--)?[ \t]*\r?(?=\n|\Z)")
    start, end = span
    # The line break before a delimiter belongs to it; the body's first line may be one.
    at = max(start - 1, 0) if raw[start - 1 : start] == b"\n" else start
    opened = -1
    count = 0
    while (match := line.search(raw, at, end)) is not None:
        if opened >= 0:
            stop = match.start()
            yield opened, max(opened, stop - 1 if raw[stop - 1 : stop] == b"\r" else stop)
            count += 1
        if match[1] or count > MAX_PARTS:
            return
        opened = min(match.end() + 1, end)
        at = match.end()
    if opened >= 0:
        yield opened, end
