"""One of each store, over one set of clients."""

from __future__ import annotations

from ticket_engine.store.blobs import MailArchive
from ticket_engine.store.clients import Clients
from ticket_engine.store.errands import ErrandTable
from ticket_engine.store.quarantine import QuarantineTable
from ticket_engine.store.segments import SegmentTable
from ticket_engine.store.tables import (
    ConsentFlowTable,
    CredentialTable,
    JournalTable,
    MailboxTable,
    StateTable,
    TicketTypeTable,
)
from ticket_engine.store.tickets import TicketTable
from ticket_engine.store.vault import SecretVault


class Stores:
    """Everything that is kept outside the process."""

    def __init__(self, clients: Clients) -> None:
        self.mailboxes = MailboxTable(clients)
        self.ticket_types = TicketTypeTable(clients)
        self.states = StateTable(clients)
        self.quarantine = QuarantineTable(clients)
        self.tickets = TicketTable(clients)
        self.errands = ErrandTable(clients)
        self.segments = SegmentTable(clients)
        self.flows = ConsentFlowTable(clients)
        self.credentials = CredentialTable(clients)
        self.journal = JournalTable(clients)
        self.archive = MailArchive(clients)
        self.vault = SecretVault(clients)
