"""HTML of mails as text for a reader."""

from __future__ import annotations

import re
from html import unescape

from ticket_engine.mime.complexity import parsable, without_comments

# What is read of one HTML part, in characters.
MAX_HTML = 1024**2
_ANY_TAG = re.compile(r"<[^<>]*>?")
HIDDEN = {"script", "style", "title", "template", "noscript", "svg", "math", "object", "iframe", "xml", "textarea"}
_BREAKS = {"br", "div", "tr", "li", "hr", "dd", "dt", "table", "section", "article", "header", "footer", "address"}
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre"}
_STRUCTURE = _BREAKS | _PARAGRAPHS | {"td", "th"}
_NORMAL_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_SPACE = re.compile(r"\s+")
_DEEPEST_QUOTE = 20


def html_to_text(html: str) -> str:
    """The text of HTML as a reader sees it: blocks on lines of their own, quotations behind ``>``."""
    import nh3

    bare = parsable(html[:MAX_HTML])
    if bare is None:
        return _SPACE.sub(" ", unescape(_ANY_TAG.sub(" ", without_comments(html[:MAX_HTML])))).strip()
    normal = nh3.clean(bare, tags=_STRUCTURE, clean_content_tags=HIDDEN, attributes={}, link_rel=None)
    return _rendered(normal)


class _Lines:
    """Lines of text, each behind as many ``>`` as quotations are open."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.quotes = 0
        self._words: list[str] = []

    def add(self, text: str) -> None:
        self._words.append(text)

    def end_line(self) -> None:
        """End the line that is being written, if there is one."""
        text = _SPACE.sub(" ", "".join(self._words)).strip()
        self._words = []
        if text:
            self._put(text)

    def blank(self) -> None:
        """End the line, and leave one blank."""
        self.end_line()
        if self.lines and self.lines[-1].strip("> "):
            self._put("")

    def keep(self, text: str) -> None:
        """Put preformatted text, line by line."""
        for line in text.splitlines():
            self._put(line.rstrip())

    def _put(self, text: str) -> None:
        depth = min(self.quotes, _DEEPEST_QUOTE)
        self.lines.append(f"{'>' * depth} {text}".rstrip() if depth else text)


def _unescaped(text: str) -> str:
    # The only references that are left in normalized HTML; a call for each would take seconds for a million of them.
    for reference, character in (("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(reference, character)
    return text


def _rendered(normal: str) -> str:
    into = _Lines()
    preformatted = 0
    at = 0
    for match in _NORMAL_TAG.finditer(normal):
        text = _unescaped(normal[at : match.start()])
        into.keep(text) if preformatted else into.add(text)
        at = match.end()
        end, name = match.groups()
        if name in _PARAGRAPHS:
            into.blank()
            step = -1 if end else 1
            into.quotes = max(0, into.quotes + step * (name == "blockquote"))
            preformatted = max(0, preformatted + step * (name == "pre"))
        elif name in _BREAKS:
            into.end_line()
            if not end and name == "li":
                into.add("- ")
            elif name == "hr":
                into.add("----")
                into.end_line()
        elif name in {"td", "th"}:
            into.add(" ")
    into.add(_unescaped(normal[at:]))
    into.end_line()
    return "\n".join(into.lines).strip("\n")
