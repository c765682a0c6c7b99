"""A mail taken apart: its headers, the tree of its parts, what each part is for, and what Outlook packed into one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticket_engine.mime import tnef
from ticket_engine.mime.attachments import Attachment, attachment_of, safe_name, unique_name
from ticket_engine.mime.body import Body, body_of
from ticket_engine.mime.calendar import events_of
from ticket_engine.mime.charsets import Detector, decode
from ticket_engine.mime.headers import Headers, split
from ticket_engine.mime.structure import Limits, Part, structure
from ticket_engine.mime.text import reader_text, tidy

_MAX_CALENDAR = 64 * 1024


@dataclass(frozen=True)
class Outline:
    """``problem`` says what was not taken apart; ``raw`` is what the parts' offsets count in."""

    raw: bytes
    headers: Headers
    root: Part
    body: Body
    problem: str
    _containers: dict[str, tnef.Tnef | None] = field(default_factory=dict)

    def text(self, limit: int) -> str:
        """Its text for a reader, made of at most ``limit`` octets of each part.

        Without a text or HTML part it is what Outlook packed into its container, or what its invitation says.
        """
        text = reader_text(self.raw, self.body.text, limit, self.headers.detector)
        if text:
            return text
        for part in self.body.attachments:
            container = self.container(part)
            if container is not None and container.text:
                return tidy(container.text[:limit])
        for part in self.body.attachments:
            if part.type == "text/calendar":
                events = events_of(decode(part.content(self.raw, _MAX_CALENDAR), part.charset))
                return "\n".join(map(str, events))
        return ""

    def container(self, part: Part) -> tnef.Tnef | None:
        """What Outlook packed into this part; None if it is no container that can be opened."""
        if part.type not in tnef.TYPES and part.filename.lower() != "winmail.dat":
            return None
        if part.section not in self._containers:
            try:
                self._containers[part.section] = tnef.read_tnef(part.content(self.raw))
            except tnef.TnefError:
                self._containers[part.section] = None
        return self._containers[part.section]

    def attachments(self) -> list[Attachment]:
        """Its attachments, in order; those in an Outlook container in place of the container."""
        found: list[Attachment] = []
        taken: set[str] = set()
        for part in self.body.attachments:
            container = self.container(part)
            if container is None:
                found.append(attachment_of(self.raw, part, taken))
                continue
            for number, inner in enumerate(container.attachments, 1):
                name = safe_name(inner.name) or f"attachment-{part.section.replace('.', '-')}-{number}.bin"
                found.append(
                    Attachment(
                        section=f"{part.section}/{number}",
                        name=unique_name(name, taken),
                        type=inner.type,
                        size=len(inner.content),
                        start=part.start,
                        end=part.end,
                        content_id=inner.content_id,
                        inline=bool(inner.content_id),
                    )
                )
        return found


def opened(raw: bytes) -> tuple[bytes, Headers, int]:
    """A mail, its headers, and where its body begins.

    A mail with the line ends of an old Macintosh is read as if it had others; the offsets are the same.
    """
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    stop, start = split(raw)
    return raw, Headers(raw[:stop], detector=Detector()), start


def outline(raw: bytes, headers: Headers, start: int) -> Outline:
    """Take apart a mail whose body begins at ``start``."""
    limits = Limits()
    root = structure(raw, headers, start, limits)
    headers.hinted(next((part.charset for part in root.walk() if part.charset), None))
    problem = limits.problem
    if not headers:
        problem = "The mail has no header."
    elif not headers.complete:
        problem = problem or "The header is longer than a mail's can be; its beginning was read."
    return Outline(raw, headers, root, body_of(root), problem)
