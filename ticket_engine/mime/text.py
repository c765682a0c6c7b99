"""The text of a mail for a reader: text parts unfolded (RFC 3676) and in clean characters, or HTML turned into text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ticket_engine.mime.charsets import Detector, decode
from ticket_engine.mime.html import MAX_HTML, html_to_text
from ticket_engine.mime.structure import Part

# What a table refuses or a terminal obeys; tabs and line ends stay.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202d\u202e]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_QUOTES = re.compile(r">*")
_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}charset=[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_HEAD = 4_096
_SIGNATURE = "-- "


def reader_text(raw: bytes, parts: Iterable[Part], limit: int, detector: Detector | None) -> str:
    """The text of these parts in order, of which at most ``limit`` octets of each text part are read."""
    return tidy("\n\n".join(filter(None, (part_text(raw, part, limit, detector) for part in parts))))


def part_text(raw: bytes, part: Part, limit: int, detector: Detector | None) -> str:
    """The text of a text or HTML part."""
    if part.type == "text/html":
        # Outlook's HTML begins with kilobytes of style.
        return html_to_text(html_source(raw, part, min(limit * 16, MAX_HTML), detector))
    text = decode(part.content(raw, limit), part.charset, detector=detector)
    if part.parameters.get("format", "").lower() == "flowed":
        return unflowed(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    return text


def html_source(raw: bytes, part: Part, limit: int, detector: Detector | None) -> str:
    """The HTML of a part, by its own charset or the one that the HTML names; at most ``limit`` octets are read."""
    content = part.content(raw, limit)
    named = _META_CHARSET.search(content, 0, _HEAD)
    return decode(content, part.charset or (named[1].decode("ascii") if named else None), detector=detector)


def tidy(text: str) -> str:
    """The text without control characters, trailing blanks and rows of blank lines; line ends are line feeds."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = "\n".join(line.rstrip(" \t\xa0") for line in _UNPRINTABLE.sub("", lines).split("\n"))
    return _BLANK_LINES.sub("\n\n", clean).strip("\n ")


def unflowed(text: str, *, delete_space: bool = False) -> str:
    """The paragraphs of format=flowed text, each on one line; quotations keep their ``>`` (RFC 3676, section 4)."""
    paragraphs: list[list[str]] = []
    flowing = False
    depth = 0
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _QUOTES.match(line)
        quotes = match.end() if match else 0
        content = line[quotes:].removeprefix(" ")
        signature = content == _SIGNATURE
        if not (flowing and quotes == depth and not signature):
            paragraphs.append([f"{'>' * quotes} "] if quotes else [])
        flowing = content.endswith(" ") and not signature
        paragraphs[-1].append(content[:-1] if flowing and delete_space else content)
        depth = quotes
    return "\n".join(map("".join, paragraphs))
