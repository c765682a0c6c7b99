"""HTML of mails: as text for a reader, with a bound on what hostile HTML may cost."""

from __future__ import annotations

import re
from html import unescape

# What is read of one HTML part, in characters.
MAX_HTML = 1024**2
# A browser's parser takes quadratic time and more for deep or badly nested elements: html5ever, which nh3 is built on,
# takes minutes for 800 KB of them. Up to so many tags it is fast whatever they are; above, the nesting is looked at.
_ANY_NESTING = 1_000
_MAX_DEPTH = 500
_MAX_REOPENED = 100_000
_MAX_WORDS_IN_TAG = 2_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)([^<>]*)")
_ANY_TAG = re.compile(r"<[^<>]*>?")
# fmt: off
_FORMATTING = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
# Elements without an end tag, or whose end tag may be left out: they nest only with another element between them.
_NO_END = {
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li",
    "link", "meta", "optgroup", "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track",
    "wbr",
}
# fmt: on
HIDDEN = {"script", "style", "title", "template", "noscript", "svg", "math", "object", "iframe", "xml", "textarea"}
_BREAKS = {"br", "div", "tr", "li", "hr", "dd", "dt", "table", "section", "article", "header", "footer", "address"}
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre"}
_STRUCTURE = _BREAKS | _PARAGRAPHS | {"td", "th"}
_NORMAL_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_SPACE = re.compile(r"\s+")
_DEEPEST_QUOTE = 20


def too_complex(html: str) -> bool:
    """Whether a parser could take long for this HTML, judged in linear time and on the safe side."""
    bare = without_comments(html)
    open_: list[str] = []
    formatting = reopened = 0
    for count, match in enumerate(_TAG.finditer(bare)):
        end, name, rest = match.groups()
        if len(rest) > _MAX_WORDS_IN_TAG and len(rest.split()) > _MAX_WORDS_IN_TAG:
            return True
        name = name.lower()
        if name in _NO_END or rest.endswith("/"):
            reopened += formatting
        elif not end:
            open_.append(name)
            formatting += name in _FORMATTING
            reopened += formatting
        elif open_ and open_[-1] == name:
            # Only what is closed in order counts as closed: a parser may take any other end tag for nothing.
            open_.pop()
            formatting -= name in _FORMATTING
        if count > _ANY_NESTING and (len(open_) > _MAX_DEPTH or reopened > _MAX_REOPENED):
            return True
    return False


def without_comments(html: str) -> str:
    """The HTML without comments; one that is not closed goes to the end."""
    kept = []
    at = 0
    while (start := html.find("<!--", at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start + 2)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, html[at:]])


def html_to_text(html: str) -> str:
    """The text of HTML as a reader sees it: blocks on lines of their own, quotations behind ``>``."""
    import nh3

    html = html[:MAX_HTML]
    if too_complex(html):
        return _SPACE.sub(" ", unescape(_ANY_TAG.sub(" ", without_comments(html)))).strip()
    normal = nh3.clean(html, tags=_STRUCTURE, clean_content_tags=HIDDEN, attributes={}, link_rel=None)
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


def _rendered(normal: str) -> str:
    into = _Lines()
    preformatted = 0
    at = 0
    for match in _NORMAL_TAG.finditer(normal):
        text = unescape(normal[at : match.start()])
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
    into.add(unescape(normal[at:]))
    into.end_line()
    return "\n".join(into.lines).strip("\n")
