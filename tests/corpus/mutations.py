"""Mutations of mails: what transport, filters, mailers and attackers do to them, at random from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

_PIECES = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\x1b$B", b"--b\r\n",
    b"--b--\r\n", b"\r\n--b\r\n\r\n", b"=?utf-8?Q?", b"=?utf-8?B?", b"?=", b"=?", b"=", b"=\r\n", b"%", b"*0*=", b"*=utf-8''",
    b'"', b"\\", b"(", b")", b"<", b">", b";", b":", b",", b"@", b"<a", b"</", b"<!--", b"-->", b"<div>", b"<b>", b"<table>",
    b"&#x110000;", b"&#xd800;", b"&amp", b"> ", b"-- ", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"\x78\x9f\x3e\x22",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html\r\n",
    b"Content-Type: text/calendar\r\n", b"Content-Type: application/ms-tnef\r\n", b"Content-Type: message/delivery-status\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n", b"Content-Disposition: attachment; filename=../x\r\n",
    b"Content-Type: text/plain; charset=utf-16; format=flowed\r\n", b"Date: 0000000000\r\n", b"Message-ID: <\r\n",
]  # fmt: skip
_LONGEST = 256 * 1024


def mutations(mails: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """So many mutated mails; the same seed gives the same ones."""
    chance = random.Random(seed)
    for _ in range(count):
        raw = chance.choice(mails)
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            raw = chance.choice(_MUTATIONS)(chance, raw, mails)
        yield raw[:_LONGEST]


def _span(chance: random.Random, raw: bytes, longest: int = 200) -> tuple[int, int]:
    start = chance.randint(0, len(raw))
    return start, min(len(raw), start + chance.randint(0, longest))


def _flipped(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    data = bytearray(raw or b"\0")
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _cut(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, raw, len(raw))
    return raw[:start] + raw[end:]


def _ended(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    return raw[: chance.randint(0, len(raw))]


def _inserted(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(raw))
    return raw[:at] + b"".join(chance.choices(_PIECES, k=chance.randint(1, 4))) + raw[at:]


def _noise(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(raw))
    return raw[:at] + chance.randbytes(chance.randint(1, 100)) + raw[at:]


def _repeated(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, raw, 80)
    return raw[:start] + raw[start:end] * chance.choice((2, 10, 1_000)) + raw[end:]


def _moved(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, raw)
    rest = raw[:start] + raw[end:]
    at = chance.randint(0, len(rest))
    return rest[:at] + raw[start:end] + rest[at:]


def _spliced(chance: random.Random, raw: bytes, mails: Sequence[bytes]) -> bytes:
    other = chance.choice(mails)
    return raw[: chance.randint(0, len(raw))] + other[chance.randint(0, len(other)) :]


def _other_line_ends(chance: random.Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    return raw.replace(b"\r\n", chance.choice((b"\n", b"\r", b"\n\r", b"\r\r\n")))


_MUTATIONS: list[Callable[[random.Random, bytes, Sequence[bytes]], bytes]] = [
    _flipped, _cut, _ended, _inserted, _inserted, _noise, _repeated, _moved, _spliced, _other_line_ends,
]  # fmt: skip
