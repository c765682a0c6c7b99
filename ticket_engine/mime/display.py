"""HTML of mails for display: sanitized, without remote content, with inline images, and with safe links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape, unescape
from urllib.parse import urlsplit

from ticket_engine.mime.addresses import ascii_domain
from ticket_engine.mime.complexity import parsable
from ticket_engine.mime.html import HIDDEN, MAX_HTML, html_to_text
from ticket_engine.mime.words import one_line

_LINKS = ("http", "https", "mailto", "tel")
_REMOTE = ("http:", "https:", "//")
_DATA_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp|bmp);base64,", re.IGNORECASE)
# fmt: off
_TAGS = {
    "a", "abbr", "address", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup",
    "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
}
_ATTRIBUTES = {
    "*": {"align", "bgcolor", "dir", "height", "lang", "style", "title", "valign", "width"},
    "a": {"href"},
    "font": {"color", "face", "size"},
    "img": {"alt", "src"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "nowrap", "rowspan"},
    "th": {"colspan", "nowrap", "rowspan"},
}
# No property that places an element outside of its mail, or that can load something.
_PROPERTIES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-right",
    "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "display", "font",
    "font-family", "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height",
    "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "text-indent", "text-transform", "unicode-bidi", "vertical-align", "white-space", "width",
}
# fmt: on
_LOADS = re.compile(r"url|image|expression|import|src|\\|@", re.IGNORECASE)
_ANCHOR = re.compile(r'<a\b[^>]*?\bhref="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_HOST = re.compile(r"(?:https?://)?((?:[^\W_](?:[\w-]{0,61})\.){1,10}[^\W\d_]{2,24})(?=[/:?#]|\Z)", re.IGNORECASE)
# Microsoft Defender rewrites the links of a mail to go through it.
_REWRITTEN = (".safelinks.protection.outlook.com", ".urldefense.com", ".urldefense.proofpoint.com")
_MAX_WARNINGS = 20


@dataclass(frozen=True)
class Display:
    """HTML that is safe to show in a page; empty where the mail has none.

    ``remote`` counts the images that were left out because they are on somebody's server; ``warnings`` say which links
    are not what they look like, a sentence each.
    """

    html: str
    remote: int = 0
    warnings: tuple[str, ...] = ()


@dataclass
class Sanitizer:
    """Sanitizes the HTML of one mail.

    ``inline`` gives the URL of the image with a Content-ID, or None where there is none; ``show_remote`` lets images
    on other servers through, which tells their owners that the mail is read.
    """

    inline: Callable[[str], str | None]
    show_remote: bool = False
    remote: int = 0
    warnings: list[str] = field(default_factory=list)

    def sanitized(self, html: str) -> str:
        """The HTML without anything that runs, loads, or leaves its place."""
        import nh3

        bare = parsable(html[:MAX_HTML])
        if bare is None:
            self._warn("The HTML of this mail is nested too deeply to be shown; this is its text.")
            return preformatted(html_to_text(html))
        clean = nh3.clean(
            bare,
            tags=_TAGS,
            clean_content_tags=HIDDEN,
            attributes=_ATTRIBUTES,
            attribute_filter=self._attribute,
            filter_style_properties=_PROPERTIES,
            url_schemes={*_LINKS, "cid", "data"},
            set_tag_attribute_values={"a": {"target": "_blank"}},
            link_rel="noopener noreferrer nofollow",
        )
        self._check_links(clean)
        if len(html) > MAX_HTML:
            self._warn("The HTML of this mail is very long; this is its beginning.")
        return clean

    def _attribute(self, tag: str, name: str, value: str) -> str | None:
        if name == "src":
            return self._image(value.strip()) if tag == "img" else None
        if name == "href":
            return self._link(value.strip())
        if name == "style":
            return None if _LOADS.search(value) else value
        return value

    def _image(self, source: str) -> str | None:
        if source[:4].lower() == "cid:":
            return self.inline(source[4:].strip("<> "))
        if _DATA_IMAGE.match(source):
            return source
        if source.lower().startswith(_REMOTE):
            if self.show_remote:
                return source if not source.startswith("//") else f"https:{source}"
            self.remote += 1
        return None

    def _link(self, target: str) -> str | None:
        if target.partition(":")[0].lower() not in _LINKS:
            return None
        try:
            parts = urlsplit(target)
            host = parts.hostname or ""
        except ValueError:
            return None
        domain = ascii_domain(host)
        if "xn--" in domain:
            self._warn(f"A link leads to {domain}, which is written with letters that may look like others.")
        if not host.isascii():
            at = parts.netloc.lower().rfind(host.lower())
            netloc = parts.netloc[:at] + domain + parts.netloc[at + len(host) :] if at >= 0 else domain
            return parts._replace(netloc=netloc).geturl()
        return target

    def _check_links(self, clean: str) -> None:
        for href, inner in _ANCHOR.findall(clean):
            shown = _HOST.match(one_line(unescape(_TAG.sub("", inner))))
            if shown is None:
                continue
            said = ascii_domain(shown[1]).removeprefix("www.")
            host = (urlsplit(unescape(href)).hostname or "").removeprefix("www.")
            if host and host != said and not host.endswith((f".{said}", *_REWRITTEN)):
                self._warn(f"A link that says {said} leads to {host}.")

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings and len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(sentence)


def preformatted(text: str) -> str:
    """Text as HTML that keeps its lines."""
    return f'<pre style="white-space:pre-wrap">{escape(text, quote=False)}</pre>' if text else ""


def joined(pieces: Iterable[str]) -> str:
    """The HTML of a mail's parts one below the other."""
    return "<hr>".join(piece for piece in pieces if piece)
