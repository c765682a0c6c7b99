"""Mail addresses in headers (RFC 5322, section 3.4), as mailers write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from ticket_engine.mime.words import decode_words, one_line

MAX_ADDRESSES = 500
_MAX_ADDRESS = 320
_MAX_NAME = 200
_NAME_PIECES = 8
_SEPARATORS = {",", ";"}
# Quoted strings, escaped characters, comments, what stands in angle brackets, separators, and all else.
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|\\.|\((?:[^()\\]|\\.)*\)|<[^<>]*>|[,;:<"(\\]|[^",;:<(\\]+',
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACE = re.compile(r"\s+")
# Everything but the ASCII letters that a mail address or a host name is made of.
_MAX_LABEL = 63


@dataclass(frozen=True)
class Address:
    """A display name and an address in lower case, its domain in ASCII; either may be empty."""

    name: str
    address: str

    def __str__(self) -> str:
        """The address as people read it."""
        return f"{self.name} <{self.address}>" if self.name and self.address else self.name or self.address


def addresses(values: Iterable[str], *, hint: str | None = None) -> list[Address]:
    """The addresses in these values of a field, whose encoded words are not decoded yet; at most 500.

    Names are decoded only after the values are taken apart, so that no encoded comma or bracket makes an address.
    Groups give their members, semicolons separate like commas, and comments stand in for a missing name.
    """
    found: list[Address] = []
    for value in values:
        each = _split(value, hint)
        if "=?" in value and not any("@" in one.address for one in each):
            # A few mailers encode the address together with the name.
            each = _split(decode_words(value, hint=hint), hint) or each
        found += each
        if len(found) >= MAX_ADDRESSES:
            break
    return found[:MAX_ADDRESSES]


def ascii_domain(domain: str) -> str:
    """The domain as the DNS knows it: labels of other scripts in punycode, so that look-alikes look different."""
    if domain.isascii():
        return domain.lower()
    labels = unicodedata.normalize("NFKC", domain).replace("\u3002", ".").lower().split(".")
    return ".".join(_ascii_label(label) for label in labels)


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    if len(label) > _MAX_LABEL:
        return label.encode("ascii", "replace").decode("ascii")
    return "xn--" + label.encode("punycode", "replace").decode("ascii")


def _split(value: str, hint: str | None) -> list[Address]:
    found: list[Address] = []
    phrase: list[str] = []
    comment = angle = ""
    bare = False  # whether an address stands outside of brackets
    for token in _TOKEN.findall(value):
        if token in _SEPARATORS:
            if token == "," and phrase and not angle and not bare and len(phrase) < _NAME_PIECES:  # noqa: S105 - a comma
                phrase.append(token)  # "Novak, Ada <ada@…>" without the quotes that it needs
            else:
                found += _address(phrase, angle, comment, hint)
                phrase, angle, comment, bare = [], "", "", False
        elif token == ":" and not angle and not bare:  # noqa: S105 - a colon
            phrase = []  # what stood here is the name of a group
        elif token[0] == "<" and len(token) > 1:
            angle = angle or token[1:-1]
        elif token[0] == "(" and len(token) > 1:
            comment = comment or token[1:-1]
        else:
            phrase.append(token)
            bare = bare or ("@" in token and token[0] != '"')
        if len(found) > MAX_ADDRESSES:
            return found
    return found + _address(phrase, angle, comment, hint)


def _address(phrase: list[str], angle: str, comment: str, hint: str | None) -> list[Address]:
    text = "".join(_unquoted(each) for each in phrase).strip()
    if not angle and "@" in text:
        # A bracket that was never closed, or no bracket at all.
        before, bracket, after = text.partition("<")
        name, angle = (before, after) if bracket else (comment, text)
    else:
        name = text or comment
    name = one_line(decode_words(name, hint=hint)).strip("\"'")[:_MAX_NAME]
    address = _normal(angle)
    return [Address("" if name.lower() == address else name, address)] if name or address else []


def _unquoted(token: str) -> str:
    quoted = token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token
    return _ESCAPED.sub(r"\1", quoted)


def _normal(address: str) -> str:
    clean = one_line(address)[:_MAX_ADDRESS].removeprefix("mailto:").strip("<>\"' ")
    local, at, domain = _SPACE.sub("", clean).rpartition("@")
    return f"{local.lower()}{at}{ascii_domain(domain)}"
