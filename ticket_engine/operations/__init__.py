"""What operators do with mailboxes and ticket types: one layer under the command line and the web console.

Every change is written to the journal of its mailbox with the name of the person who made it.
"""

from ticket_engine.operations.changes import Change, Edited
from ticket_engine.operations.mailboxes import Invite, MailboxSetup, Removed
from ticket_engine.operations.overview import MailboxView, Overview
from ticket_engine.operations.probe import Outcome, Probe, Step
from ticket_engine.operations.setup_file import SetupFile
from ticket_engine.operations.ticket_types import TicketTypeSetup

__all__ = [
    "Change",
    "Edited",
    "Invite",
    "MailboxSetup",
    "MailboxView",
    "Outcome",
    "Overview",
    "Probe",
    "Removed",
    "SetupFile",
    "Step",
    "TicketTypeSetup",
]
