"""Everything that is stored in tables: what operators set up, what the machine remembers, and tickets."""

from ticket_engine.records.setup import (
    CALLBACK_ROUTE,
    CONSENT_ROUTE,
    AfterIngest,
    Backlog,
    CredentialKind,
    Mailbox,
    MailboxType,
    RecordError,
    Task,
    TicketType,
)
from ticket_engine.records.state import (
    ConsentFlow,
    CredentialState,
    ExpiryNotice,
    Failure,
    JournalEntry,
    PollState,
    TokenState,
)
from ticket_engine.records.ticket import Message, MessageKind, Ticket, TicketState, ticket_id

__all__ = [
    "CALLBACK_ROUTE",
    "CONSENT_ROUTE",
    "AfterIngest",
    "Backlog",
    "ConsentFlow",
    "CredentialKind",
    "CredentialState",
    "ExpiryNotice",
    "Failure",
    "JournalEntry",
    "Mailbox",
    "MailboxType",
    "Message",
    "MessageKind",
    "PollState",
    "RecordError",
    "Task",
    "Ticket",
    "TicketState",
    "TicketType",
    "TokenState",
    "ticket_id",
]
