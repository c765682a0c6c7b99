"""What a ticket type does with a new conversation: one module a task, one line here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ticket_engine.mime import Parsed
from ticket_engine.records import Task, Ticket, TicketType
from ticket_engine.tasks import simple_storage

OpenTicket = Callable[[str, TicketType, Parsed, datetime], Ticket]

TASKS: dict[Task, OpenTicket] = {
    Task.SIMPLE_STORAGE: simple_storage.open_ticket,
}
