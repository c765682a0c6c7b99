"""Sending mail as a mailbox: SMTP submission with STARTTLS and XOAUTH2."""

from __future__ import annotations

import smtplib
import ssl
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, MailLoginError, MailServerError, Reaction
from ticket_engine.mail.sasl import xoauth2

if TYPE_CHECKING:
    from email.message import EmailMessage

    from ticket_engine.records import Mailbox

_PATIENCE = 20.0
_ACCEPTED = 235
_CHALLENGE = 334


def send(server: str, mailbox: Mailbox, access_token: str, mail: EmailMessage) -> None:
    """Send a mail as the mailbox, by the server ``host:port``.

    Source: Microsoft, "Authenticate an IMAP, POP or SMTP connection using OAuth".

    Raises:
        MailLoginError: the server refused the login.
        MailServerError: the server can't be reached, or refused the mail.
    """
    host, _, port = server.rpartition(":")
    try:
        with smtplib.SMTP(host, int(port), timeout=_PATIENCE) as connection:
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo()
            # In two lines: with a token, one would be longer than a command may be (RFC 4954, section 4).
            code, answer = connection.docmd("AUTH", "XOAUTH2")
            if code == _CHALLENGE:
                code, answer = connection.docmd(xoauth2(mailbox.username, access_token).decode())
            if code == _CHALLENGE:
                # The reason of a refusal, as JSON; an empty answer ends the exchange.
                code, answer = connection.docmd("")
            if code != _ACCEPTED:
                raise _refused_login(mailbox, f"{code} {answer.decode('ascii', 'replace')}")
            connection.send_message(mail, from_addr=mailbox.username)
    except ssl.SSLError as error:
        raise MailServerError(_unreachable(host, f"TLS: {error.reason}", Actor.OPERATOR)) from None
    except smtplib.SMTPRecipientsRefused as error:
        recipient, (code, _) = next(iter(error.recipients.items()))
        raise MailServerError(
            Reaction(Actor.OPERATOR, "smtp-recipient-refused", f"{host} does not take mail for {recipient} ({code}).")
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        status = getattr(error, "smtp_code", None)
        why = f"it answered {status}" if status else type(error).__name__
        raise MailServerError(_unreachable(host, why, Actor.SERVICE)) from None


def _unreachable(host: str, why: str, actor: Actor) -> Reaction:
    return Reaction(actor, "smtp-unreachable", f"Mail can't be sent by {host} ({why}); it is tried again by itself.")


def _refused_login(mailbox: Mailbox, answer: str) -> MailLoginError:
    return MailLoginError(
        Reaction(
            Actor.TENANT_ADMIN,
            "smtp-login-refused",
            f"The server does not let {mailbox.username} send mail ({answer[:100]}): switch on 'Authenticated SMTP' "
            "for the mailbox in the Microsoft 365 admin center, and see that the consent included SMTP.Send.",
        )
    )
