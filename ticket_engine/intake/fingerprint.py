"""What makes two mails the same: the key of a message's row."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Sequence

_MESSAGE_ID_DIGITS = 20
_FINGERPRINT_DIGITS = 24


def _digest(data: bytes, digits: int) -> str:
    return b32encode(hashlib.sha256(data).digest()).decode()[:digits]


def message_id_prefix(message_id: str) -> str:
    """What every row of a mail with this Message-ID begins with."""
    return f"M{_digest(message_id.strip().encode('utf-8', 'surrogateescape'), _MESSAGE_ID_DIGITS)}-"


def message_key(message_id: str, identity: Sequence[bytes], body: bytes) -> str:
    """The row key of a message: the hash of its Message-ID, then its fingerprint.

    ``identity`` are the raw values of Date, From and Subject. The body is compared without its line ends'
    kind and without trailing blank lines, which differ between protocols. Two different mails that share a
    Message-ID get two keys; one mail seen over POP3 and over IMAP gets one.
    """
    parts = [message_id.encode("utf-8", "surrogateescape"), *identity]
    normal = body.replace(b"\r\n", b"\n").rstrip(b"\n")
    parts.append(hashlib.sha256(normal).digest())
    framed = b"".join(len(part).to_bytes(8) + part for part in parts)
    return message_id_prefix(message_id or framed.hex()) + _digest(framed, _FINGERPRINT_DIGITS)
