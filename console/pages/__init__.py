"""The pages, one blueprint a kind."""

from console.pages.mail import bp as mail
from console.pages.mailboxes import bp as mailboxes
from console.pages.overview import bp as overview
from console.pages.quarantine import bp as quarantine
from console.pages.ticket_types import bp as ticket_types
from console.pages.tickets import bp as tickets

BLUEPRINTS = (overview, mailboxes, ticket_types, tickets, mail, quarantine)
