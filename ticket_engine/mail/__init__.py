"""Reading a mailbox on its server: one interface, ``MailSource``, and a module a protocol."""

from ticket_engine.mail.source import Fetched, Item, MailSource, Position, open_source

__all__ = ["Fetched", "Item", "MailSource", "Position", "open_source"]
