"""The attachments of a mail: what they are, where they are in the raw mail, and names that every file system takes."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from dataclasses import dataclass

from ticket_engine.mime.structure import Part
from ticket_engine.mime.words import one_line

_MAX_NAME = 120
_MAX_EXTENSION = 20
_LONGEST = 1_000
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Windows takes these for devices, whatever follows a full stop ("Naming Files, Paths, and Namespaces").
_DEVICE = re.compile(r"\A(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|\Z)", re.IGNORECASE)
# What a part without a name is called, where its type says more than an extension.
_NAMES = {
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "receipt.txt",
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "text/rfc822-headers": "headers.txt",
    "text/calendar": "invitation.ics",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.asc",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/ms-tnef": "winmail.dat",
}


@dataclass(frozen=True)
class Attachment:
    """An attachment: a safe name that no other of its mail has, its type, and its decoded size in octets.

    ``section`` says where it is: the part's number as IMAP counts, and behind a slash its number in a TNEF container.
    ``start`` and ``end`` are the offsets of the part, still encoded, in the raw mail.
    """

    section: str
    name: str
    type: str
    size: int
    start: int
    end: int
    content_id: str = ""
    inline: bool = False


def attachment_of(raw: bytes, part: Part, taken: set[str]) -> Attachment:
    """This part as an attachment, with a name that is not ``taken``."""
    return Attachment(
        section=part.section,
        name=unique_name(given_name(part), taken),
        type=part.type,
        size=part.size(raw),
        start=part.start,
        end=part.end,
        content_id=part.content_id,
        inline=part.disposition != "attachment" and bool(part.content_id),
    )


def given_name(part: Part) -> str:
    """A safe name for a part: its own, or one that its type gives."""
    name = safe_name(part.filename)
    if name:
        return name
    if part.type in _NAMES:
        return _NAMES[part.type]
    extension = mimetypes.guess_extension(part.type) or ".bin"
    return f"attachment-{part.section.replace('.', '-')}{extension}"


def unique_name(name: str, taken: set[str]) -> str:
    """The name, numbered if ``taken`` has it in whatever case; it is added there."""
    stem, extension = _cut(name)
    unique, number = name, 1
    while unique.casefold() in taken:
        number += 1
        unique = f"{stem} ({number}){extension}"
    taken.add(unique.casefold())
    return unique


def safe_name(name: str) -> str:
    """A file name without folders, control and direction characters, device names, or what some file system refuses.

    It is at most 120 characters and 240 octets of UTF-8, keeps its extension, and is empty if nothing is left.
    """
    last = re.split(r"[/\\]", one_line(name).rstrip("/\\ "))[-1]
    # Normalizing takes quadratic time for a name of combining marks.
    short = last if len(last) <= _LONGEST else last[: _LONGEST // 2] + last[-_LONGEST // 2 :]
    clean = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", short)).strip(" .~-")
    if _DEVICE.match(clean):
        clean = f"_{clean}"
    stem, extension = _cut(clean)
    stem = stem[: _MAX_NAME - len(extension)]
    while len((stem + extension).encode()) > 2 * _MAX_NAME:
        stem = stem[:-1]
    return (stem.rstrip(" .") + extension) if stem.strip(" .") else ""


def _cut(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > _MAX_EXTENSION:
        return name, ""
    return stem, f".{extension}"
