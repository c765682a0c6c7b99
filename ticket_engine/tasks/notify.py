"""Notify: the admin gets a mail about each new message, sent by the mailbox itself, with a link to the ticket."""

from __future__ import annotations

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, ClassVar

from ticket_engine.intake.thread import ticket_code
from ticket_engine.mail.smtp import send
from ticket_engine.mime import OWN_HEADER
from ticket_engine.tasks.task import Delivery, Services, TicketTask

if TYPE_CHECKING:
    from ticket_engine.mime import Parsed
    from ticket_engine.records import TicketType

_MAX_SUBJECT = 150
_PREVIEW = 500


class Notify(TicketTask):
    """Simple Storage, and a mail about each message that a person wrote."""

    delivers: ClassVar[bool] = True

    def wants(self, ticket_type: TicketType, mail: Parsed) -> bool:
        """Whether the admin is to hear of this mail: not of automatic mail, nor of their own."""
        return not mail.automatic and mail.author.casefold() != ticket_type.admin_email.casefold()

    def deliver(self, delivery: Delivery, services: Services) -> None:
        """Send the mail, unless this hour's number is reached.

        Raises:
            TicketEngineError: there is no token to send with, or the server refused; it is tried again.
        """
        token = services.broker.sending_token(delivery.mailbox)
        limit = delivery.ticket_type.notify_per_hour
        number = services.stores.states.count_notification(delivery.mailbox.id, services.clock(), limit)
        if number is not None:
            mail = notification(delivery, last=number == limit)
            mail["Date"] = format_datetime(services.clock())
            send(services.settings.smtp_server, delivery.mailbox, token, mail)


TASK = Notify()


def notification(delivery: Delivery, *, last: bool) -> EmailMessage:
    """The mail about a message; ``last`` says that it is this hour's last one.

    Its headers say that a machine sent it, so that nothing answers it. Its Message-ID names the ticket and is made of
    the message's key: the same notification sent twice is one mail to most programs.
    """
    ticket, message, mailbox = delivery.ticket, delivery.message, delivery.mailbox
    domain = mailbox.username.rpartition("@")[2]
    digest = hashlib.sha256(message.key.encode()).hexdigest()[:16]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(_line(mailbox.name, _MAX_SUBJECT), addr_spec=mailbox.username)
    mail["To"] = Address(addr_spec=delivery.ticket_type.admin_email)
    mail["Subject"] = f"{ticket_code(ticket.id)} {_line(message.subject or ticket.subject, _MAX_SUBJECT)}"
    mail["Message-ID"] = f"<ticket.{ticket.id}.{digest}@{domain}>"
    mail["References"] = f"<ticket.{ticket.id}.{'0' * 16}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail[OWN_HEADER] = ticket.id
    new = message.key == ticket.message_keys[0]
    lines = [
        f"{_line(message.sender, 300) or 'Somebody'} {'opened a ticket' if new else 'wrote about a ticket'}.",
        "",
        f"Subject: {_line(message.subject or ticket.subject, 300)}",
        f"State: {ticket.state.value}",
        f"Ticket: {delivery.link}",
        "",
        *(f"> {_line(each, 300)}" for each in message.text[:_PREVIEW].splitlines()),
    ]
    if last:
        lines += ["", "This was the last notification of this hour; what comes now is in the list of tickets."]
    mail.set_content("\n".join(lines))
    return mail


def _line(text: str, length: int) -> str:
    """One printable line; a header can't be broken out of, and no character turns the line around."""
    return "".join(char if char.isprintable() else " " for char in text)[:length].strip()
