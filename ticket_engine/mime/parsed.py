"""Reads a raw mail into what a ticket needs; it never raises, whatever the bytes are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ticket_engine.mime.addresses import Address, addresses
from ticket_engine.mime.attachments import Attachment
from ticket_engine.mime.charsets import decode
from ticket_engine.mime.classify import Classification, classify
from ticket_engine.mime.dates import parse_date
from ticket_engine.mime.headers import MAX_VALUE, Headers
from ticket_engine.mime.outline import Outline, opened, outline
from ticket_engine.mime.protection import protection_of
from ticket_engine.mime.quoting import split_quoted
from ticket_engine.mime.reports import Report, quoted_message_id, report_of
from ticket_engine.mime.words import one_line
from ticket_engine.records import MailClass, MessageKind

MAX_TEXT = 2_000
_MAX_SUBJECT = 500
_MAX_LINE = 1_000
# The nearest references find the ticket; a thread of a thousand mails lists them all.
_MAX_REFERENCES = 20
# What is read of a text part to make the text that is stored of it.
_PREVIEW = 16 * 1024
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
# What Exchange Online writes into the topmost Authentication-Results (Microsoft, "Anti-spam message headers").
_FORGED = re.compile(r"\b(?:dmarc|compauth)=fail\b", re.IGNORECASE)
_RECIPIENTS = ("to", "cc", "bcc")
# Where servers and forwarders write whom they delivered the mail to.
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-forwarded-to", "resent-to")


@dataclass(frozen=True)
class Parsed:
    """A mail as a ticket sees it; ``problem`` says what could not be read where ``kind`` is unparsed.

    ``in_reply_to`` are the Message-IDs that it says it answers, ``references`` those and its other ancestors, nearest
    first. ``forged`` says that the receiving server found the sender's address to be somebody else's.
    ``text`` is the new text's beginning, without what it quotes. ``protection`` says whether it is signed or
    encrypted, and how. ``headers`` answers any question that a rule asks.
    ``identity`` (the raw Date, From and Subject) and ``body`` are what the mail is recognised by.
    """

    kind: MessageKind
    message_id: str = ""
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    forged: bool = False
    subject: str = ""
    senders: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()
    sent_at: datetime | None = None
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    classification: Classification = Classification()
    report: Report | None = None
    protection: str = ""
    headers: Headers = field(default_factory=lambda: Headers(b""), repr=False, compare=False)
    identity: tuple[bytes, ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    problem: str = ""

    @property
    def automatic(self) -> bool:
        """Whether a machine sent it, so that nothing may answer it."""
        return self.classification.automatic

    @property
    def sender(self) -> Address:
        """Its first sender, or an empty address."""
        return self.senders[0] if self.senders else Address("", "")

    @property
    def author(self) -> str:
        """The address of its one sender; empty where it names several, who are nobody, or none."""
        return self.sender.address if len(self.senders) == 1 else ""

    @property
    def sender_line(self) -> str:
        """Its sender as people read it."""
        return str(self.sender)[:_MAX_LINE]

    @property
    def reason_lines(self) -> str:
        """Why it is classified as it is, one reason a line, of bounded length."""
        return _joined("\n", self.classification.reasons)

    @property
    def reported(self) -> tuple[str, ...]:
        """The Message-ID of the mail that it is a report about; none if it is no report, or doesn't say."""
        return (self.report.message_id,) if self.report and self.report.message_id else ()

    @property
    def addressed(self) -> frozenset[str]:
        """Every address it was sent or delivered to, in lower case."""
        return frozenset(each.address for each in self.recipients if each.address) | frozenset(self.delivered_to)

    @property
    def recipient_line(self) -> str:
        """Its recipients' addresses on one line, of bounded length."""
        return _joined(", ", (each.address for each in self.recipients if each.address))

    @property
    def attachment_names(self) -> str:
        """Its attachments' names, one a line, of bounded length."""
        return _joined("\n", (each.name for each in self.attachments))


def parse(raw: bytes) -> Parsed:
    """Read a mail; one that breaks the parser comes back as unparsed, with what could be read.

    It does what each mail needs when it comes in: no HTML is made, and of long texts only the beginning is read.
    """
    raw, headers, start = opened(raw)
    identity = tuple(headers.raw(name) for name in ("date", "from", "subject"))
    known = Parsed(MessageKind.UNPARSED, headers=headers, identity=identity, body=raw[start:])
    try:
        return _read(outline(raw, headers, start), known)
    except Exception as error:  # noqa: BLE001 - one message is an isolation edge: any bytes become a ticket
        return _unread(known, f"{type(error).__name__} while reading the mail.")


def _read(mail: Outline, known: Parsed) -> Parsed:
    headers = mail.headers
    report = report_of(mail.raw, mail.root)
    message_id = first_id(headers.get("message-id"))
    references = _references(headers)
    senders = _senders(headers)
    findings = classify(headers, message_id=message_id, references=references, senders=senders, report=report)
    whole = mail.text(_PREVIEW)
    if report is None and MailClass.BOUNCE in findings.kinds:
        report = Report("failed", quoted_message_id(whole), _named(headers, "x-failed-recipients"))
    return Parsed(
        kind=MessageKind.UNPARSED if mail.problem else MessageKind.PARSED,
        message_id=message_id,
        references=references,
        in_reply_to=tuple(_MESSAGE_ID.findall(headers.get("in-reply-to")))[:_MAX_REFERENCES],
        forged=_FORGED.search(headers.get("authentication-results")) is not None,
        subject=headers.get("subject")[:_MAX_SUBJECT],
        senders=senders,
        reply_to=tuple(_addresses(headers, "reply-to")),
        recipients=tuple(_addresses(headers, *_RECIPIENTS)),
        delivered_to=_named(headers, *_DELIVERED),
        sent_at=parse_date(headers.get("date")),
        text=split_quoted(whole).new[:MAX_TEXT],
        attachments=tuple(mail.attachments()),
        classification=findings,
        report=report,
        protection=protection_of(mail.root, whole),
        headers=headers,
        identity=known.identity,
        body=known.body,
        problem=mail.problem,
    )


def _unread(known: Parsed, problem: str) -> Parsed:
    headers = known.headers

    def plainly(name: str) -> str:
        return headers.raw(name)[:_MAX_LINE].decode("ascii", "replace").replace("\ufffd", "?")

    return Parsed(
        kind=MessageKind.UNPARSED,
        message_id=first_id(plainly("message-id")),
        subject=plainly("subject")[:_MAX_SUBJECT],
        senders=(Address(plainly("from"), ""),),
        headers=headers,
        identity=known.identity,
        body=known.body,
        problem=problem,
    )


def first_id(text: str) -> str:
    """The Message-ID in a field's value, or what stands there instead."""
    match = _MESSAGE_ID.search(text)
    return match[0] if match else text.strip()


def _joined(separator: str, texts: Iterable[str]) -> str:
    """As many of these as a bounded line holds, none of them cut: half an address is somebody else's."""
    line = ""
    for text in texts:
        longer = f"{line}{separator}{text}" if line else text
        if len(longer) > _MAX_LINE:
            break
        line = longer
    return line


def _senders(headers: Headers) -> tuple[Address, ...]:
    return tuple(
        _addresses(headers, "from") or _addresses(headers, "sender")[:1] or _addresses(headers, "return-path")[:1]
    )


def _addresses(headers: Headers, *names: str) -> list[Address]:
    return addresses((value for name in names for value in headers.undecoded(name)), hint=headers.hint)


def _named(headers: Headers, *names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.address for each in _addresses(headers, *names) if each.address))


def _references(headers: Headers) -> tuple[str, ...]:
    # In-Reply-To names the parent; References ends with it (RFC 5322, section 3.6.4): nearest first.
    found = _MESSAGE_ID.findall(headers.get("in-reply-to"))
    found += reversed(_MESSAGE_ID.findall(one_line(decode(headers.raw("references")[-MAX_VALUE:]))))
    return tuple(dict.fromkeys(found))[:_MAX_REFERENCES]
