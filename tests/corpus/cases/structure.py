"""Structure: nested multiparts, mails in mails, flowed text, calendars, S/MIME, PGP, transfer encodings, broken MIME."""

from tests.corpus.case import TEXT, Case, b64, multipart, part, plain, qp
from tests.corpus.containers import TNEF_RTF, TNEF_WITH_FILES

_PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")
_HTML = part("Content-Type: text/html; charset=utf-8", body="<p>Please see the <b>attachment</b>.</p>")
_IMAGE = part(
    "Content-Type: image/png; name=logo.png",
    "Content-ID: <logo@northwind>",
    "Content-Disposition: inline; filename=logo.png",
    "Content-Transfer-Encoding: base64",
    body=b64(_PNG),
)
_PDF = part(
    "Content-Type: application/pdf",
    'Content-Disposition: attachment; filename="plan.pdf"',
    "Content-Transfer-Encoding: base64",
    body=b64(b"%PDF-1.7 plan"),
)
_INVITATION = """BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
SUMMARY:Printer main\r
 tenance\\, floor 3\r
DTSTART;TZID=Europe/Prague:20261124T090000\r
DTEND;TZID=Europe/Prague:20261124T100000\r
LOCATION:Room 3.14\r
ORGANIZER;CN=Ada:mailto:ada@northwind.example\r
BEGIN:VALARM\r
SUMMARY:not this one\r
END:VALARM\r
END:VEVENT\r
END:VCALENDAR\r
"""
_EVENT = (
    "Invitation: Printer maintenance, floor 3, 2026-11-24 09:00 Europe/Prague to 2026-11-24 10:00 Europe/Prague, "
    "Room 3.14, ada@northwind.example"
)
_INNER = plain("Subject: The inner mail", "Message-ID: <inner@northwind.example>", body="Inside.\r\n")
_SIGNED = part("Content-Type: text/plain", body="Signed text.")


def _mixed(*parts: bytes, kind: str = "mixed", boundary: str = "b", more: str = "") -> bytes:
    return plain(f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}', body=multipart(boundary, *parts))


def _inner(kind: str, boundary: str, *parts: bytes) -> bytes:
    return part(f"Content-Type: multipart/{kind}; boundary={boundary}", body=multipart(boundary, *parts))


def _text(name: str, *lines: str, body: str | bytes, text: str) -> Case:
    return Case(name, plain(*lines, body=body), {"kind": "parsed", "text": text})


_SEEN = "Please see the attachment."
CASES = [
    Case("alternative", _mixed(TEXT, _HTML, kind="alternative"), {"text": _SEEN, "files": [], "shows": "<b>attachment</b>"}),
    Case("alternative-of-html-only", _mixed(_HTML, kind="alternative"), {"text": _SEEN, "files": []}),
    Case("mixed", _mixed(TEXT, _PDF), {"text": _SEEN, "files": [["plan.pdf", "application/pdf", 13, "2"]]}),
    Case(
        "mixed-related-alternative",
        _mixed(_inner("related", "r", _inner("alternative", "a", TEXT, _HTML), _IMAGE), _PDF),
        {"text": _SEEN, "files": [["logo.png", "image/png", 33, "1.2"], ["plan.pdf", "application/pdf", 13, "2"]]},
    ),
    Case(
        "related-shows-its-image",
        _mixed(part("Content-Type: text/html", body='<img src="cid:logo@northwind">Logo'), _IMAGE, kind="related"),
        {"text": "Logo", "shows": '<img src="/inline/2">', "files": [["logo.png", "image/png", 33, "2"]]},
    ),
    Case("text-around-an-image", _mixed(TEXT, _IMAGE, part("Content-Type: text/plain", body="And after.")),
         {"text": f"{_SEEN}\n\nAnd after.", "files": [["logo.png", "image/png", 33, "2"]]}),
    Case("text-as-an-attachment", _mixed(TEXT, part("Content-Disposition: attachment; filename=log.txt", body="secret")),
         {"text": _SEEN, "files": [["log.txt", "text/plain", 6, "2"]]}),
    Case("same-name-twice", _mixed(TEXT, _PDF, _PDF), {"names": ["plan.pdf", "plan (2).pdf"]}),
    Case("attachment-only", plain("Content-Type: application/pdf; name=plan.pdf", "Content-Transfer-Encoding: base64",
         body=b64(b"%PDF")), {"text": "", "files": [["plan.pdf", "application/pdf", 4, "1"]]}),
    Case("mail-in-a-mail", _mixed(TEXT, part("Content-Type: message/rfc822", body=_INNER)),
         {"text": _SEEN, "names": ["message.eml"], "subject": ""}),
    Case("digest", _mixed(part("", body=_INNER), part("", body=_INNER), kind="digest"),
         {"kind": "parsed", "names": ["message.eml", "message (2).eml"]}),
    Case("no-closing-delimiter", plain('Content-Type: multipart/mixed; boundary="b"',
         body=multipart("b", TEXT, _PDF, closed=False)), {"text": _SEEN, "names": ["plan.pdf"]}),
    Case("inner-multipart-not-closed", _mixed(
         part("Content-Type: multipart/alternative; boundary=a", body=multipart("a", TEXT, _HTML, closed=False)), _PDF),
         {"text": _SEEN, "names": ["plan.pdf"]}),
    Case("boundary-missing", plain("Content-Type: multipart/mixed", body="Only text."), {"kind": "parsed", "text": "Only text."}),
    Case("boundary-that-never-comes", plain("Content-Type: multipart/mixed; boundary=b", body="Only text."),
         {"kind": "parsed", "text": "Only text."}),
    Case("boundary-with-special-characters", plain('Content-Type: multipart/mixed; boundary="=_(.*)+?[a]"',
         body=multipart("=_(.*)+?[a]", TEXT, _PDF)), {"text": _SEEN, "names": ["plan.pdf"]}),
    Case("boundary-like-another", _mixed(_inner("alternative", "b2", TEXT, _HTML), _PDF), {"text": _SEEN, "names": ["plan.pdf"]}),
    Case("preamble-and-epilogue", plain('Content-Type: multipart/mixed; boundary="b"',
         body=b"This is MIME.\r\n" + multipart("b", TEXT) + b"The end.\r\n"), {"text": _SEEN}),
    Case("part-without-header", _mixed(b"\r\nJust text."), {"text": "Just text."}),
    Case("part-whose-text-begins-at-once", _mixed(b"Just text, no blank line."), {"text": "Just text, no blank line."}),
    Case("line-feeds-only", _mixed(TEXT, _PDF).replace(b"\r\n", b"\n"), {"text": _SEEN, "files": [["plan.pdf", "application/pdf", 13, "2"]]}),
    _text("type-of-old", "Content-Type: text", body="Old.", text="Old."),
    _text("type-unreadable", "Content-Type: ;;;", body="Strange.", text="Strange."),
    _text("empty-body", body="", text=""),
    _text("base64-text", "Content-Transfer-Encoding: base64", body=b64("Grüße".encode()), text="Grüße"),
    _text("base64-without-padding", "Content-Transfer-Encoding: base64", body="SGVsbG8", text="Hello"),
    _text("base64-with-rubbish", "Content-Transfer-Encoding: BASE64", body="SGV*sb\r\n G8=\r\n-- \r\n", text="Hello"),
    _text("base64-in-two-pieces", "Content-Transfer-Encoding: base64", body="SGVsbG8=\r\nIEFkYQ==\r\n", text="Hello Ada"),
    _text("quoted-printable", "Content-Transfer-Encoding: quoted-printable", body=b"Gr=C3=BC=\r\n=C3=9Fe", text="Grüße"),
    _text("quoted-printable-broken", "Content-Transfer-Encoding: quoted-printable", body=b"100=% =G1 =\r\nok=", text="100=% =G1 ok"),
    _text("uuencoded", "Content-Transfer-Encoding: x-uuencode", body=b"begin 644 t\r\n%2&5L;&\\ \r\n`\r\nend\r\n", text="Hello"),
    _text("unknown-transfer-encoding", "Content-Transfer-Encoding: x-quantum", body="Plain.", text="Plain."),
    _text("flowed", "Content-Type: text/plain; format=flowed", body="A long \r\nparagraph.\r\nA line.\r\n", text="A long paragraph.\nA line."),
    _text("flowed-delsp", "Content-Type: text/plain; format=flowed; delsp=yes", body="日本 \r\n語\r\n", text="日本語"),
    _text("flowed-stuffed", "Content-Type: text/plain; format=flowed", body=" >not a quote\r\n From here\r\n", text=">not a quote\nFrom here"),
    _text("flowed-signature", "Content-Type: text/plain; format=flowed", body="Bye \r\n-- \r\nAda\r\n", text="Bye\n--\nAda"),
    _text("control-characters-in-text", body=b"a\x00b\x1b[31mc\x07\r\nd\ttab", text="ab[31mc\nd\ttab"),
    _text("html-only", "Content-Type: text/html", body="<style>p{color:red}</style><p>One</p><p>Two<br>Three</p>", text="One\n\nTwo\nThree"),
    _text("html-list-and-table", "Content-Type: text/html",
          body="<ul><li>a<li>b</ul><table><tr><td>1<td>2</tr><tr><td>3<td>4</table>", text="- a\n- b\n\n1 2\n3 4"),
    _text("html-entities", "Content-Type: text/html", body="<p>5&nbsp;&euro; &lt;b&gt; &amp;amp; &#128424;</p>", text="5 € <b> &amp; 🖨"),
    _text("html-charset-in-meta", "Content-Type: text/html",
          body=b'<meta http-equiv=Content-Type content="text/html; charset=iso-8859-2"><p>\xbe\xe1dost</p>', text="žádost"),
    _text("html-outlook-comments", "Content-Type: text/html",
          body="<!--[if mso]><table><tr><td>hidden</td></tr></table><![endif]--><p>Shown<o:p></o:p></p>", text="Shown"),
    Case("calendar-in-alternative", _mixed(TEXT, part("Content-Type: text/calendar; method=REQUEST", body=_INVITATION), kind="alternative"),
         {"text": _SEEN, "events": [_EVENT], "names": ["invitation.ics"]}),
    Case("calendar-only", plain("Content-Type: text/calendar; method=REQUEST", body=_INVITATION), {"text": _EVENT, "events": [_EVENT]}),
    Case("smime-signed", _mixed(_SIGNED, part("Content-Type: application/pkcs7-signature; name=smime.p7s",
         "Content-Transfer-Encoding: base64", body=b64(b"signature")), kind="signed", more='; protocol="application/pkcs7-signature"'),
         {"text": "Signed text.", "protection": "S/MIME signed", "files": [["smime.p7s", "application/pkcs7-signature", 9, "2"]]}),
    Case("smime-encrypted", plain("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
         "Content-Transfer-Encoding: base64", body=b64(b"enveloped")),
         {"text": "", "protection": "S/MIME encrypted", "files": [["smime.p7m", "application/pkcs7-mime", 9, "1"]]}),
    Case("smime-opaque", plain("Content-Type: application/x-pkcs7-mime; smime-type=signed-data", "Content-Transfer-Encoding: base64",
         body=b64(b"signed")), {"protection": "S/MIME signed", "names": ["smime.p7m"]}),
    Case("pgp-signed", _mixed(_SIGNED, part("Content-Type: application/pgp-signature", body="-----BEGIN PGP SIGNATURE-----"),
         kind="signed", more='; protocol="application/pgp-signature"'),
         {"text": "Signed text.", "protection": "PGP signed", "names": ["signature.asc"]}),
    Case("pgp-encrypted", _mixed(part("Content-Type: application/pgp-encrypted", body="Version: 1"),
         part("Content-Type: application/octet-stream; name=encrypted.asc", body="-----BEGIN PGP MESSAGE-----"),
         kind="encrypted", more='; protocol="application/pgp-encrypted"'),
         {"text": "", "protection": "PGP encrypted", "names": ["version.asc", "encrypted.asc"]}),
    Case("pgp-in-the-text", plain(body="-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n"),
         {"protection": "PGP encrypted"}),
    Case("tnef-with-files", _mixed(TEXT, part("Content-Type: application/ms-tnef; name=winmail.dat",
         "Content-Transfer-Encoding: base64", body=b64(TNEF_WITH_FILES))),
         {"text": _SEEN, "files": [["Übersicht.txt", "text/plain", 5, "2/1"], ["OLD83.TXT", "application/octet-stream", 3, "2/2"]]}),
    Case("tnef-body-only", plain("Content-Type: application/ms-tnef; name=winmail.dat", "Content-Transfer-Encoding: base64",
         body=b64(TNEF_RTF)), {"text": "Grüße from RTF\nsecond line – €5", "files": []}),
    Case("tnef-damaged", _mixed(TEXT, part("Content-Type: application/ms-tnef; name=winmail.dat",
         "Content-Transfer-Encoding: base64", body=b64(TNEF_WITH_FILES[:120]))),
         {"text": _SEEN, "files": [["winmail.dat", "application/ms-tnef", 120, "2"]]}),
    Case("tnef-that-is-none", _mixed(TEXT, part("Content-Type: application/ms-tnef", body="hello")),
         {"text": _SEEN, "names": ["winmail.dat"]}),
    Case("apple-double", _mixed(TEXT, _inner("appledouble", "d",
         part("Content-Type: application/applefile; name=plan.pdf", "Content-Transfer-Encoding: base64", body=b64(b"fork")), _PDF)),
         {"text": _SEEN, "names": ["plan.pdf", "plan (2).pdf"]}),
    Case("quoted-printable-html", plain("Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable",
         body=qp("<p>Grüße</p>".encode())), {"text": "Grüße", "shows": "<p>Grüße</p>"}),
]  # fmt: skip
