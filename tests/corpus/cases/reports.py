"""What kind of mail it is: reports, receipts, automatic answers, lists, loops, verdicts on spam, and people's mail."""

from tests.corpus.case import Case, bare, multipart, part, plain

_RETURNED = part("Content-Type: message/rfc822", body=plain("Message-ID: <sent.1@fabrikam.example>", "Subject: Offer"))
_RETURNED_HEADERS = part(
    "Content-Type: text/rfc822-headers", body="Message-ID: <sent.1@fabrikam.example>\r\nSubject: Offer\r\n"
)
_SAYS = part("Content-Type: text/plain", body="Your message could not be delivered.")
_ROBOT = ("From: MAILER-DAEMON@mx.example", "To: desk@fabrikam.example", "Subject: Undelivered Mail Returned to Sender")


def _status(
    action: str,
    status: str,
    reason: str = "smtp; 550 5.1.1 no such user",
    recipient: str = "rfc822; Bob@Contoso.example",
) -> bytes:
    fields = f"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
    return part("Content-Type: message/delivery-status", body=f"{fields}Diagnostic-Code: {reason}\r\n")


def _report(*parts: bytes, kind: str = "delivery-status", head: tuple[str, ...] = _ROBOT) -> bytes:
    return bare(*head, f'Content-Type: multipart/report; report-type={kind}; boundary="b"', body=multipart("b", *parts))


def _marked(name: str, *lines: str, classes: list[str], reason: str) -> Case:
    return Case(
        f"marked-{name}", plain(*lines), {"kind": "parsed", "classes": classes, "reason": reason, "text": "Hello."}
    )


def _person(name: str, *lines: str) -> Case:
    return Case(f"person-{name}", plain(*lines), {"kind": "parsed", "classes": []})


_FAILED = {
    "action": "failed",
    "message_id": "<sent.1@fabrikam.example>",
    "recipients": ["bob@contoso.example"],
    "status": "5.1.1",
}
_VERDICT = "CIP:203.0.113.7;CTRY:;LANG:en;SCL:{scl};SRV:;IPV:NLI;SFV:{sfv};H:mx.example;CAT:{cat};DIR:INB;"
_SPAM = ["spam"]
_AUTO = ["automatic"]
CASES = [
    Case("bounce", _report(_SAYS, _status("failed", "5.1.1"), _RETURNED),
         {"classes": ["bounce", "automatic"], "report": {**_FAILED, "reason": "550 5.1.1 no such user"}}),
    Case("bounce-with-headers-only", _report(_SAYS, _status("failed", "5.1.1"), _RETURNED_HEADERS),
         {"classes": ["bounce", "automatic"], "report": _FAILED}),
    Case("bounce-without-the-mail", _report(_SAYS, _status("failed", "5.1.1")),
         {"classes": ["bounce", "automatic"], "report": {**_FAILED, "message_id": ""}}),
    Case("bounce-of-one-recipient-of-two", _report(_SAYS, part("Content-Type: message/delivery-status", body=(
         "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@contoso.example\r\nAction: relayed\r\nStatus: 2.0.0\r\n\r\n"
         "Final-Recipient: rfc822; b@contoso.example\r\nAction: failed\r\nStatus: 5.2.2\r\n")), _RETURNED),
         {"classes": ["bounce", "automatic"], "report": {"action": "failed", "status": "5.2.2",
          "recipients": ["a@contoso.example", "b@contoso.example"]}}),
    Case("bounce-of-exchange", _report(_SAYS, _status("failed", "5.1.10"), _RETURNED, head=(
         "From: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>", "To: desk@fabrikam.example",
         "Subject: Undeliverable: Offer", "Auto-Submitted: auto-replied")),
         {"classes": ["bounce", "automatic"], "report": {"status": "5.1.10", "message_id": "<sent.1@fabrikam.example>"}}),
    Case("bounce-of-qmail", bare("From: MAILER-DAEMON@mx.example", "Subject: failure notice", body=(
         "Hi. This is the qmail-send program at mx.example.\r\n<bob@contoso.example>:\r\nSorry, no mailbox here.\r\n\r\n"
         "--- Below this line is a copy of the message.\r\n\r\nMessage-ID: <sent.1@fabrikam.example>\r\nSubject: Offer\r\n")),
         {"classes": ["bounce", "automatic"], "report": {"action": "failed", "message_id": "<sent.1@fabrikam.example>"}}),
    Case("bounce-of-exim", bare("From: Mail Delivery System <Mailer-Daemon@mx.example>", "X-Failed-Recipients: bob@contoso.example",
         "Auto-Submitted: auto-replied", "Subject: Mail delivery failed: returning message to sender", body=(
         "A message that you sent could not be delivered.\r\n\r\n  Message-ID: <sent.1@fabrikam.example>\r\n")),
         {"classes": ["bounce", "automatic"], "report": {"recipients": ["bob@contoso.example"], "message_id": "<sent.1@fabrikam.example>"}}),
    Case("delayed", _report(_SAYS, _status("delayed", "4.4.1"), _RETURNED), {"classes": _AUTO, "report": {"action": "delayed", "status": "4.4.1"}}),
    Case("delivered", _report(_SAYS, _status("delivered", "2.1.5"), _RETURNED), {"classes": _AUTO, "report": {"action": "delivered"}}),
    Case("report-damaged", _report(_SAYS, part("Content-Type: message/delivery-status", body="\x00\r\n\r\n:::\r\n")),
         {"kind": "parsed", "classes": ["bounce", "automatic"]}),
    Case("receipt", _report(_SAYS, part("Content-Type: message/disposition-notification", body=(
         "Final-Recipient: rfc822; bob@contoso.example\r\nOriginal-Message-ID: <sent.1@fabrikam.example>\r\n"
         "Disposition: manual-action/MDN-sent-manually; displayed\r\n")), kind="disposition-notification",
         head=("From: bob@contoso.example", "To: desk@fabrikam.example", "Subject: Read: Offer")),
         {"classes": _AUTO, "report": {"action": "read", "message_id": "<sent.1@fabrikam.example>"}}),
    Case("receipt-of-a-deleted-mail", _report(_SAYS, part("Content-Type: message/disposition-notification", body=(
         "Disposition: automatic-action/MDN-sent-automatically; deleted\r\n")), kind="disposition-notification",
         head=("From: bob@contoso.example", "Subject: Not read: Offer")), {"classes": _AUTO, "report": {"action": "receipt"}}),
    _marked("auto-replied", "Auto-Submitted: auto-replied", classes=_AUTO, reason="Auto-Submitted: auto-replied"),
    _marked("auto-generated", "Auto-Submitted: auto-generated (cron)", classes=_AUTO, reason="Auto-Submitted: auto-generated (cron)"),
    _marked("precedence-bulk", "Precedence: Bulk", classes=_AUTO, reason="Precedence: bulk"),
    _marked("precedence-auto-reply", "X-Precedence: auto_reply", classes=_AUTO, reason="X-Precedence: auto_reply"),
    _marked("precedence-list", "Precedence: list", classes=["list"], reason="Precedence: list"),
    _marked("autoreply-header", "X-Autoreply: yes", classes=_AUTO, reason="X-Autoreply: yes"),
    _marked("autorespond-header", "X-Autorespond: 1", classes=_AUTO, reason="X-Autorespond: 1"),
    _marked("autogenerated-header", "X-Autogenerated: Reply", classes=_AUTO, reason="X-Autogenerated: Reply"),
    _marked("machine-generated-header", "X-FC-MachineGenerated: true", classes=_AUTO, reason="X-Fc-Machinegenerated: true"),
    _marked("amazon", "X-AMAZON-MAIL-RELAY-TYPE: notification", classes=_AUTO, reason="X-Amazon-Mail-Relay-Type: notification"),
    _marked("suppress", "X-Auto-Response-Suppress: DR, OOF, AutoReply", classes=_AUTO, reason="X-Auto-Response-Suppress: dr, oof, autoreply"),
    _marked("empty-return-path", "Return-Path: <>", classes=_AUTO, reason="Return-Path: <>"),
    _marked("out-of-office-german", "Subject: Automatische Antwort: Drucker", classes=_AUTO, reason="Subject: Automatische Antwort:"),
    _marked("out-of-office-encoded", "Subject: =?utf-8?Q?R=C3=A9ponse_automatique_?=: Offre", classes=_AUTO, reason="Subject: Réponse automatique :"),
    _marked("list-id", "List-Id: Printers <printers.lists.example>", classes=["list"], reason="List-Id: Printers <printers.lists.example>"),
    _marked("list-unsubscribe", "List-Unsubscribe: <mailto:off@lists.example>", classes=["list"], reason="List-Unsubscribe: <mailto:off@lists.example>"),
    _marked("bulk-level", "X-Microsoft-Antispam: BCL:8;", classes=["list"], reason="X-Microsoft-Antispam: bulk mail level 8"),
    _marked("x-loop", "X-Loop: desk@fabrikam.example", classes=["loop"], reason="X-Loop: desk@fabrikam.example"),
    _marked("own-header", "X-Ticket-Engine: 0Q2M4N7KXABC", classes=["loop"], reason="This service sent it itself"),
    _marked("own-message-id", "Message-ID: <ticket.0Q2M4N7KXABC.1@fabrikam.example>", classes=["loop"], reason="This service sent it itself"),
    _marked("automatic-answer-to-our-own", "Auto-Submitted: auto-replied", "In-Reply-To: <ticket.0Q2M4N7KXABC.1@fabrikam.example>",
            classes=["loop", "automatic"], reason="An automatic answer to a mail that this service sent"),
    _marked("forty-hops", *["Received: from a by b; Mon, 23 Nov 2026 08:12:40 +0000"] * 40, classes=["loop"], reason="It went through 40 servers"),
    _marked("spam-level", "X-MS-Exchange-Organization-SCL: 5", classes=_SPAM, reason="X-MS-Exchange-Organization-SCL: 5"),
    _marked("spam-verdict", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=1, sfv='SPM', cat='NONE')}", classes=_SPAM,
            reason="X-Forefront-Antispam-Report: spam (SFV:SPM)"),
    _marked("phishing", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=9, sfv='NSPM', cat='HPHSH')}", classes=_SPAM,
            reason="X-Forefront-Antispam-Report: phishing (CAT:HPHSH)"),
    _marked("blocked-sender", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=-1, sfv='SKB', cat='NONE')}", classes=_SPAM,
            reason="X-Forefront-Antispam-Report: a blocked sender (SFV:SKB)"),
    _marked("malware", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=1, sfv='NSPM', cat='MALW')}", classes=_SPAM,
            reason="X-Forefront-Antispam-Report: malware (CAT:MALW)"),
    _marked("spam-flag", "X-Spam-Flag: YES", classes=_SPAM, reason="X-Spam-Flag: yes"),
    Case("marked-no-reply", bare("From: No Reply <no-reply@shop.example>", "Subject: Your order"),
         {"classes": _AUTO, "reason": "The sender takes no answers: no-reply@shop.example"}),
    Case("marked-postmaster", bare("From: postmaster@mx.example", "Subject: Quota"), {"classes": _AUTO, "reason": "The sender is postmaster@mx.example"}),
    _person("auto-submitted-no", "Auto-Submitted: no"),
    _person("auto-submitted-no-with-a-comment", "Auto-Submitted: NO; really"),
    _person("precedence-normal", "Precedence: normal"),
    _person("not-spam", "X-MS-Exchange-Organization-SCL: -1", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=1, sfv='NSPM', cat='NONE')}"),
    _person("trusted-by-a-rule", f"X-Forefront-Antispam-Report: {_VERDICT.format(scl=-1, sfv='SKN', cat='NONE')}"),
    _person("bulk-level-low", "X-Microsoft-Antispam: BCL:0;"),
    _person("spam-level-that-is-none", "X-MS-Exchange-Organization-SCL: ²"),
    _person("return-path", "Return-Path: <ada@northwind.example>"),
    _person("talks-about-undeliverable-mail", "Subject: Undeliverable parcel"),
    _person("answers-our-notification", "In-Reply-To: <ticket.0Q2M4N7KXABC.1@fabrikam.example>"),
    _person("x-auto-response-suppress-none", "X-Auto-Response-Suppress: None"),
    Case("forged-sender", plain("Authentication-Results: spf=fail; dkim=none; dmarc=fail action=none; compauth=fail reason=001"), {"forged": True}),
    Case("genuine-sender", plain("Authentication-Results: spf=pass; dkim=pass; dmarc=pass action=none; compauth=pass reason=100"), {"forged": False}),
    Case("references", plain("Message-ID: <4@x.example>", "In-Reply-To: <3@x.example>", "References: <1@x.example>\r\n <2@x.example> <3@x.example>"),
         {"message_id": "<4@x.example>", "references": ["<3@x.example>", "<2@x.example>", "<1@x.example>"]}),
    Case("references-without-blanks", plain("References: <1@x.example><2@x.example>"), {"references": ["<2@x.example>", "<1@x.example>"]}),
    Case("in-reply-to-with-words", plain("In-Reply-To: Your message of Monday <1@x.example>"), {"references": ["<1@x.example>"]}),
    Case("message-id-without-brackets", plain("Message-ID: 1@x.example"), {"message_id": "1@x.example"}),
    Case("message-id-folded", plain("Message-ID:\r\n <1@x.example>"), {"message_id": "<1@x.example>"}),
    Case("message-id-missing", plain("Subject: No id"), {"kind": "parsed", "message_id": ""}),
]  # fmt: skip
