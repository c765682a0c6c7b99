"""Reads a raw mail into what a ticket needs; it never raises, whatever the bytes are."""

from __future__ import annotations

import base64
import email
import email.policy
import email.utils
import quopri
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message as Mail
from html import unescape

from ticket_engine.records import MessageKind

_MAX_TEXT = 2_000
_MAX_SUBJECT = 500
_MAX_ADDRESSES = 1_000
_MAX_REASON = 200
# The nearest references find the ticket; a thread of a thousand mails lists them all.
_MAX_REFERENCES = 20
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
# What Exchange Online writes into the topmost Authentication-Results (Microsoft, "Anti-spam message headers").
_FORGED = re.compile(r"\b(?:dmarc|compauth)=fail\b", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?[^?\s]+\?[bBqQ]\?)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_SPACE = re.compile(r"[ \t\r\f\v]+")
_BLANK_LINES = re.compile(r"\n\s*\n+")


@dataclass(frozen=True)
class Parsed:
    """A mail as a ticket sees it; ``problem`` says why it could not be read where ``kind`` is unparsed.

    ``in_reply_to`` are the Message-IDs that the mail says it answers, ``references`` those and its other ancestors,
    nearest first; ``reported`` is the Message-ID of the mail that a delivery report returns. ``forged`` says that the
    receiving server found the sender's address to be somebody else's.
    """

    kind: MessageKind
    message_id: str = ""
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    forged: bool = False
    subject: str = ""
    sender: str = ""
    recipients: str = ""
    sent_at: datetime | None = None
    text: str = ""
    attachments: int = 0
    automatic: str = ""
    identity: tuple[bytes, ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    problem: str = ""


def parse(raw: bytes) -> Parsed:
    """Read a mail; one that breaks the parser comes back as unparsed, with what could be read."""
    header, body = split(raw)
    values = raw_values(header)
    identity = tuple(values.get(name, b"") for name in (b"date", b"from", b"subject"))
    try:
        return _read(raw, values, identity, body)
    except Exception as error:  # noqa: BLE001 - one message is an isolation edge: any bytes become a ticket
        return Parsed(
            kind=MessageKind.UNPARSED,
            message_id=_first(values.get(b"message-id", b"").decode("utf-8", "replace")),
            subject=_printable(values.get(b"subject", b"").decode("utf-8", "replace"))[:_MAX_SUBJECT],
            sender=_printable(values.get(b"from", b"").decode("utf-8", "replace"))[:_MAX_ADDRESSES],
            identity=identity,
            body=body,
            problem=f"{type(error).__name__} while reading the mail",
        )


def split(raw: bytes) -> tuple[bytes, bytes]:
    """The header section and the body (RFC 5322, section 2.1), whatever the line ends."""
    match = re.search(rb"\r?\n\r?\n", raw)
    return (raw[: match.start()], raw[match.end() :]) if match else (raw, b"")


def raw_values(header: bytes) -> dict[bytes, bytes]:
    """The header's fields as they stand, unfolded, by lower-case name; of several the first."""
    values: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b" ", header).splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            values.setdefault(name.strip().lower(), value.strip())
    return values


def _read(raw: bytes, values: Mapping[bytes, bytes], identity: tuple[bytes, ...], body: bytes) -> Parsed:
    mail = email.message_from_bytes(raw, policy=email.policy.compat32)
    text, attachments = _content(mail)
    return Parsed(
        kind=MessageKind.PARSED,
        message_id=_first(_header(values, b"message-id")),
        references=_references(values),
        in_reply_to=tuple(_MESSAGE_ID.findall(_header(values, b"in-reply-to")))[:_MAX_REFERENCES],
        reported=_reported(mail),
        forged=_FORGED.search(_header(values, b"authentication-results")) is not None,
        subject=_header(values, b"subject")[:_MAX_SUBJECT],
        sender=_header(values, b"from")[:_MAX_ADDRESSES],
        recipients=", ".join(_addresses(values, b"to", b"cc"))[:_MAX_ADDRESSES],
        sent_at=_date(_header(values, b"date")),
        text=text[:_MAX_TEXT],
        attachments=attachments,
        automatic=_automatic(values, mail.get_content_type())[:_MAX_REASON],
        identity=identity,
        body=body,
    )


def _header(values: Mapping[bytes, bytes], name: bytes) -> str:
    # Blanks between two encoded words are none of the text (RFC 2047, section 6.2).
    joined = _BETWEEN_WORDS.sub("", _decode(values.get(name, b""), None))
    return _printable(_ENCODED_WORD.sub(_decoded_word, joined))


def _decoded_word(match: re.Match[str]) -> str:
    charset, encoding, payload = match.groups()
    data = payload.encode("utf-8", "surrogateescape")
    try:
        if encoding.lower() == "b":
            data = base64.b64decode(data + b"=" * (-len(data) % 4))
        else:
            data = quopri.decodestring(data, header=True)
    except ValueError:
        return match[0]
    return _decode(data, charset.partition("*")[0])


def _decode(data: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8", "windows-1252"):
        if not name or name.lower() == "unknown-8bit":
            continue
        try:
            return data.decode(name)
        except (LookupError, UnicodeError):
            continue
    return data.decode("latin-1")


def _printable(text: str) -> str:
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _SPACE.sub(" ", "".join(" " if ord(char) < ord(" ") else char for char in clean)).strip()


def _first(text: str) -> str:
    match = _MESSAGE_ID.search(text)
    return match[0] if match else text.strip()


def _references(values: Mapping[bytes, bytes]) -> tuple[str, ...]:
    # In-Reply-To names the parent; References ends with it (RFC 5322, section 3.6.4): nearest first.
    found = _MESSAGE_ID.findall(_header(values, b"in-reply-to"))
    found += reversed(_MESSAGE_ID.findall(_header(values, b"references")))
    return tuple(dict.fromkeys(found))[:_MAX_REFERENCES]


def _reported(mail: Mail) -> tuple[str, ...]:
    # The returned mail is the report's last part, whole or its header section only (RFC 6522, section 3).
    if mail.get_content_type() != "multipart/report":
        return ()
    parts = mail.get_payload()
    returned = parts[-1] if isinstance(parts, list) and parts else None
    if not isinstance(returned, Mail):
        return ()
    if returned.get_content_type() == "message/rfc822":
        inner = returned.get_payload()
        found = str(inner[0].get("Message-ID", "")) if isinstance(inner, list) and isinstance(inner[0], Mail) else ""
    elif returned.get_content_type() == "text/rfc822-headers":
        found = str(email.message_from_string(_text(returned)).get("Message-ID", ""))
    else:
        found = ""
    return tuple(_MESSAGE_ID.findall(found))[:1]


def _addresses(values: Mapping[bytes, bytes], *names: bytes) -> list[str]:
    given = [value for value in (_header(values, name) for name in names) if value]
    return [address for _, address in email.utils.getaddresses(given) if address]


def _date(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _content(mail: Mail) -> tuple[str, int]:
    plain = html = ""
    attachments = 0
    for part in mail.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if part.get_content_disposition() == "attachment" or part.get_filename() or not kind.startswith("text/"):
            attachments += 1
        elif kind == "text/plain":
            plain = plain or _text(part)
        elif kind == "text/html":
            html = html or _text(part)
    return _tidy(plain or unescape(_TAG.sub(" ", html))), attachments


def _text(part: Mail) -> str:
    data = part.get_payload(decode=True)
    return _decode(data, part.get_content_charset()) if isinstance(data, bytes) else ""


def _tidy(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode("utf-8")
    clean = "".join(char for char in whole if char in "\n\t" or ord(char) >= ord(" "))
    return _BLANK_LINES.sub("\n\n", _SPACE.sub(" ", clean)).strip()


def _automatic(values: Mapping[bytes, bytes], content_type: str) -> str:
    submitted = _header(values, b"auto-submitted").lower()
    if submitted and submitted.split(";")[0].strip() != "no":
        return f"Auto-Submitted: {submitted}"
    if content_type == "multipart/report":
        return "delivery report"
    precedence = _header(values, b"precedence").lower()
    return f"Precedence: {precedence}" if precedence in {"bulk", "list", "junk", "auto_reply"} else ""
