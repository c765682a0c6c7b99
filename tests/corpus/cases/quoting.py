"""New text apart from quoted text, as the common mailers write it."""

from tests.corpus.case import Case, plain, qp


def _answer(name: str, body: str, new: str, quoted: str | None = None, *lines: str) -> Case:
    kind = lines or ("Content-Type: text/plain; charset=utf-8",)
    raw = plain(*kind, "Content-Transfer-Encoding: quoted-printable", body=qp(body.encode()))
    return Case(f"answer-{name}", raw, {"text": new} if quoted is None else {"text": new, "quoted": quoted})


def _html(name: str, body: str, new: str) -> Case:
    return _answer(name, body, new, None, "Content-Type: text/html; charset=utf-8")


def _wrote(name: str, attribution: str) -> Case:
    return _answer(
        f"attribution-{name}",
        f"Thanks.\n\n{attribution}\n> It is broken.\n> Ada\n",
        "Thanks.",
        f"{attribution}\n> It is broken.\n> Ada",
    )


def _block(name: str, *fields: str) -> Case:
    block = "\n".join(fields)
    return _answer(f"outlook-{name}", f"Thanks.\n\n{block}\n\nIt is broken.\n", "Thanks.", f"{block}\n\nIt is broken.")


_OUTLOOK_HTML = """<div>Thanks.</div><hr><div id="divRplyFwdMsg"><b>From:</b> Ada &lt;ada@northwind.example&gt;<br>
<b>Sent:</b> Monday, November 23, 2026 8:12 AM<br><b>To:</b> Desk<br><b>Subject:</b> Printer</div><div>It is broken.</div>"""
_GMAIL_HTML = """<div dir="ltr">Thanks.</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon, Nov 23, 2026 at 8:12 AM
Ada &lt;<a href="mailto:ada@northwind.example">ada@northwind.example</a>&gt; wrote:<br></div><blockquote>It is broken.</blockquote></div>"""
_APPLE_HTML = """Thanks.<br><div><blockquote type="cite"><div>On 23 Nov 2026, at 08:12, Ada &lt;ada@northwind.example&gt; wrote:</div>
<div>It is broken.</div></blockquote></div>"""
CASES = [
    _wrote("english", "On Mon, Nov 23, 2026 at 8:12 AM Ada <ada@northwind.example> wrote:"),
    _wrote("two-lines", "On Mon, Nov 23, 2026 at 8:12 AM Ada Novak\n<ada@northwind.example> wrote:"),
    _wrote("apple", "On 23 Nov 2026, at 08:12, Ada <ada@northwind.example> wrote:"),
    _wrote("german", "Am 23.11.2026 um 08:12 schrieb Ada <ada@northwind.example>:"),
    _wrote("french", "Le lun. 23 nov. 2026 à 08:12, Ada <ada@northwind.example> a écrit :"),
    _wrote("spanish", "El lun, 23 nov 2026 a las 8:12, Ada (<ada@northwind.example>) escribió:"),
    _wrote("italian", "Il giorno lun 23 nov 2026 alle ore 08:12 Ada <ada@northwind.example> ha scritto:"),
    _wrote("portuguese", "Em seg., 23 de nov. de 2026 às 08:12, Ada <ada@northwind.example> escreveu:"),
    _wrote("dutch", "Op ma 23 nov 2026 om 08:12 schreef Ada <ada@northwind.example>:"),
    _wrote("swedish", "Den mån 23 nov. 2026 kl 08:12 skrev Ada <ada@northwind.example>:"),
    _wrote("polish", "pon., 23 lis 2026 o 08:12 Ada <ada@northwind.example> napisał(a):"),
    _wrote("russian", "23.11.2026 8:12, Ada пишет:"),
    _wrote("japanese", "2026年11月23日(月) 8:12 Ada <ada@northwind.example>のメール:"),
    _block("english", "From: Ada <ada@northwind.example>", "Sent: Monday, November 23, 2026 8:12 AM", "To: Desk", "Subject: Printer"),
    _block("german", "Von: Ada <ada@northwind.example>", "Gesendet: Montag, 23. November 2026 08:12", "An: Desk", "Betreff: Drucker"),
    _block("french", "De : Ada <ada@northwind.example>", "Envoyé : lundi 23 novembre 2026 08:12", "À : Desk", "Objet : Imprimante"),
    _block("rule", "________________________________", "From: Ada", "Sent: Monday", "To: Desk", "Subject: Printer"),
    _block("mobile", "*From:* Ada", "*Sent:* Monday", "*To:* Desk", "*Subject:* Printer"),
    _answer("original-message", "Thanks.\n\n-----Original Message-----\nFrom: Ada\nSent: Monday\n\nIt is broken.\n", "Thanks.",
            "-----Original Message-----\nFrom: Ada\nSent: Monday\n\nIt is broken."),
    _answer("german-original", "Danke.\n\n-----Ursprüngliche Nachricht-----\nVon: Ada\n\nKaputt.\n", "Danke.",
            "-----Ursprüngliche Nachricht-----\nVon: Ada\n\nKaputt."),
    _answer("quotes-without-attribution", "Thanks.\n\n> It is broken.\n", "Thanks.", "> It is broken."),
    _answer("between-the-lines", "On Monday, Ada wrote:\n> Which floor?\nThe third.\n> Since when?\nSince today.\n",
            "On Monday, Ada wrote:\n> Which floor?\nThe third.\n> Since when?\nSince today.", ""),
    _answer("below-the-quotation", "> Which floor?\n\nThe third.\n", "> Which floor?\n\nThe third.", ""),
    _answer("nothing-but-quotation", "> Which floor?\n", "> Which floor?", ""),
    _answer("first-mail", "It is broken.\n\nAda\n", "It is broken.\n\nAda", ""),
    _answer("forwarded", "Please handle.\n\n---------- Forwarded message ---------\nFrom: Ada\nDate: Monday\nSubject: Printer\nTo: Desk\n\nIt is broken.\n",
            "Please handle.\n\n---------- Forwarded message ---------\nFrom: Ada\nDate: Monday\nSubject: Printer\nTo: Desk\n\nIt is broken.", ""),
    _answer("forwarded-by-apple", "Begin forwarded message:\n\nFrom: Ada\nSubject: Printer\nDate: Monday\nTo: Desk\n\nIt is broken.\n",
            "Begin forwarded message:\n\nFrom: Ada\nSubject: Printer\nDate: Monday\nTo: Desk\n\nIt is broken.", ""),
    _answer("talks-of-writing", "On the label somebody wrote: do not touch.\nIt is broken.\n",
            "On the label somebody wrote: do not touch.\nIt is broken.", ""),
    _answer("names-a-field", "From: the third floor comes this printer.\nIt is broken.\n", "From: the third floor comes this printer.\nIt is broken.", ""),
    _html("outlook-html", _OUTLOOK_HTML, "Thanks."),
    _html("gmail-html", _GMAIL_HTML, "Thanks."),
    _html("apple-html", _APPLE_HTML, "Thanks."),
]  # fmt: skip
