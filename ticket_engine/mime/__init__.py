"""Reading mail: MIME, charsets, addresses, dates, attachments, reports, classification. Any bytes give a mail."""

from ticket_engine.mime.addresses import Address
from ticket_engine.mime.attachments import Attachment
from ticket_engine.mime.calendar import Event
from ticket_engine.mime.classify import OWN_HEADER, OWN_MESSAGE_ID, Classification, Finding
from ticket_engine.mime.display import Display
from ticket_engine.mime.headers import Headers, split
from ticket_engine.mime.parsed import Parsed, parse
from ticket_engine.mime.quoting import Answer, split_quoted
from ticket_engine.mime.reading import Content, NoSuchPartError, display, extract, read
from ticket_engine.mime.reports import Report

__all__ = [
    "OWN_HEADER",
    "OWN_MESSAGE_ID",
    "Address",
    "Answer",
    "Attachment",
    "Classification",
    "Content",
    "Display",
    "Event",
    "Finding",
    "Headers",
    "NoSuchPartError",
    "Parsed",
    "Report",
    "display",
    "extract",
    "parse",
    "read",
    "split",
    "split_quoted",
]
