"""The interface between the poll and a mail protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from ticket_engine.records import MailboxType
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from ticket_engine.records import AfterIngest, Mailbox


@dataclass(frozen=True)
class Item:
    """A mail as the server lists it.

    ``id`` is what the protocol promises to keep between sessions (POP3: the UIDL; IMAP: UIDVALIDITY and UID),
    ``number`` is what this session names it by (POP3: the message number; IMAP: the UID), ``size`` is in octets as
    the server says. ``received_at`` is when it came into the mailbox, where the server was asked and knows.
    """

    id: str
    number: int
    size: int
    received_at: datetime | None = None


@dataclass(frozen=True)
class Position:
    """Where a checkpoint stands, for a protocol that can list from there.

    All UIDs up to ``last`` are done, but for those that are ``open``.
    """

    validity: int
    last: int
    open: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """A mail's raw bytes, or why the server did not give them (``problem``; ``gone``: it was removed meanwhile)."""

    item: Item
    raw: bytes | None
    problem: str = ""
    gone: bool = False


class MailSource(Protocol):
    """One logged-in session with a mailbox; a context manager that ends the session."""

    settles_at_end: bool
    """Whether what ``settle`` does becomes final only when ``finish`` succeeds."""

    renumbers: bool
    """Whether an item's number means another mail in the next session."""

    validity: int
    """What items' ids are valid under (IMAP: UIDVALIDITY); always 0 where they are valid for good."""

    def __enter__(self) -> Self:
        """Use the session."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drop the session, where ``finish`` has not ended it."""

    def count(self) -> int:
        """How many mails the mailbox held at the login."""

    def items(self, position: Position | None = None) -> list[Item]:
        """The mails that the server lists, oldest first; a server that can lists only those past the position."""

    def fetch(self, items: Sequence[Item]) -> Iterator[Fetched]:
        """The mails in this order; one that the server refuses comes with its problem.

        Raises:
            MailServerError: the session broke; what was yielded before is good.
        """

    def headers(self, item: Item) -> bytes:
        """A mail's header section only, for one that is too large to fetch."""

    def settle(self, items: Sequence[Item], after: AfterIngest) -> None:
        """Do on the server what is to become of ingested mails; one that is gone already is no error."""

    def finish(self) -> None:
        """End the session cleanly, which makes everything final.

        Raises:
            MailServerError: the server did not confirm it.
        """


@traced("login")
def open_source(mailbox: Mailbox, access_token: str) -> MailSource:
    """Log in to a mailbox.

    Raises:
        MailLoginError: the server refused the login.
        MailServerError: the server can't be reached, or the folder can't be opened.
    """
    if mailbox.type is MailboxType.POP3:
        from ticket_engine.mail.pop3 import Pop3Source

        return Pop3Source.open(mailbox, access_token)
    from ticket_engine.mail.imap import ImapSource

    return ImapSource.open(mailbox, access_token)
