"""Outlook's TNEF containers and compressed RTF, made for the corpus as [MS-OXTNEF] and [MS-OXRTFCP] describe them."""

import struct


def _attribute(level: int, tag: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, tag, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def _property(kind: int, number: int, value: bytes, name: bytes = b"") -> bytes:
    padded = value + b"\0" * (-len(value) % 4)
    return struct.pack("<HH", kind, number) + name + struct.pack("<II", 1, len(value)) + padded


def _fixed(kind: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, number) + value


def _properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def _unicode(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


def compressed_rtf(rtf: bytes) -> bytes:
    """RTF in Outlook's compressed form, as literals only (a reader must know references; see the unit tests)."""
    out = bytearray()
    for at in range(0, len(rtf), 8):
        out += b"\0" + rtf[at : at + 8]
    # A reference to where the next octet goes ends it.
    position = (207 + len(rtf)) % 4096
    tail = struct.pack(">H", position << 4)
    out = out + b"\x01" + tail if len(rtf) % 8 == 0 else _with_end(out, len(rtf) % 8, tail)
    return struct.pack("<II4s4s", len(out) + 12, len(rtf), b"LZFu", b"\0" * 4) + bytes(out)


def _with_end(out: bytearray, used: int, tail: bytes) -> bytearray:
    out[-used - 1] |= 1 << used
    return out + tail


_NAMED = b"\x11" * 16 + struct.pack("<II", 0, 0x8554)
_NAMED_TEXT = b"\x22" * 16 + struct.pack("<II", 1, 10) + "Name\0".encode("utf-16-le") + b"\0\0"

TNEF_WITH_FILES = (
    b"\x78\x9f\x3e\x22\x01\x00"
    + _attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
    + _attribute(
        1,
        0x00069003,
        _properties(
            _fixed(3, 0x0E07, struct.pack("<I", 1)),
            _fixed(11, 0x0E1B, struct.pack("<I", 1)),
            _property(31, 0x8000, _unicode("16.0"), _NAMED),
            _property(31, 0x8001, _unicode("x"), _NAMED_TEXT),
        ),
    )
    + _attribute(2, 0x00069002, b"\0" * 14)
    + _attribute(2, 0x00018010, b"BERSI~1.TXT\0")
    + _attribute(2, 0x0006800F, b"hello")
    + _attribute(
        2,
        0x00069005,
        _properties(_property(31, 0x3707, _unicode("Übersicht.txt")), _property(31, 0x370E, _unicode("text/plain"))),
    )
    + _attribute(2, 0x00069002, b"\0" * 14)
    + _attribute(2, 0x00018010, b"OLD83.TXT\0")
    + _attribute(2, 0x0006800F, b"old")
)
_RTF = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\uc1 Gr\'fc\'dfe from RTF\par second line \u8211? \'805{\*\x hidden}}"
TNEF_RTF = b"\x78\x9f\x3e\x22\x01\x00" + _attribute(
    1, 0x00069003, _properties(_property(258, 0x1009, compressed_rtf(_RTF)))
)
