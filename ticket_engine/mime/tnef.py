"""TNEF, the container that Outlook sends as winmail.dat ([MS-OXTNEF]): its text and its attachments."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ticket_engine.mime.charsets import decode
from ticket_engine.mime.html import html_to_text
from ticket_engine.mime.rtf import decompressed, rtf_to_text
from ticket_engine.mime.words import one_line

TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
_SIGNATURE = b"\x78\x9f\x3e\x22"
_MAX_ATTACHMENTS = 500
_MAX_ATTRIBUTES = 10_000
_MAX_PROPERTIES = 10_000
_MAX_TEXT = 1024**2
_BODY, _MESSAGE_PROPERTIES, _CODE_PAGE = 0x0002800C, 0x00069003, 0x00069007
_ATTACHMENT_BEGINS, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
# MAPI properties ([MS-OXPROPS]) and the octets of their types of fixed size, padded to four.
_TEXT, _RTF, _HTML = 0x1000, 0x1009, 0x1013
_CONTENT, _SHORT_NAME, _LONG_NAME, _MEDIA_TYPE, _CONTENT_ID = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_STRING, _UNICODE, _BINARY, _OBJECT = 30, 31, 258, 13
_MANY, _NAMED = 0x1000, 0x8000
_IID = 16


# What a type may be, so that it can stand in a header.
_TYPE = re.compile(r"[a-z0-9.+-]{1,80}/[a-z0-9.+-]{1,80}")


class TnefError(ValueError):
    """The octets are no TNEF container, or end in the middle of one."""


@dataclass(frozen=True)
class TnefAttachment:
    """An attachment inside of a container; its name and type are as they stand there."""

    name: str
    type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True)
class Tnef:
    """What a container holds; ``text`` comes from its plain text, its HTML or its RTF."""

    text: str
    attachments: tuple[TnefAttachment, ...]


def read_tnef(data: bytes) -> Tnef:
    """Take a container apart.

    Raises:
        TnefError: it is none, or it ends too early.
    """
    if not data.startswith(_SIGNATURE):
        raise TnefError("The attachment is named like an Outlook container and is none.")
    try:
        return _unpacked(data)
    except (struct.error, IndexError) as error:
        raise TnefError("The Outlook container is cut off or damaged.") from error


def _unpacked(data: bytes) -> Tnef:
    charset = "windows-1252"
    message: dict[int, bytes] = {}
    found: list[dict[int, bytes]] = []
    for tag, value in _attributes(data):
        if tag == _CODE_PAGE:
            charset = f"cp{struct.unpack_from('<I', value)[0]}"
        elif tag == _BODY:
            message.setdefault(_TEXT, _utf8(value, charset))
        elif tag == _MESSAGE_PROPERTIES:
            message |= _properties(value, charset)
        elif tag == _ATTACHMENT_BEGINS and len(found) < _MAX_ATTACHMENTS:
            found.append({})
        elif found and tag == _TITLE:
            found[-1].setdefault(_SHORT_NAME, _utf8(value, charset))
        elif found and tag == _DATA:
            found[-1].setdefault(_CONTENT, value)
        elif found and tag == _ATTACHMENT_PROPERTIES:
            found[-1] |= _properties(value, charset)
    return Tnef(_text(message, charset), tuple(map(_attachment, found)))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_SIGNATURE) + 2
    for _ in range(_MAX_ATTRIBUTES):
        if at + 9 > len(data):
            return
        _, tag, length = struct.unpack_from("<BII", data, at)
        at += 9
        if at + length > len(data):
            raise struct.error
        yield tag, data[at : at + length]
        at += length + 2  # a checksum, which some writers get wrong
    raise TnefError("The Outlook container has more entries than a mail's can have.")


def _properties(data: bytes, charset: str) -> dict[int, bytes]:
    """The properties by id; text as UTF-8, numbers left out."""
    found: dict[int, bytes] = {}
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(count, _MAX_PROPERTIES)):
        kind, number = struct.unpack_from("<HH", data, at)
        at += 4
        if number >= _NAMED:
            at = _after_name(data, at)
        values = 1
        base = kind & ~_MANY
        if kind & _MANY or base not in _FIXED:
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        if base in _FIXED:
            at += values * _FIXED[base]
            continue
        for _ in range(min(values, _MAX_PROPERTIES)):
            (length,) = struct.unpack_from("<I", data, at)
            value = data[at + 4 : at + 4 + length]
            if len(value) < length:
                raise struct.error
            at += 4 + length + (-length % 4)
            if base == _UNICODE:
                value = value.decode("utf-16-le", "replace").rstrip("\0").encode("utf-8", "replace")
            elif base == _STRING:
                value = _utf8(value, charset)
            elif base == _OBJECT:
                value = value[_IID:]
            found.setdefault(number, value)
    return found


def _after_name(data: bytes, at: int) -> int:
    kind, length = struct.unpack_from("<II", data, at + 16)
    if kind == 0:
        return at + 24
    length = int(length)
    return at + 24 + length + (-length % 4)


def _utf8(value: bytes, charset: str) -> bytes:
    return decode(value.rstrip(b"\0"), charset).encode("utf-8", "replace")


def _text(message: dict[int, bytes], charset: str) -> str:
    plain = message.get(_TEXT, b"")[:_MAX_TEXT].decode("utf-8", "replace")
    if plain.strip():
        return plain
    if message.get(_HTML):
        return html_to_text(decode(message[_HTML][:_MAX_TEXT], charset))
    return rtf_to_text(decompressed(message[_RTF])) if message.get(_RTF) else ""


def _attachment(found: dict[int, bytes]) -> TnefAttachment:
    def text(number: int) -> str:
        return found.get(number, b"")[:1_000].decode("utf-8", "replace")

    content = found.get(_CONTENT, b"")
    nested = content.startswith(_SIGNATURE)
    kind = text(_MEDIA_TYPE).lower()
    if not _TYPE.fullmatch(kind):
        kind = "application/ms-tnef" if nested else "application/octet-stream"
    name = text(_LONG_NAME) or text(_SHORT_NAME)
    return TnefAttachment(name, kind, content, one_line(text(_CONTENT_ID)).strip("<> "))
