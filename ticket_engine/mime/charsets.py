"""Octets to text: charsets by name, by the names that mailers give them, and by detection."""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import lru_cache

# Python's codecs that are no charset, or that a mail must not reach: punycode takes quadratic time.
_NO_CHARSETS = {
    "base64_codec", "bz2_codec", "charmap", "hex_codec", "idna", "mbcs", "oem", "palmos", "punycode", "quopri_codec",
    "raw_unicode_escape", "rot_13", "tactis", "undefined", "unicode_escape", "uu_codec", "zlib_codec",
}  # fmt: skip
_SEPARATORS = re.compile(r"[^a-z0-9]+")
# Names without their separators. Only this table is asked, never the codec registry, which would try to import a
# module for each name a sender thinks of, and remember it for ever.
_CODECS = {
    _SEPARATORS.sub("", name): module
    for alias, module in aliases.items()
    if module not in _NO_CHARSETS
    for name in (alias, module)
}
# What mailers write where IANA has another name, and supersets in place of what is declared (the WHATWG's Encoding
# Standard does the same): who declares Latin 1 or GB 2312 writes windows-1252 or GB 18030.
_CODECS |= {
    "ansi": "cp1252", "ansix341968": "cp1252", "ascii": "cp1252", "asciiext": "cp1252", "big5": "big5hkscs",
    "cp874": "cp874", "cp932": "cp932", "cp949": "cp949", "cp950": "cp950", "cseuckr": "cp949",
    "csisolatin1": "cp1252", "csshiftjis": "cp932", "dosascii": "cp437", "euccn": "gb18030", "euckr": "cp949",
    "gb2312": "gb18030", "gb231280": "gb18030", "gbk": "gb18030", "ibm437": "cp437", "iso88591": "cp1252",
    "iso88598e": "iso8859_8", "iso88598i": "iso8859_8", "iso88599": "cp1254", "iso885911": "cp874",
    "ksc56011987": "cp949", "ksc5601": "cp949", "latin1": "cp1252", "macintosh": "mac_roman", "mskanji": "cp932",
    "shiftjis": "cp932", "sjis": "cp932", "tis620": "cp874", "unicode11utf7": "utf_7", "unicode11utf8": "utf_8",
    "usascii": "cp1252", "us": "cp1252", "utf8mb4": "utf_8", "win1250": "cp1250", "win1251": "cp1251",
    "win1252": "cp1252", "windows874": "cp874", "windows31j": "cp932", "windows949": "cp949", "xeucjp": "euc_jp",
    "xgbk": "gb18030", "xmaccyrillic": "mac_cyrillic", "xmacroman": "mac_roman", "xsjis": "cp932", "xbig5": "big5hkscs",
    "xcp1250": "cp1250", "xcp1251": "cp1251", "xcp1252": "cp1252", "xwindows949": "cp949", "646": "cp1252",
}  # fmt: skip
_WIDE = {"utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"}
# Mailers put more characters into ISO-2022-JP than its first edition has.
_EDITIONS = {"iso2022_jp": ("iso2022_jp_ext", "iso2022_jp_3")}
_DETECTABLE = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp932", "euc_jp",
    "gb18030", "big5", "cp949",
]  # fmt: skip
_MULTIBYTE = {"utf_8", "utf_7", "gb18030", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp", "hz", "johab"}
_MULTIBYTE |= {*_EDITIONS, *_WIDE}
# What makes octets of seven bits more than ASCII: ISO-2022 and HZ switch charsets, UTF-7 and UTF-16 encode.
_STATEFUL = re.compile(rb"\x1b|~\{|\+|\0")
_ASCII = re.compile(r"[\x00-\x7f]")
_SAMPLE = 2_048
_ENOUGH_TO_DETECT = 12
_DETECTIONS = 3
_NON_ASCII = re.compile(rb"[\x80-\xff]")


@lru_cache(maxsize=256)
def codec(charset: str) -> str | None:
    """Python's codec for a charset's name as mailers write it, or None for one that nobody knows."""
    return _CODECS.get(_SEPARATORS.sub("", charset.partition("*")[0].lower()))


class Detector:
    """Detects one mail's charset, three times at most: each takes milliseconds, and a mail may ask for thousands."""

    def __init__(self) -> None:
        self._left = _DETECTIONS
        self._last = "cp1252"

    def __call__(self, data: bytes) -> str:
        """The codec that these octets look like, or what others of the mail did; windows-1252 where there are few."""
        if len(_NON_ASCII.findall(data[: 64 * _SAMPLE])) < _ENOUGH_TO_DETECT:
            return "cp1252"
        if self._left:
            self._left -= 1
            self._last = detect(data)
        return self._last


def decode(
    data: bytes, charset: str | None = None, *, hint: str | None = None, detector: Detector | None = None
) -> str:
    """The text of these octets; never raises.

    The declared charset comes first, then UTF-8, then the declared one with a few octets replaced, then ``hint`` (a
    header has that of its body), then what the octets look like to the detector, and in the end windows-1252.
    """
    if data.isascii() and not _STATEFUL.search(data):
        return data.decode("ascii")
    hinted = codec(hint) if hint else None
    candidates = _candidates(data, charset, hinted)
    for name in (*candidates, "utf_8"):
        try:
            return data.decode(name)
        except UnicodeError:
            continue
    for name in (*candidates[:1], "utf_8"):
        if name in _MULTIBYTE:
            text = data.decode(name, "replace")
            if _is_mostly_right(text):
                return text
    if candidates and candidates[0] not in _MULTIBYTE:
        return _western(data, candidates[0])
    return _western(data, hinted or (detector(data) if detector else "cp1252"))


def _candidates(data: bytes, charset: str | None, hinted: str | None) -> list[str]:
    declared = codec(charset) if charset else None
    if declared in _WIDE and b"\0" not in data[:64]:
        declared = None
    if declared is None and hinted in _EDITIONS and b"\x1b" in data:
        declared = hinted
    # US-ASCII with the eighth bit set says nothing about which charset it is.
    if declared is None or _is_ascii(charset):
        return []
    return [declared, *_EDITIONS.get(declared, ())]


def _is_mostly_right(text: str) -> bool:
    """Whether a few octets of a multibyte charset are damaged or cut off, rather than all of another charset."""
    damaged = text.count("\ufffd")
    right = len(text) - len(_ASCII.findall(text)) - damaged
    return damaged * 4 <= right or (damaged == 1 and text.endswith("\ufffd"))


def detect(data: bytes) -> str:
    """The codec that these octets look like; a guess."""
    from charset_normalizer import from_bytes

    first = _NON_ASCII.search(data)
    at = max(0, (first.start() if first else 0) - _SAMPLE // 4)
    best = from_bytes(data[at : at + _SAMPLE], steps=4, chunk_size=512, cp_isolation=_DETECTABLE).best()
    return best.encoding if best is not None else "cp1252"


def _is_ascii(charset: str | None) -> bool:
    return charset is not None and _SEPARATORS.sub("", charset.lower()) in {"ascii", "usascii", "us", "646"}


def _western(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeError:
        # Five octets of windows-1252 stand for nothing; browsers read them as control characters.
        return data.decode("latin-1") if name == "cp1252" else data.decode(name, "replace")
