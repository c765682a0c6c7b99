"""The pages, one blueprint a kind."""

from console.pages.mailboxes import bp as mailboxes
from console.pages.overview import bp as overview
from console.pages.ticket_types import bp as ticket_types

BLUEPRINTS = (overview, mailboxes, ticket_types)
