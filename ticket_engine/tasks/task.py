"""What a task is: how it opens a ticket, which messages it delivers, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from ticket_engine.errors import Reaction, TicketEngineError
from ticket_engine.records import Errand, Mailbox, Message, Ticket, TicketType

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.mime import Parsed
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.settings import Settings
    from ticket_engine.store import Stores


class DeliveryError(TicketEngineError):
    """A message could not be delivered; it is tried again, unless ``final``."""

    def __init__(self, reaction: Reaction, *, final: bool = False) -> None:
        super().__init__(reaction)
        self.final = final


@dataclass(frozen=True)
class Delivery:
    """One message to deliver, with all that a task may say about it."""

    errand: Errand
    mailbox: Mailbox
    ticket_type: TicketType
    ticket: Ticket
    message: Message

    @property
    def link(self) -> str:
        """The ticket's page in the console."""
        return f"{self.mailbox.app_url}/console/tickets/{self.mailbox.id}/{self.ticket.id}"


@dataclass(frozen=True)
class Services:
    """What a task may use."""

    stores: Stores
    broker: TokenBroker
    settings: Settings
    clock: Clock


class TicketTask:
    """A task; what is not overridden is Simple Storage: the ticket is the admin's, and nothing is delivered."""

    delivers: ClassVar[bool] = False

    def open_ticket(self, ticket_id: str, ticket_type: TicketType, first: Parsed, now: datetime) -> Ticket:
        """The new ticket of a conversation that begins with this mail."""
        return Ticket(
            id=ticket_id,
            ticket_type=ticket_type.id,
            task=ticket_type.task,
            subject=first.subject or "(no subject)",
            sender=first.sender_line,
            sender_address=first.sender.address,
            assignee=ticket_type.admin_email,
            created_at=now,
            updated_at=now,
            automatic=first.automatic,
        )

    def wants(self, ticket_type: TicketType, mail: Parsed) -> bool:
        """Whether this mail is to be delivered."""
        del ticket_type, mail
        return self.delivers

    def deliver(self, delivery: Delivery, services: Services) -> None:
        """Deliver a message.

        Raises:
            DeliveryError: it did not work.
            TicketEngineError: a token, the vault or storage failed; it is tried again.
        """
        raise NotImplementedError(f"{type(self).__name__} delivers nothing")


def wait(attempts: int) -> timedelta:
    """How long to wait after so many tries: 1 minute, doubling, at most 4 hours; 16 tries are a day and a half."""
    return min(timedelta(minutes=1) * (1 << min(attempts - 1, 10)), timedelta(hours=4))
