"""Which parts of a mail are its text, its HTML and its attachments (the rule is RFC 8621's, section 4.1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticket_engine.mime.structure import Part

_MEDIA = ("image/", "audio/", "video/")
_TEXTS = {"text/plain", "text/html"}


@dataclass
class Body:
    """The parts that make up the text and the HTML, in order (either may stand in the other), and the attachments."""

    text: list[Part] = field(default_factory=list)
    html: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)


def body_of(root: Part) -> Body:
    """The parts of a mail by what a reader does with them.

    Unlike in RFC 8621, inline images are attachments only, because the HTML refers to them.
    """
    if not root.children:
        shown = root.type in _TEXTS and root.disposition != "attachment"
        return Body([root], [root]) if shown else Body(attachments=[root])
    body = Body()
    _sort(root, body, alternative=False)
    return body


def _sort(multipart: Part, into: Body, *, alternative: bool) -> None:
    kind = multipart.type.removeprefix("multipart/")
    texts, htmls = len(into.text), len(into.html)
    for position, part in enumerate(multipart.children):
        if part.children:
            _sort(part, into, alternative=alternative or part.type == "multipart/alternative")
        elif not _is_text(part, kind, position):
            into.attachments.append(part)
        elif kind == "alternative" or alternative:
            (into.text if part.type == "text/plain" else into.html).append(part)
        else:
            into.text.append(part)
            into.html.append(part)
    if kind == "alternative":
        if len(into.text) == texts:
            into.text += into.html[htmls:]
        elif len(into.html) == htmls:
            into.html += into.text[texts:]


def _is_text(part: Part, kind: str, position: int) -> bool:
    if part.type not in _TEXTS or part.disposition == "attachment":
        return False
    return position == 0 or (kind != "related" and not part.filename)
