"""Rich text as Outlook compresses it into mails ([MS-OXRTFCP]), and its plain text."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from html import escape

from ticket_engine.mime.charsets import decode
from ticket_engine.mime.html import html_to_text

_MAX_RTF = 512 * 1024
_HEADER = struct.Struct("<II4s4s")
# What every decompressor has in its window before the first octet ([MS-OXRTFCP], section 2.1.2.1).
_WINDOW = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u"
    rb"\tab\tx"
)
_WINDOW_SIZE = 4_096
# A control word with its number, an octet in hexadecimal, another control symbol, a brace, line ends, or text.
_TOKEN = re.compile(r"\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)")
_DESTINATIONS = {
    "*",
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "header",
    "footer",
    "fldinst",
    "themedata",
}
_BREAKS = {"par": "\n", "line": "\n", "row": "\n", "tab": "\t", "cell": " ", "emdash": "—", "endash": "–"}
_BREAKS |= {"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•"}
_SYMBOLS = {"~": "\xa0", "_": "-", "-": ""}
_DEEPEST = 1_000
_MAX_FALLBACKS = 100
_HEAD = 1_000


def decompressed(data: bytes) -> bytes:
    """The RTF in compressed octets, of which at most 1 MiB is made; what is cut off gives what is there."""
    if len(data) < _HEADER.size:
        return b""
    _, size, magic, _ = _HEADER.unpack_from(data)
    if magic == b"MELA":
        return data[_HEADER.size : _HEADER.size + min(size, _MAX_RTF)]
    if magic != b"LZFu":
        return b""
    window = bytearray(_WINDOW.ljust(_WINDOW_SIZE, b"\0"))
    write = len(_WINDOW)
    out = bytearray()
    at, wanted = _HEADER.size, min(size, _MAX_RTF)
    while at < len(data) and len(out) < wanted:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not control >> bit & 1:
                chunk = data[at : at + 1]
                at += 1
            else:
                reference = int.from_bytes(data[at : at + 2])
                at += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write % _WINDOW_SIZE:
                    return bytes(out[:wanted])
                chunk = bytes(_copied(window, offset, length, write))
            for octet in chunk:
                window[write % _WINDOW_SIZE] = octet
                write += 1
            out += chunk
    return bytes(out[:wanted])


def _copied(window: bytearray, offset: int, length: int, write: int) -> bytearray:
    """What a reference names; it may reach into what it writes itself."""
    copied = bytearray()
    for step in range(length):
        position = (offset + step) % _WINDOW_SIZE
        ahead = (position - write) % _WINDOW_SIZE
        copied.append(copied[ahead] if ahead < len(copied) else window[position])
    return copied


@dataclass
class _Group:
    """What holds within a group of braces: hidden text, markup of HTML, and the fallbacks of one character."""

    hidden: bool = False
    markup: bool = False
    fallbacks: int = 1


def rtf_to_text(rtf: bytes) -> str:
    """The text of RTF, or of the HTML that Outlook wrapped into it ([MS-OXRTFEX])."""
    source = rtf[:_MAX_RTF].decode("latin-1")
    reader = _Reader(wrapped="\\fromhtml" in source[:_HEAD])
    for match in _TOKEN.finditer(source):
        word, number, octet, symbol, brace, plain = match.groups()
        if brace:
            reader.brace(brace)
        elif word or symbol == "*":
            reader.control(word or symbol, number)
        elif octet or symbol or plain:
            reader.write(octet, plain or _SYMBOLS.get(symbol, symbol))
    return reader.result()


class _Reader:
    """Writes down the text of RTF, token by token."""

    def __init__(self, *, wrapped: bool) -> None:
        self._wrapped = wrapped
        self._text: list[str] = []
        self._octets = bytearray()
        self._charset = "cp1252"
        self._groups: list[_Group] = []
        self._group = _Group()
        self._skip = 0
        self._suppressed = False

    def brace(self, brace: str) -> None:
        """Begin or end a group."""
        self._skip = 0
        self._flush()
        if brace == "}":
            self._group = self._groups.pop() if self._groups else _Group()
        elif len(self._groups) < _DEEPEST:
            self._groups.append(self._group)
            self._group = replace(self._group)

    def control(self, word: str, number: str | None) -> None:
        """Obey a control word."""
        self._flush()
        if word == "ansicpg" and number:
            self._charset = f"cp{number}"
        elif word == "uc":
            self._group.fallbacks = min(int(number or 1), _MAX_FALLBACKS)
        elif word == "htmlrtf":
            self._suppressed = number != "0"
        elif word == "htmltag" and self._wrapped:
            self._group.hidden, self._group.markup = False, True
        elif word in _DESTINATIONS:
            self._group.hidden = True
        elif word == "u" and number and self._shows:
            self._put(_character(int(number)))
            self._skip = self._group.fallbacks
        elif self._shows:
            self._put(_BREAKS.get(word, ""))

    def write(self, octet: str | None, text: str) -> None:
        """Write an octet of the code page, or text; what only stands in for a character in Unicode is passed over."""
        if not self._shows:
            return
        if self._skip:
            taken = 1 if octet else min(self._skip, len(text))
            self._skip -= taken
            octet, text = None, text[taken:] if text else ""
        if octet:
            self._octets.append(int(octet, 16))
        else:
            self._flush()
            self._put(text)

    def result(self) -> str:
        """The text that was written."""
        self._flush()
        text = "".join(self._text)
        return html_to_text(text) if self._wrapped else text

    @property
    def _shows(self) -> bool:
        return not (self._group.hidden or self._suppressed)

    def _flush(self) -> None:
        # Octets of one character may stand in several tokens.
        if self._octets:
            self._put(decode(bytes(self._octets), self._charset))
            self._octets.clear()

    def _put(self, text: str) -> None:
        self._text.append(escape(text, quote=False) if self._wrapped and not self._group.markup else text)


def _character(number: int) -> str:
    code = number % 0x10000
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)  # noqa: PLR2004 - the surrogates
