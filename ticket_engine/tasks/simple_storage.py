"""Simple Storage: the mail is filed as a ticket, and the ticket type's admin is its assignee."""

from ticket_engine.tasks.task import TicketTask

TASK = TicketTask()
