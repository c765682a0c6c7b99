"""Encoded words in headers (RFC 2047), as mailers write them and not only as they should; and text safe to show."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from ticket_engine.mime.charsets import decode
from ticket_engine.mime.transfer import from_base64

_SPACE = re.compile(r"\s+")
# Control characters, what turns the reading direction, and what Unicode says is no character: none belongs in one line
# of text, and a table refuses a lone surrogate.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_DIRECTION = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
_LONGEST_CHARSET = 60


@dataclass(frozen=True)
class _Word:
    charset: str
    data: bytes


def one_line(text: str) -> str:
    """The text as one line that is safe to show and to store: no control or direction characters, single blanks."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return _SPACE.sub(" ", _DIRECTION.sub("", _UNPRINTABLE.sub(" ", text))).strip()


def decode_words(value: str, *, hint: str | None = None) -> str:
    """The text of a header's value: encoded words decoded, all else as it stands.

    Words of one charset are decoded together, because mailers cut characters in two. A word without its end, with
    blanks inside, with broken base64 or without padding is read as far as it goes.
    """
    if "=?" not in value:
        return value
    text: list[str] = []
    pending: list[_Word] = []
    at = 0
    while (start := value.find("=?", at)) >= 0:
        word, end = _word(value, start)
        between = value[at:start]
        if word is None:
            text += [_joined(pending, hint), between, value[start:end]]
            pending = []
        else:
            # Blanks between two words are none of the text (section 6.2).
            if not pending or between.strip():
                text += [_joined(pending, hint), between]
                pending = []
            elif pending[-1].charset != word.charset:
                text.append(_joined(pending, hint))
                pending = []
            pending.append(word)
        at = end
    return "".join([*text, _joined(pending, hint), value[at:]])


def _joined(words: list[_Word], hint: str | None) -> str:
    return decode(b"".join(word.data for word in words), words[0].charset, hint=hint) if words else ""


def _word(value: str, start: int) -> tuple[_Word | None, int]:
    """The word at ``start`` and where it ends; None and the place to go on where there is none."""
    mark = value.find("?", start + 2, start + 2 + _LONGEST_CHARSET)
    charset = value[start + 2 : mark]
    encoding = value[mark + 1 : mark + 2].lower()
    if mark < 0 or not charset or " " in charset or encoding not in {"b", "q"} or value[mark + 2 : mark + 3] != "?":
        return None, start + 2
    begin = mark + 3
    # Of two words the first may lack its end. A "=" before the end is padding, and begins no other word.
    following = value.find("=?", begin)
    end = value.find("?=", begin, following + 3 if following >= 0 else None)
    if end < 0 <= following:
        stop = after = following
    elif end < 0:
        stop = after = len(value)
    else:
        stop, after = end, end + 2
    payload = value[begin:stop].encode("utf-8", "surrogateescape")
    if encoding == "b":
        return _Word(charset.partition("*")[0].lower(), from_base64(payload)), after
    return _Word(charset.partition("*")[0].lower(), binascii.a2b_qp(payload, header=True)), after
