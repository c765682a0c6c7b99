"""The header section of a mail: its fields, unfolded and decoded (RFC 5322, section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ticket_engine.mime.charsets import Detector, decode
from ticket_engine.mime.words import decode_words, one_line

# A header section of megabytes is an attack or an accident; what follows is still in the raw mail.
MAX_HEADER = 1024**2
MAX_FIELDS = 2_000
# What is decoded of one value: a thousand recipients fit.
MAX_VALUE = 64 * 1024
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
# A field's name is printable and has no blank (RFC 5322, section 2.2); a few mailers put one before the colon.
# A header begins with a field, or with the envelope that an mbox file puts above it.
_BEGINS = re.compile(rb"[!-9;-~]{1,998}[ \t]{0,998}:|>?From ")
_NAME = re.compile(rb"[!-9;-~]+[ \t]*\Z")


def split(raw: bytes, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Where the header section between two offsets ends, and where the body begins, whatever the line ends.

    What doesn't begin like a header has none, and is all body.
    """
    stop = len(raw) if end is None else end
    for blank in (b"\n", b"\r\n"):
        if raw.startswith(blank, start, stop):
            return start, start + len(blank)
    if not _BEGINS.match(raw, start, stop):
        return start, start
    match = _BLANK_LINE.search(raw, start, stop)
    return (match.start(), match.end()) if match else (stop, stop)


class Headers:
    """The fields of a header section, by name in whatever case, decoded when asked for.

    Raw 8-bit values that are not UTF-8 have the charset that ``hinted`` gives, or what ``detector`` takes them for.
    """

    def __init__(self, section: bytes, *, detector: Detector | None = None) -> None:
        self._fields: dict[str, list[bytes]] = {}
        self._hint: str | None = None
        self.detector = detector
        self.complete = len(section) <= MAX_HEADER
        count = 0
        for line in _FOLD.sub(b" ", section[:MAX_HEADER]).splitlines():
            name, colon, value = line.partition(b":")
            if colon and _NAME.match(name):
                count += 1
                if count > MAX_FIELDS:
                    self.complete = False
                    break
                self._fields.setdefault(name.rstrip().decode("ascii").lower(), []).append(value.strip())

    def __bool__(self) -> bool:
        return bool(self._fields)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def hinted(self, charset: str | None) -> Headers:
        """These fields, with a charset for raw 8-bit values."""
        self._hint = charset
        return self

    @property
    def hint(self) -> str | None:
        """The charset of raw 8-bit values that are not UTF-8."""
        return self._hint

    def raw(self, name: str) -> bytes:
        """The first value of a field as it stands, unfolded; empty without one."""
        return self._fields.get(name.lower(), [b""])[0]

    def undecoded(self, name: str) -> list[str]:
        """Every value of a field as text, its encoded words left alone (structured fields are taken apart first)."""
        return [
            decode(value[:MAX_VALUE], hint=self._hint, detector=self.detector)
            for value in self._fields.get(name.lower(), ())
        ]

    def all(self, name: str) -> list[str]:
        """Every value of a field, decoded, as one line each."""
        return [one_line(decode_words(value, hint=self._hint)) for value in self.undecoded(name)]

    def get(self, name: str) -> str:
        """The first value of a field, decoded, as one line; empty without one."""
        value = self.raw(name)[:MAX_VALUE]
        if not value:
            return ""
        return one_line(decode_words(decode(value, hint=self._hint, detector=self.detector), hint=self._hint))

    def count(self, name: str) -> int:
        """How often a field is there."""
        return len(self._fields.get(name.lower(), ()))
