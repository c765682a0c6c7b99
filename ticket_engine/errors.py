"""What can fail, who must act on it, and the one sentence that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

_LONGEST_WAIT = timedelta(hours=1)


class Actor(StrEnum):
    """Who must act on a failure."""

    SERVICE = "service"
    OWNER = "mailbox owner"
    TENANT_ADMIN = "tenant admin"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Reaction:
    """What a failure means: who acts, a short stable code, and one sentence with the next step.

    ``retry_after`` is the server's own suggestion, where it made one.
    The sentence is shown to people, stored and logged, so it never holds a secret.
    """

    actor: Actor
    code: str
    sentence: str
    retry_after: timedelta | None = None


def suggested_wait(retry_after: str) -> timedelta | None:
    """The wait of a ``Retry-After`` header in seconds (RFC 9110, section 10.2.3), at most an hour; None without one."""
    text = retry_after.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(timedelta(seconds=min(int(text), 10**6)), _LONGEST_WAIT)


class TicketEngineError(Exception):
    """A failure with its reaction; the base of every error that this package raises on purpose."""

    def __init__(self, reaction: Reaction) -> None:
        super().__init__(f"{reaction.code}: {reaction.sentence}")
        self.reaction = reaction


class StorageUnavailableError(TicketEngineError):
    """Table or blob storage did not answer, or refused."""


class StorageRefusedError(StorageUnavailableError):
    """Storage did not take what was written (HTTP 400, 413): the same again would be refused again."""


class VaultUnavailableError(TicketEngineError):
    """Key Vault did not answer, or refused."""


class MailServerError(TicketEngineError):
    """The mail server can't be reached, broke off, or answered with an error."""


class MailLoginError(MailServerError):
    """The mail server refused the login."""


class TokenError(TicketEngineError):
    """No access token can be had for the mailbox."""


class CredentialRefusedError(TokenError):
    """The identity platform does not accept the application's credential; every mailbox that uses it waits."""


class ConsentError(TicketEngineError):
    """A consent did not lead to a connected mailbox."""


class MailboxNotFoundError(TicketEngineError):
    """No mailbox has this id."""


class TicketTypeNotFoundError(TicketEngineError):
    """No ticket type has this id."""


class ItemNotFoundError(TicketEngineError):
    """No mail with this item id is in quarantine."""


class NoTicketTypeError(TicketEngineError):
    """The mailbox has no ticket type, so its mail has nowhere to go."""


class TicketNotFoundError(TicketEngineError):
    """No ticket has this id."""


class LeaseHeldError(TicketEngineError):
    """Another worker polls the mailbox right now."""


class ConflictError(TicketEngineError):
    """The row was changed by someone else in between."""
