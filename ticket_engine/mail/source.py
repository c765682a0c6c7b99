"""The interface between the poll and a mail protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from ticket_engine.errors import Actor, MailServerError, Reaction
from ticket_engine.records import MailboxType

if TYPE_CHECKING:
    from types import TracebackType

    from ticket_engine.records import AfterIngest, Mailbox


@dataclass(frozen=True)
class Item:
    """A mail as the server lists it.

    ``id`` is what the protocol promises to keep between sessions (POP3: the UIDL; IMAP: UIDVALIDITY and UID),
    ``number`` is valid in this session only, ``size`` is in octets as the server says.
    """

    id: str
    number: int
    size: int


@dataclass(frozen=True)
class Fetched:
    """A mail's raw bytes, or why the server did not give them (``problem``)."""

    item: Item
    raw: bytes | None
    problem: str = ""


class MailSource(Protocol):
    """One logged-in session with a mailbox; a context manager that ends the session."""

    def __enter__(self) -> Self:
        """Use the session."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the session, cleanly where the server still listens."""

    def count(self) -> int:
        """How many mails the mailbox holds now."""

    def items(self) -> list[Item]:
        """Every mail that the server lists, oldest first."""

    def fetch(self, items: Sequence[Item]) -> Iterator[Fetched]:
        """The mails in this order; one that the server refuses comes with its problem.

        Raises:
            MailServerError: the session broke; what was yielded before is good.
        """

    def headers(self, item: Item) -> bytes:
        """A mail's header section only, for one that is too large to fetch."""

    def settle(self, items: Sequence[Item], after: AfterIngest) -> None:
        """Do on the server what is to become of ingested mails."""


def open_source(mailbox: Mailbox, access_token: str) -> MailSource:
    """Log in to a mailbox.

    Raises:
        MailLoginError: the server refused the login.
        MailServerError: the server can't be reached or answers with an error.
    """
    if mailbox.type is MailboxType.POP3:
        from ticket_engine.mail.pop3 import Pop3Source

        return Pop3Source.open(mailbox, access_token)
    raise MailServerError(
        Reaction(
            Actor.OPERATOR,
            "imap-not-available",
            f"Mailbox {mailbox.id} is set to IMAP, which this release can't read yet: change its type to "
            "'POP3 - OAuth' and its port to 995.",
        )
    )
