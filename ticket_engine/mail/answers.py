"""What a mail server's refusal means and who must act on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, MailLoginError, MailServerError, Reaction
from ticket_engine.records.setup import INBOX

if TYPE_CHECKING:
    from ticket_engine.records import Mailbox

_BACKOFF = re.compile(r"Suggested Backoff Time:\s*(\d+)\s*milliseconds", re.IGNORECASE)
# RFC 2449, section 8.1.1: the response code of a mailbox that another session has locked.
_IN_USE = re.compile(r"\[IN-USE\]", re.IGNORECASE)
_NAMED_FOLDERS = 20
_TOKEN_EXPIRED = Reaction(
    Actor.SERVICE, "access-token-expired", "The access token had ended; the next run takes a new one."
)


def token_expired(text: str) -> bool:
    """Whether the server ended the session because its access token has ended."""
    return "accesstokenexpired" in text.lower().replace(" ", "")


def throttled(text: str) -> Reaction | None:
    """The reaction to Exchange Online's throttling, with the wait that it suggests, or None."""
    match = _BACKOFF.search(text)
    if match is None and "throttled" not in text.lower():
        return None
    wait = timedelta(milliseconds=int(match[1])) if match else None
    return Reaction(
        Actor.SERVICE,
        "mail-throttled",
        "The mail server asked to slow down; the mailbox is polled again after the wait that it suggested.",
        retry_after=wait,
    )


def of_the_session(text: str) -> bool:
    """Whether a refusal is about the session, and not about the mail that was asked for."""
    return throttled(text) is not None or token_expired(text)


def refused_login(mailbox: Mailbox, text: str) -> MailLoginError:
    """The error for a login that the server refused, from its answer."""
    slow_down = throttled(text)
    if slow_down is not None:
        return MailLoginError(slow_down)
    if token_expired(text):
        return MailLoginError(_TOKEN_EXPIRED)
    if _IN_USE.search(text):
        return MailLoginError(
            Reaction(
                Actor.SERVICE,
                "mailbox-in-use",
                f"Another session has {mailbox.username} open right now; the next run tries again.",
            )
        )
    protocol = mailbox.type.name
    if "not connected" in text.lower():
        return MailLoginError(
            Reaction(
                Actor.SERVICE,
                "authenticated-but-not-connected",
                f"The mail server knows the account but did not open {mailbox.username}: this passes by itself when "
                "the server is busy; when it stays, the account that consented has no right to this mailbox.",
            )
        )
    if "protocol error" in text.lower():
        return MailLoginError(
            Reaction(
                Actor.OPERATOR,
                "login-protocol-error",
                f"The mail server broke off the {protocol} login of {mailbox.username} with a protocol error; an "
                "access token of more than 4,096 characters is the known cause: take the account out of groups.",
            )
        )
    return MailLoginError(
        Reaction(
            Actor.TENANT_ADMIN,
            "login-refused",
            f"The mail server refused the {protocol} login of {mailbox.username}: switch {protocol} on for this "
            "mailbox in the Exchange admin center (Mailbox, Email apps); if it is on, the owner must consent again.",
        )
    )


def unreachable(mailbox: Mailbox, error: Exception) -> MailServerError:
    """The error for a server that can't be reached or whose certificate can't be verified."""
    import ssl

    where = f"{mailbox.host}:{mailbox.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailServerError(
            Reaction(
                Actor.OPERATOR,
                "mail-certificate",
                f"The certificate of {where} can't be verified ({error.verify_message}): check the mailbox's host, "
                "and that nothing in between opens the connection.",
            )
        )
    return MailServerError(
        Reaction(
            Actor.SERVICE,
            "mail-unreachable",
            f"The mail server {where} can't be reached; the next run tries again. "
            "If this stays, check the mailbox's host and port.",
        )
    )


def broken_off(mailbox: Mailbox, text: str) -> MailServerError:
    """The error for a session that ended in the middle, or an answer that makes no sense."""
    slow_down = throttled(text)
    if slow_down is not None:
        return MailServerError(slow_down)
    if token_expired(text):
        return MailServerError(_TOKEN_EXPIRED)
    return MailServerError(
        Reaction(
            Actor.SERVICE,
            "mail-session-broken",
            f"The mail server {mailbox.host} ended the session early; the next run goes on where this one stopped.",
        )
    )


def no_such_folder(mailbox: Mailbox, folder: str, there: Sequence[str]) -> MailServerError:
    """The error for a folder that the server does not open; ``there`` are the names of those that it has."""
    known = ", ".join(there[:_NAMED_FOLDERS]) + (" and others" if len(there) > _NAMED_FOLDERS else "")
    return MailServerError(
        Reaction(
            Actor.OPERATOR,
            "folder-not-found",
            f"The mailbox {mailbox.username} has no folder {folder!r} that can be opened: set the mailbox's folder to "
            f"one of these: {known or INBOX}.",
        )
    )


def not_settled(mailbox: Mailbox, text: str) -> MailServerError:
    """The error for ingested mails that the server does not move, mark or delete."""
    slow_down = throttled(text)
    if slow_down is not None:
        return MailServerError(slow_down)
    return MailServerError(
        Reaction(
            Actor.OPERATOR,
            "mail-not-settled",
            f"The mail server did not {mailbox.after_ingest} mails that are tickets already ({text[:100]}): check the "
            "mailbox's quota and its folders; the next run tries again.",
        )
    )
