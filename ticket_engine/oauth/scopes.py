"""The permissions that the application asks for: which at the consent, and which for one access token.

Source: Microsoft, "Authenticate an IMAP, POP or SMTP connection using OAuth". ``offline_access`` and ``openid`` are
MSAL's to add.
"""

from __future__ import annotations

from ticket_engine.records import Mailbox, MailboxType

_OUTLOOK = "https://outlook.office.com"
READING = {
    MailboxType.POP3: f"{_OUTLOOK}/POP.AccessAsUser.All",
    MailboxType.IMAP: f"{_OUTLOOK}/IMAP.AccessAsUser.All",
}
SENDING = f"{_OUTLOOK}/SMTP.Send"


def to_consent(mailbox: Mailbox) -> list[str]:
    """What the owner is asked for: both protocols, so that the mailbox can change its type without a new consent."""
    return sorted([*READING.values(), *([SENDING] if mailbox.may_send else [])])


def to_read(mailbox: Mailbox) -> list[str]:
    """What a token needs to read the mailbox.

    No more than that: a permission that the owner has not given (a token that was obtained by hand for POP alone, a
    mailbox that may send since yesterday) must not keep the mailbox from being read.
    """
    return [READING[mailbox.type]]
