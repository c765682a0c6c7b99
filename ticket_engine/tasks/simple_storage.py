"""Simple Storage: the mail is filed as a ticket, and the ticket type's admin is its assignee."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ticket_engine.records import Ticket, TicketType

if TYPE_CHECKING:
    from ticket_engine.mime import Parsed


def open_ticket(ticket_id: str, ticket_type: TicketType, first: Parsed, now: datetime) -> Ticket:
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
