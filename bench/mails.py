"""Mails for benchmarks: ordinary ones of about 4 KB, each different, a fifth of them replies."""

from __future__ import annotations

import random
import textwrap

_TEXT = (
    "the printer on floor three does not print any more since this morning and nobody can reach the service desk "
    "please tell us when somebody comes because the invoices must leave the house before noon thank you order number "
    "delivery customer contract meeting server password access door badge monitor keyboard network slow again today"
)
_WORDS = _TEXT.split()
_BODY_OCTETS = 3_200
_REPLY_EVERY = 5


def mails(count: int, seed: int = 1) -> list[bytes]:
    """So many mails; each fifth answers the one before it. The same seed gives the same mails."""
    source = random.Random(seed)  # noqa: S311 - repeatable text, no secret
    return [_mail(number, source, seed) for number in range(count)]


def _mail(number: int, source: random.Random, seed: int) -> bytes:
    reply = number % _REPLY_EVERY == _REPLY_EVERY - 1
    sender = f"person{source.randrange(2_000)}@fabrikam.example"
    subject = f"{'Re: ' if reply else ''}{' '.join(source.choices(_WORDS, k=6)).capitalize()}"
    lines = [
        f"Received: from mail.fabrikam.example (198.51.100.{number % 250}) by mx.contoso.example with ESMTPS;",
        f"\tMon, 23 Nov 2026 08:{number // 60 % 60:02}:{number % 60:02} +0000",
        f"From: Person {number} <{sender}>",
        "To: Support <support@contoso.example>",
        f"Subject: {subject}",
        f"Date: Mon, 23 Nov 2026 08:{number // 60 % 60:02}:{number % 60:02} +0000",
        f"Message-ID: <{seed}.{number}@fabrikam.example>",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 8bit",
    ]
    if reply:
        lines += [f"In-Reply-To: <{seed}.{number - 1}@fabrikam.example>"]
        lines += [f"References: <{seed}.{number - 1}@fabrikam.example>"]
    text: list[str] = []
    while sum(map(len, text)) < _BODY_OCTETS:
        text += [*textwrap.wrap(" ".join(source.choices(_WORDS, k=60)), 76), ""]
    return "\r\n".join([*lines, "", *text, ""]).encode()
