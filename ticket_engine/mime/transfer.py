"""Content transfer encodings (RFC 2045, section 6), read as far as they go."""

from __future__ import annotations

import binascii
import re

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OTHER = bytes(set(range(256)) - set(_ALPHABET))
_PADDING = re.compile(rb"=[=\s]*")
_UUENCODE = {"x-uuencode", "x-uue", "uuencode", "uue"}


def from_base64(data: bytes) -> bytes:
    """What these octets stand for: what is not of the alphabet is passed over, and padding may be missing or inside."""
    pieces = (piece.translate(None, _OTHER) for piece in _PADDING.split(data))
    return b"".join(binascii.a2b_base64(_whole(piece)) for piece in pieces if piece)


def _whole(piece: bytes) -> bytes:
    # A single character left over holds six bits, which is no octet.
    piece = piece[:-1] if len(piece) % 4 == 1 else piece
    return piece + b"=" * (-len(piece) % 4)


def decoded(data: bytes, encoding: str, limit: int | None = None) -> bytes:
    """The content in these octets, of which at most ``limit`` are wanted; never raises."""
    if encoding == "base64":
        content = from_base64(data if limit is None else data[: limit * 2])
    elif encoding == "quoted-printable":
        content = binascii.a2b_qp(data if limit is None else data[: limit * 3])
    elif encoding in _UUENCODE:
        content = _uudecoded(data)
    else:
        content = data
    return content if limit is None else content[:limit]


def decoded_size(data: bytes, encoding: str) -> int:
    """How many octets the content has, without making them where the encoding tells it."""
    if encoding == "base64":
        end = data.find(b"=")
        padded = end >= 0
        if not padded or not data[end:].translate(None, _OTHER):
            whole, rest = divmod(len((data[:end] if padded else data).translate(None, _OTHER)), 4)
            return whole * 3 + max(rest - 1, 0)
    return len(decoded(data, encoding))


def _uudecoded(data: bytes) -> bytes:
    content = []
    for line in data.splitlines():
        if line.startswith(b"begin ") or line in {b"end", b"`", b""}:
            continue
        try:
            content.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders leave blanks at the end off, or add some: the first octet has the length.
            wanted = ((line[0] - 32) & 63) * 4 // 3 + 2
            try:
                content.append(binascii.a2b_uu(line[:wanted].ljust(wanted)))
            except binascii.Error:
                continue
    return b"".join(content)
