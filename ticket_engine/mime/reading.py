"""Reads a stored mail for a person: its whole text, its HTML for display, its attachments' contents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ticket_engine.mime.attachments import Attachment
from ticket_engine.mime.calendar import Event, events_of
from ticket_engine.mime.charsets import decode
from ticket_engine.mime.display import Display, Sanitizer, joined, preformatted
from ticket_engine.mime.html import MAX_HTML
from ticket_engine.mime.outline import Outline, opened, outline
from ticket_engine.mime.parsed import Parsed, parse
from ticket_engine.mime.quoting import Answer, split_quoted
from ticket_engine.mime.structure import Part
from ticket_engine.mime.text import html_source, part_text

MAX_TEXT = 1024**2
# Images that are nothing but images: SVG is a program.
_IMAGES = {"image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp", "image/bmp"}
_MAX_CALENDAR = 256 * 1024


class NoSuchPartError(LookupError):
    """The mail has no attachment in this section."""


@dataclass(frozen=True)
class Content:
    """A mail for its reader: all that ``parse`` tells, with the whole text (at most 1 MiB) parted, and its events."""

    parsed: Parsed
    answer: Answer
    events: tuple[Event, ...] = ()


def read(raw: bytes) -> Content:
    """Read a mail whole; never raises, whatever the bytes are."""
    parsed = parse(raw)
    try:
        mail = outline(*opened(raw))
        return Content(parsed, split_quoted(mail.text(MAX_TEXT)), _events(mail))
    except Exception as error:  # noqa: BLE001 - one message is an isolation edge: what was parsed can still be read
        problem = parsed.problem or f"{type(error).__name__} while reading the mail."
        return Content(replace(parsed, problem=problem), Answer(parsed.text, ""))


def display(raw: bytes, inline: Callable[[Attachment], str], *, show_remote: bool = False) -> Display:
    """The HTML of a mail, safe to show in a page; empty where it has none.

    ``inline`` gives the URL under which the page serves an attachment; images that the HTML names by their Content-ID
    are shown from there. ``show_remote`` lets images on other servers through: for a reader who asked for them.
    """
    mail = outline(*opened(raw))
    if not any(part.type == "text/html" for part in mail.body.html):
        return Display("")
    images = {each.content_id: each for each in mail.attachments() if each.content_id}

    def url(content_id: str) -> str | None:
        found = images.get(content_id)
        return inline(found) if found is not None and found.type in _IMAGES else None

    sanitizer = Sanitizer(url, show_remote)
    try:
        html = joined(_shown(mail, part, sanitizer) for part in mail.body.html)
    except Exception:  # noqa: BLE001 - one message is an isolation edge: its text can still be shown
        sentence = "The HTML of this mail can't be shown; this is its text."
        return Display(preformatted(mail.text(MAX_TEXT)), warnings=(sentence,))
    return Display(html, sanitizer.remote, tuple(sanitizer.warnings))


def extract(raw: bytes, section: str) -> tuple[Attachment, bytes]:
    """The attachment in a section, and its decoded content.

    Raises:
        NoSuchPartError: the mail has none there.
    """
    mail = outline(*opened(raw))
    attachment = next((each for each in mail.attachments() if each.section == section), None)
    if attachment is None:
        raise NoSuchPartError(f"The mail has no attachment {section[:50]!r}.")
    number, _, inner = section.partition("/")
    part = next(each for each in mail.root.walk() if each.section == number)
    content = part.content(mail.raw)
    if inner:
        container = mail.container(part)
        content = container.attachments[int(inner) - 1].content if container else b""
    return attachment, content


def _shown(mail: Outline, part: Part, sanitizer: Sanitizer) -> str:
    if part.type != "text/html":
        return preformatted(part_text(mail.raw, part, MAX_TEXT, mail.headers.detector))
    return sanitizer.sanitized(html_source(mail.raw, part, 2 * MAX_HTML, mail.headers.detector))


def _events(mail: Outline) -> tuple[Event, ...]:
    parts = [part for part in mail.root.walk() if part.type in {"text/calendar", "application/ics"}]
    texts = (decode(part.content(mail.raw, _MAX_CALENDAR), part.charset) for part in parts[:5])
    # The same invitation often comes twice: to be shown, and to be saved.
    return tuple(dict.fromkeys(event for text in texts for event in events_of(text)))
