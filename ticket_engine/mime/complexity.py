"""What hostile HTML would cost a parser, judged beforehand in linear time and on the safe side.

A browser's parser takes quadratic time and more for deep or badly nested elements: html5ever, which nh3 is built on,
takes minutes for 800 KB of them.
"""

from __future__ import annotations

import re

# Up to so many tags it is fast whatever they are; above, the nesting is looked at.
_ANY_NESTING = 1_000
_MAX_DEPTH = 500
_MAX_REOPENED = 100_000
_MAX_FOSTERED = 500
_MAX_UNCLEAR = 50
_MAX_WORDS_IN_TAG = 2_000
# An end tag, a start tag, or a declaration that every parser reads the same way; else the beginning of what one may
# read otherwise, and hide other tags in. Nothing is tried twice: each quantifier keeps what it took.
_TOKEN = re.compile(
    r"""</([a-zA-Z][a-zA-Z0-9:_-]*+)\s*+>
    |<([a-zA-Z][a-zA-Z0-9:_-]*+)(?=[\s/>])
        ((?:[\s/]*+[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'=<>`]++))?+)*+)[\s/]*+>
    |<[!?](?![\[-])[^>]{0,2000}+>
    |(<[a-zA-Z/!?])""",
    re.VERBOSE,
)
# fmt: off
_FORMATTING = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
# Elements without an end tag, or whose end tag may be left out: they nest only with another element between them.
_NO_END = {
    "area", "base", "body", "br", "col", "colgroup", "embed", "head", "hr", "html", "img", "input", "link", "meta",
    "optgroup", "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr",
}
# fmt: on
_ITEMS = {"li": "li", "dd": "dd", "dt": "dd"}
_TABLE = {"table", "tbody", "thead", "tfoot", "tr", "col", "colgroup"}
_CELLS = {"td", "th", "caption"}
# A parser copies what follows each character reference: references times characters.
_MAX_COPIED = 15_000_000_000


def parsable(html: str) -> str | None:
    """The HTML without comments, for a parser to read; None if that could take long."""
    bare = without_comments(html)
    return None if bare.count("&") * len(bare) > _MAX_COPIED or _too_complex(bare) else bare


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


def _too_complex(html: str) -> bool:
    cost = _Cost()
    at = 0
    for count, match in enumerate(_TOKEN.finditer(html)):
        end, start, attributes, unclear = match.groups()
        cost.text(html[at : match.start()])
        at = match.end()
        if end:
            cost.end(end.lower())
        elif start:
            cost.start(start.lower())
        elif unclear:
            cost.seal()
        if attributes and len(attributes) > _MAX_WORDS_IN_TAG and len(attributes.split()) > _MAX_WORDS_IN_TAG:
            return True
        if cost.fostered > _MAX_FOSTERED or cost.unclear > _MAX_UNCLEAR:
            return True
        if count > _ANY_NESTING and (len(cost.open) > _MAX_DEPTH or cost.reopened > _MAX_REOPENED):
            return True
    return False


class _Cost:
    """What a parser has to do.

    That is elements that stay open, formatting that is opened again and again in each block, and content between the
    cells of a table, which is put before it.
    """

    def __init__(self) -> None:
        self.open: list[str] = []
        self.reopened = 0
        self.fostered = 0
        self.unclear = 0
        self._formatting = 0
        self._sealed = 0
        self._between_cells = False

    def text(self, text: str) -> None:
        """Count text between two tags."""
        self.fostered += self._between_cells and not text.isspace() and bool(text)

    def start(self, name: str) -> None:
        """Count a start tag."""
        self._cell(name, begins=True)
        self.reopened += self._formatting
        name = _ITEMS.get(name, name)
        # The last item of a list ends where the next one begins.
        if name not in _NO_END and not (name in _ITEMS and self.open and self.open[-1] == name):
            self.open.append(name)
            self._formatting += name in _FORMATTING

    def end(self, name: str) -> None:
        """Count an end tag; only what is closed in order counts as closed, because a parser may ignore the others."""
        self._cell(name, begins=False)
        name = _ITEMS.get(name, name)
        if len(self.open) > self._sealed and self.open[-1] == name:
            self.open.pop()
            self._formatting -= name in _FORMATTING

    def seal(self) -> None:
        """Count what a parser may read otherwise: tags that seem to follow may be hidden in it, and close nothing."""
        self.unclear += 1
        self._sealed = len(self.open)

    def _cell(self, name: str, *, begins: bool) -> None:
        if name in _CELLS:
            self._between_cells = not begins
        elif name in _TABLE:
            self._between_cells = begins or name != "table"
        else:
            self.fostered += self._between_cells
