"""What a report about a mail says: delivery (RFC 3464), receipts (RFC 8098), and bounces of no standard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ticket_engine.mime.headers import Headers, split
from ticket_engine.mime.structure import Part
from ticket_engine.mime.words import one_line

_MAX_CONTENT = 64 * 1024
_MAX_RECIPIENTS = 20
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,998}>")
_QUOTED_ID = re.compile(r"^[> \t]{0,20}Message-ID:[ \t]{0,20}(<[^<>\s]{1,998}>)", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True)
class Report:
    """What happened to a mail: ``action`` is failed, delayed, delivered, relayed, expanded or read.

    ``message_id`` is the mail's that the report is about, empty if the report doesn't say; ``status`` is the enhanced
    status code (RFC 3463) and ``reason`` what the server said.
    """

    action: str
    message_id: str = ""
    recipients: tuple[str, ...] = ()
    status: str = ""
    reason: str = ""


def report_of(raw: bytes, root: Part) -> Report | None:
    """The report that a mail is, if it is one by its parts."""
    status = receipt = original = None
    for part in root.walk():
        if part.type in {"message/delivery-status", "message/global-delivery-status"}:
            status = status or part
        elif part.type in {"message/disposition-notification", "message/global-disposition-notification"}:
            receipt = receipt or part
        elif part.type in {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}:
            original = original or part
    if status is not None:
        return _delivery(raw, status, original)
    if receipt is not None:
        return _read(raw, receipt)
    return None


def quoted_message_id(text: str) -> str:
    """The first Message-ID that a bounce's text quotes from the header of the mail it returns, or the empty text."""
    match = _QUOTED_ID.search(text)
    return match[1] if match else ""


def _delivery(raw: bytes, status: Part, original: Part | None) -> Report:
    action = code = reason = ""
    recipients: list[str] = []
    for group in _groups(status.content(raw, _MAX_CONTENT)):
        recipient = group.get("final-recipient") or group.get("original-recipient")
        if not recipient:
            continue
        recipients.append(recipient.rpartition(";")[2].strip().lower())
        # Of several recipients the one that failed is told about.
        if not action or group.get("action").lower() == "failed":
            action = group.get("action").lower()
            found = _STATUS.search(group.get("status"))
            code = found[0] if found else ""
            reason = group.get("diagnostic-code").partition(";")[2].strip()
    return Report(
        action=action or "failed",
        message_id=_original_id(raw, original) if original else "",
        recipients=tuple(dict.fromkeys(recipients))[:_MAX_RECIPIENTS],
        status=code,
        reason=reason[:500],
    )


def _read(raw: bytes, receipt: Part) -> Report:
    for group in _groups(receipt.content(raw, _MAX_CONTENT)):
        if group.get("disposition"):
            match = _MESSAGE_ID.search(group.get("original-message-id"))
            recipient = group.get("final-recipient").rpartition(";")[2].strip().lower()
            return Report(
                action="read" if "displayed" in group.get("disposition").lower() else "receipt",
                message_id=match[0] if match else "",
                recipients=(recipient,) if recipient else (),
                reason=one_line(group.get("disposition"))[:500],
            )
    return Report(action="receipt")


def _groups(content: bytes) -> list[Headers]:
    return [Headers(group) for group in re.split(rb"\r?\n\r?\n", content)[: _MAX_RECIPIENTS + 1]]


def _original_id(raw: bytes, original: Part) -> str:
    content = original.content(raw, _MAX_CONTENT)
    stop, _ = split(content)
    match = _MESSAGE_ID.search(Headers(content[:stop]).get("message-id"))
    return match[0] if match else ""
