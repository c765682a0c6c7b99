"""The domain of Ticket Engine: mailboxes, tokens, mail and tickets; it imports no Azure Functions."""

__version__ = "0.1.0"
