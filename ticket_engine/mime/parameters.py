"""Values with parameters: Content-Type and Content-Disposition (RFC 2045, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from ticket_engine.mime.charsets import decode
from ticket_engine.mime.words import decode_words, one_line

_MAX_PARAMETERS = 200
# One parameter: a name, and a value that is quoted, badly quoted, or runs to the next semicolon.
_PARAMETER = re.compile(r"""[;\s]*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SECTION = re.compile(r"\A([^*]+)(?:\*(\d{1,4}))?(\*)?\Z")
_MAIN = re.compile(r"\s*([^\s;,]*)")


def parameters(value: str, *, hint: str | None = None) -> tuple[str, dict[str, str]]:
    """The main value in lower case, and the parameters by lower-case name, decoded.

    Continuations (``name*0``, ``name*1*``) are joined in the order of their numbers, encoded words in values are
    decoded although they don't belong there, and of two parameters with one name the extended one wins, then the first.
    """
    if not value:
        return "", {}
    main = _MAIN.match(value)
    plain: dict[str, str] = {}
    extended: dict[str, dict[int, tuple[str, bool]]] = {}
    at = main.end() if main else 0
    for _ in range(_MAX_PARAMETERS):
        match = _PARAMETER.match(value, at)
        if match is None:
            following = value.find(";", at + 1)
            if following < 0:
                break
            at = following
            continue
        at = match.end()
        name, quoted, bare = match.groups()
        text = _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare.strip().strip("\"'")
        section = _SECTION.match(name.lower())
        if section is None:
            continue
        base, number, star = section.groups()
        if number is None and star is None:
            plain.setdefault(base, text)
        else:
            extended.setdefault(base, {}).setdefault(int(number or 0), (text, star is not None))
    found = {name: one_line(decode_words(text, hint=hint)) for name, text in plain.items()}
    found |= {name: one_line(_joined(sections)) for name, sections in extended.items()}
    return (main[1].lower() if main else ""), found


def _joined(sections: Mapping[int, tuple[str, bool]]) -> str:
    charset = ""
    data = b""
    for position, number in enumerate(sorted(sections)):
        text, encoded = sections[number]
        if encoded:
            if position == 0 and text.count("'") >= 2:  # noqa: PLR2004 - charset'language'value
                charset, _, text = text.split("'", 2)
            data += unquote_to_bytes(text)
        else:
            data += text.encode("utf-8", "surrogateescape")
    # Some mailers put an encoded word where the percent-encoding belongs.
    return decode_words(decode(data, charset or None))
