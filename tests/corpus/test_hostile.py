"""Mail that is made to break its reader: every one becomes a ticket, within two seconds of processor time."""

import io
import zipfile
import zlib
from collections.abc import Callable

import pytest

from tests.corpus.case import b64, bare, multipart, part, plain
from tests.corpus.containers import compressed_rtf
from tests.corpus.limits import processor_time
from tests.corpus.ticketed import becomes_a_ticket
from ticket_engine.mime import Attachment, display, extract, parse, read
from ticket_engine.mime.complexity import parsable
from ticket_engine.mime.rtf import decompressed
from ticket_engine.records import MessageKind

MEGABYTE = 1024**2
TEXT = part("Content-Type: text/plain", body="Hello.")


def nested(levels: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(levels)
    )
    tail = b"".join(b"\r\n--b%d--\r\n" % level for level in reversed(range(levels)))
    return b"From: a@x.example\r\nSubject: Deep\r\n" + head + TEXT + tail


def html(body: str) -> bytes:
    return bare("From: a@x.example", "Content-Type: text/html", body=body)


LARGE: dict[str, Callable[[], bytes]] = {
    "ten-thousand-parts": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b", body=multipart("b", *[TEXT] * 10_000)
    ),
    "ten-thousand-attachments-of-one-name": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b",
        body=multipart("b", *[part("Content-Disposition: attachment; filename=a.txt", body="x")] * 10_000),
    ),
    "a-thousand-levels": lambda: nested(1_000),
    "a-thousand-levels-of-one-boundary": lambda: (
        b"From: a@x.example\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 1_000 + TEXT
    ),
    "mails-in-mails": lambda: b"From: a@x.example\r\nContent-Type: message/rfc822\r\n\r\n" * 10_000 + b"Hello.",
    "delimiters-only": lambda: plain("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n" * 2_000_000),
    "delimiters-that-are-none": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n" + b"--bx\r\n" * 1_000_000
    ),
    "blanks-behind-a-delimiter": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n\r\n" + (b"\n--b" + b" " * 1_000 + b"x") * 5_000
    ),
    "one-header-of-ten-megabytes": lambda: bare(b"Subject: " + b"x" * 10 * MEGABYTE),
    "one-folded-header-of-ten-megabytes": lambda: bare(b"Subject: " + b"x\r\n " * (10 * MEGABYTE // 4)),
    "headers-of-ten-megabytes": lambda: bare(*[b"X-%d: x" % number for number in range(800_000)], "From: a@x.example"),
    "ten-megabytes-of-blanks-in-a-header": lambda: bare(b"Subject:" + b" " * 10 * MEGABYTE + b"x"),
    "a-header-of-colons": lambda: bare(b":" * 10 * MEGABYTE),
    "ten-megabytes-without-a-line-end": lambda: b"x" * 10 * MEGABYTE,
    "ten-megabytes-of-line-ends": lambda: b"From: a@x.example\r\n\r\n" + b"\r\n" * 5 * MEGABYTE,
    "encoded-words-without-end": lambda: bare(b"Subject: " + b"=?utf-8?Q?" * 100_000),
    "encoded-words-that-end-far-away": lambda: bare(b"Subject: " + b"=?a?q?" * 10_000 + b"?="),
    "question-marks": lambda: bare(b"Subject: " + b"=?" * 500_000, b"From: " + b"=?" * 500_000),
    "quotes-in-an-address": lambda: bare(b"From: " + b'"' * 200_000, b"To: " + b'\\"' * 100_000),
    "brackets-in-an-address": lambda: bare(b"From: " + b"(" * 200_000, b"To: " + b"<" * 200_000),
    "groups-in-an-address": lambda: bare(b"To: " + b"a@b:" * 100_000),
    "commas-in-an-address": lambda: bare(b"To: " + b"a," * 200_000, b"Cc: " + b"a@b.example, " * 100_000),
    "parameters": lambda: bare(b"Content-Type: text/plain" + b"; a=b" * 100_000),
    "continued-parameters": lambda: bare(
        b"Content-Disposition: attachment" + b"".join(b"; filename*%d*=%%41" % n for n in range(50_000))
    ),
    "a-parameter-of-blanks": lambda: bare(b"Content-Type: text/plain; a" + b" " * 500_000 + b"b"),
    "a-parameter-of-backslashes": lambda: bare(b'Content-Type: text/plain; a="' + b"\\" * 500_000),
    "a-name-of-combining-marks": lambda: plain(
        "Content-Disposition: attachment; filename=" + "\u0301\u0316" * 30_000 + ".txt", body="x"
    ),
    "a-domain-of-letters": lambda: bare(b"From: a@" + "é".encode() * 200_000 + b".example"),
    "labels-in-a-domain": lambda: bare(b"From: a@" + "é.".encode() * 200_000),
    "a-date-of-numbers": lambda: bare(b"Date: " + b"1" * MEGABYTE, b"Date: " + b"1 " * MEGABYTE),
    "a-million-references": lambda: bare(b"References: " + b"<a@b>" * 200_000, b"In-Reply-To: " + b"<" * 200_000),
    "a-long-message-id": lambda: bare(b"Message-ID: <" + b"x" * MEGABYTE + b"@x.example>"),
    "base64-of-ten-megabytes": lambda: plain("Content-Transfer-Encoding: base64", body=b"=" * 10 * MEGABYTE),
    "base64-in-pieces": lambda: plain("Content-Transfer-Encoding: base64", body=b"QQ==\r\n" * MEGABYTE),
    "quoted-printable-of-equals": lambda: plain("Content-Transfer-Encoding: quoted-printable", body=b"=" * 5 * MEGABYTE),
    "uuencoded-rubbish": lambda: plain("Content-Transfer-Encoding: x-uuencode", body=b"~\r\n" * MEGABYTE),
    "flowed-paragraph": lambda: plain("Content-Type: text/plain; format=flowed", body=b"word \r\n" * 1_000_000),
    "flowed-quotes": lambda: plain("Content-Type: text/plain; format=flowed", body=b">" * 5 * MEGABYTE),
    "text-of-blanks": lambda: plain(body=b" " * 5 * MEGABYTE + b"x"),
    "attributions": lambda: plain(body=b"On Monday 1 she wrote:\r\n" * 100_000 + b"> x\r\n" + b"y\r\n"),
    "field-blocks": lambda: plain(body=b"From: x\r\nTo: x\r\n\r\n" * 100_000),
    "dashes": lambda: plain(body=b"-" * 5 * MEGABYTE + b"\r\n" + b"_" * 5 * MEGABYTE),
    "undeclared-charset-of-megabytes": lambda: plain(body="зима".encode("koi8-r") * MEGABYTE),
    "utf-7": lambda: plain("Content-Type: text/plain; charset=utf-7", body=b"+" * 5 * MEGABYTE),
    "iso-2022-jp-escapes": lambda: plain("Content-Type: text/plain; charset=iso-2022-jp", body=b"\x1b$B\x1b(B" * MEGABYTE),
    "undeclared-charset-in-every-part": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b",
        body=multipart("b", *[part(b"X: y", body=f"зима и весна {n} раз".encode("koi8-r")) for n in range(500)]),
    ),
    "undeclared-charset-in-every-header": lambda: bare(
        *[b"Received: " + f"зима и весна {n} раз".encode("koi8-r") for n in range(1_900)],
        *[b"To: " + f"зима и весна {n} раз".encode("koi8-r") for n in range(100)],
    ),
    "undeclared-charset-in-every-name": lambda: plain(
        "Content-Type: multipart/mixed; boundary=b",
        body=multipart("b", *[
            part(b"Content-Disposition: attachment; filename=" + f"зима и весна {n} раз".encode("koi8-r"), body="x")
            for n in range(500)
        ]),
    ),
    "unknown-charsets-in-words": lambda: bare(b"Subject: " + (b"a =?x?Q?" + b"=e4" * 20 + b"?= ") * 1_000),
    "calendar": lambda: plain("Content-Type: text/calendar", body=b"BEGIN:VEVENT\r\nSUMMARY:x\r\n" * 200_000),
    "delivery-report": lambda: plain(
        "Content-Type: multipart/report; boundary=b",
        body=multipart("b", TEXT, part("Content-Type: message/delivery-status", body=b"Action: failed\r\n\r\n" * 300_000)),
    ),
    "html-deep-blocks": lambda: html("<div>" * 200_000),
    "html-deep-formatting": lambda: html("".join(f"<font x{n}>" for n in range(50_000)) + "<p>" * 50_000),
    "html-formatting-below-the-limit": lambda: html("".join(f"<font x{n}><li>" for n in range(499)) + "<p>x" * 1_000),
    "html-tables-that-do-not-close": lambda: html("<div><table></div></table>" * 50_000),
    "html-mixed-up": lambda: html("<b><i><p></b></i></p>" * 50_000),
    "html-attributes": lambda: html("<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">"),
    "html-attributes-without-values": lambda: html("<p" + " a" * 500_000 + ">"),
    "html-open-tags": lambda: html("<" * MEGABYTE),
    "html-comments": lambda: html("<!--" * 250_000),
    "html-entities": lambda: html("&" * MEGABYTE),
    "html-deep-blocks-closed-in-a-value": lambda: html('<div title="</div>">' * 50_000),
    "html-deep-blocks-closed-in-a-comment": lambda: html("<div><!<!-- -->-- </div> -->" * 50_000),
    "html-deep-blocks-closed-in-a-declaration": lambda: html("<div><!</div>" * 50_000),
    "html-deep-blocks-closed-by-another-name": lambda: html("<div\0></div>" * 50_000 + "<div<p></div>" * 50_000),
    "html-deep-blocks-that-seem-empty": lambda: html("<div/>" * 100_000),
    "html-deep-blocks-behind-a-comment-in-a-style": lambda: html("<style><!--</style>" + "<div>" * 100_000 + "-->"),
    "html-deep-blocks-in-bad-quotes": lambda: html("<div>" * 400 + ("<x y\"='" + "</div>" * 400 + "'>" + "<div>" * 400) * 200),
    "html-text-between-cells": lambda: html("<table>" + "x<br>" * 100_000),
    "html-items-in-items": lambda: html("<dd><li>" * 50_000),
    "html-references-that-are-none": lambda: html("&x;" * 300_000),
    "html-declarations-without-end": lambda: html("<!" * 500_000),
    "html-links": lambda: html('<a href="https://a.example/">https://b.example</a>' * 20_000),
    "html-open-links": lambda: html('<a href="https://a.example/">' * 20_000),
    "html-quotations": lambda: html("<blockquote>x" * 20_000),
    "html-meta": lambda: html("<meta " * 200_000),
    "html-style": lambda: html('<p style="' + "a:b;" * 200_000 + '">x</p>'),
    "html-data-images": lambda: html('<img src="data:image/png;base64,' + "A" * 500_000 + '">'),
    "rtf-groups": lambda: tnef(compressed_rtf(b"{\\rtf1 " + b"{" * 400_000)),
    "rtf-controls": lambda: tnef(compressed_rtf(b"{\\rtf1 " + b"\\u1?" * 100_000)),
    "tnef-attachments": lambda: plain(
        "Content-Type: application/ms-tnef",
        body=b"\x78\x9f\x3e\x22\x01\x00" + (b"\x02\x02\x90\x06\x00" + b"\0" * 6) * 500_000,
    ),
    "tnef-lies-about-its-length": lambda: plain(
        "Content-Type: application/ms-tnef", body=b"\x78\x9f\x3e\x22\x01\x00\x01\x03\x90\x06\x00\xff\xff\xff\xff"
    ),
    "tnef-lies-about-its-properties": lambda: plain(
        "Content-Type: application/ms-tnef",
        body=b"\x78\x9f\x3e\x22\x01\x00\x01\x03\x90\x06\x00\x10\x00\x00\x00\xff\xff\xff\xff" + b"\x03\x10" * 6 + b"\0\0",
    ),
}  # fmt: skip


def tnef(rtf: bytes) -> bytes:
    padded = rtf + b"\0" * (-len(rtf) % 4)
    properties = b"\x01\0\0\0\x02\x01\x09\x10\x01\0\0\0" + len(rtf).to_bytes(4, "little") + padded
    return plain(
        "Content-Type: application/ms-tnef",
        body=b"\x78\x9f\x3e\x22\x01\x00\x01\x03\x90\x06\x00"
        + len(properties).to_bytes(4, "little")
        + properties
        + b"\0\0",
    )


@pytest.mark.parametrize("name", LARGE)
def test_a_mail_made_to_stop_the_reader_becomes_a_ticket_in_time(name: str) -> None:
    raw = LARGE[name]()
    with processor_time():
        becomes_a_ticket(raw)


def test_of_too_many_parts_or_levels_the_first_are_read_and_that_is_said() -> None:
    many = parse(LARGE["ten-thousand-attachments-of-one-name"]())
    assert many.kind is MessageKind.UNPARSED
    assert many.problem == "The mail has more than 500 parts; the first 500 were read."
    assert len({each.name for each in many.attachments}) == 499
    deep = parse(nested(1_000))
    assert deep.kind is MessageKind.UNPARSED
    assert deep.problem == "The mail has more than 30 levels of parts; what is deeper was not taken apart."
    assert deep.subject == "Deep"
    assert parse(nested(25)).text == "Hello."


def test_an_attached_zip_bomb_is_listed_and_not_opened() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("zeros", b"\0" * 200 * MEGABYTE)
    bomb = part(
        "Content-Type: application/zip; name=bomb.zip", "Content-Transfer-Encoding: base64", body=b64(buffer.getvalue())
    )
    raw = plain("Content-Type: multipart/mixed; boundary=b", body=multipart("b", TEXT, bomb))
    with processor_time():
        (found,) = parse(raw).attachments
        assert (found.name, found.type, found.size) == ("bomb.zip", "application/zip", len(buffer.getvalue()))
        assert extract(raw, "2")[1] == buffer.getvalue()


def test_compressed_content_is_not_inflated_by_reading() -> None:
    raw = plain(
        "Content-Type: application/gzip", "Content-Encoding: deflate", body=zlib.compress(b"\0" * 50 * MEGABYTE)
    )
    with processor_time():
        assert read(raw).parsed.attachments[0].size < MEGABYTE


def test_compressed_rtf_that_claims_gigabytes_gives_what_is_there() -> None:
    claims = b"\0\0\0\0" + (2**32 - 1).to_bytes(4, "little") + b"LZFu" + b"\0" * 4
    references = b"\xff" + b"\x00\x0f" * 8
    with processor_time():
        assert len(decompressed(claims + references * 100_000)) <= MEGABYTE


def test_outlook_s_own_example_of_compressed_rtf_is_read() -> None:
    # [MS-OXRTFCP], section 4.1.1.
    example = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a0072637067313235423208f32068656c0900206277 05b06c647d0a800fa0".replace(
            " ", ""
        ).replace("3208f3", "320af3")
    )
    assert decompressed(example) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_html_that_people_send_is_not_taken_for_too_complex() -> None:
    newsletter = "<table><tr><td><div><p><b><font color=red>Hello</font></b><br>x</p></div></td></tr></table>" * 5_000
    assert parsable(newsletter) is not None
    outlook = "<p class=MsoNormal><span lang=EN><o:p>&nbsp;</o:p></span></p><li><p>x<b>y</b>" * 5_000
    assert parsable(outlook) is not None
    assert parsable("<font>" * 5_000) is None


def test_html_that_is_too_complex_is_shown_as_text_and_that_is_said() -> None:
    raw = html("".join(f"<font x{n}>" for n in range(5_000)) + "<script>alert(1)</script>Hi" + "<p>" * 5_000)
    shown = display(raw, _inline)
    assert shown.html.endswith("Hi</pre>")
    assert "<script" not in shown.html
    assert shown.warnings == ("The HTML of this mail is nested too deeply to be shown; this is its text.",)


def test_remote_images_are_shown_to_a_reader_who_asks_for_them() -> None:
    raw = html('<img src="https://northwind.example/logo.png"><img src="//northwind.example/2.png">')
    assert display(raw, _inline).remote == 2
    shown = display(raw, _inline, show_remote=True)
    assert 'src="https://northwind.example/logo.png"' in shown.html
    assert 'src="https://northwind.example/2.png"' in shown.html
    assert shown.remote == 0


def test_nothing_of_a_header_can_begin_another_line() -> None:
    evil = "=?utf-8?Q?x=0D=0ABcc:_all@fabrikam.example=0A=E2=80=A8y?="
    parsed = parse(
        bare(
            f"Subject: {evil}",
            f"From: {evil} <a@x.example>",
            f"To: {evil} <b@x.example>",
            f'Content-Disposition: attachment; filename="{evil}"',
            f"X-Auto-Response-Suppress: OOF {evil}",
            f"Message-ID: <{evil}@x>",
        )
    )
    lines = [parsed.subject, parsed.sender_line, parsed.recipient_line, parsed.message_id, parsed.attachments[0].name]
    for line in [*lines, *parsed.classification.reasons, str(parsed.recipients[0])]:
        assert len(line.splitlines()) == 1


def test_a_sender_s_name_can_not_pass_for_an_address() -> None:
    parsed = parse(bare('From: "boss@fabrikam.example" <eve@evil.example>'))
    assert parsed.sender.address == "eve@evil.example"
    assert parsed.author == "eve@evil.example"
    assert parse(bare("From: a@x.example, b@x.example")).author == ""


def _inline(attachment: Attachment) -> str:
    return attachment.section
