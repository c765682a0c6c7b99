"""Working with tickets: lists and searches, changes, notes, history; one layer under command line and console."""

from ticket_engine.tickets.erasure import Erasure, Proof
from ticket_engine.tickets.export import TicketExport
from ticket_engine.tickets.filters import NOT_CLOSED, TicketFilter
from ticket_engine.tickets.listing import PAGE, TicketList, TicketPage
from ticket_engine.tickets.replay import Replay, Replayed
from ticket_engine.tickets.retention import Kept, Retention
from ticket_engine.tickets.trial import TRIED, RuleTrial, Trial
from ticket_engine.tickets.work import Closed, TicketView, TicketWork

__all__ = [
    "NOT_CLOSED",
    "PAGE",
    "TRIED",
    "Closed",
    "Erasure",
    "Kept",
    "Proof",
    "Replay",
    "Replayed",
    "Retention",
    "RuleTrial",
    "TicketExport",
    "TicketFilter",
    "TicketList",
    "TicketPage",
    "TicketView",
    "TicketWork",
    "Trial",
]
