"""What the machine remembers about a mailbox: its connection, its polls, running consents, its journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ticket_engine.errors import Actor, Reaction


@dataclass(frozen=True)
class Failure:
    """The last failure of something, with who must act; all fields are safe to show."""

    at: datetime
    actor: Actor
    code: str
    sentence: str

    @classmethod
    def of(cls, reaction: Reaction, at: datetime) -> Failure:
        """The failure that this reaction describes."""
        return cls(at=at, actor=reaction.actor, code=reaction.code, sentence=reaction.sentence)


@dataclass(frozen=True)
class ExpiryNotice:
    """The last warning about something that ends: for which end date, and at how many days before it."""

    ends_at: datetime
    days: int


@dataclass(frozen=True)
class TokenState:
    """A mailbox's connection: who consented, when its refresh token ends, and its open invite.

    ``token_version`` is the version in Key Vault that is the mailbox's token: the row, whose changes are conditional,
    decides between two writers, because Key Vault can't. ``tenant_id`` is the tenant that the mailbox was connected
    in. ``credential_ends_at`` is when the application's credential ends, as it was seen last.
    """

    connected_at: datetime | None = None
    connected_as: str | None = None
    tenant_id: str | None = None
    token_version: str | None = None
    rotated_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    credential_ends_at: datetime | None = None
    invite_hash: str | None = None
    invite_expires_at: datetime | None = None
    token_notice: ExpiryNotice | None = None
    credential_notice: ExpiryNotice | None = None
    failure: Failure | None = None

    @property
    def connected(self) -> bool:
        """Whether a consent has given this mailbox a refresh token."""
        return self.connected_at is not None


@dataclass(frozen=True)
class CredentialState:
    """A credential of an application that the identity platform refuses.

    The credential's mailboxes wait; one of them asks again when ``retry_at`` has passed.
    """

    refused_at: datetime
    retry_at: datetime
    code: str
    sentence: str


@dataclass(frozen=True)
class PollState:
    """A mailbox's polls: the lease, the checkpoint, and how the last poll went.

    ``checkpoint`` and ``troubles`` are opaque here; ``ticket_engine.intake`` reads and writes them, and
    ``records.days`` ``mails_by_day``. ``backlog_mails`` is how many mails there were when the mailbox was connected;
    ``starts_at`` is set when those are none of ours. ``unfinished_since`` is when the first poll began
    that has not ended well yet. ``crashes`` counts the polls in a row whose worker died, and
    ``in_flight`` is the mail that such a one was busy with, where it could say.
    """

    lease_holder: str | None = None
    lease_until: datetime | None = None
    next_poll_at: datetime | None = None
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    consecutive_failures: int = 0
    mails_on_server: int | None = None
    messages_ingested: int = 0
    last_mail_at: datetime | None = None
    mails_by_day: str = ""
    checkpoint: bytes | None = None
    troubles: str = ""
    quarantined: int = 0
    backlog_mails: int | None = None
    starts_at: datetime | None = None
    unfinished_since: datetime | None = None
    crashes: int = 0
    in_flight: str = ""
    failure: Failure | None = None


@dataclass(frozen=True)
class QuarantinedItem:
    """A mail that could not be ingested after so many tries; it is still on the server, and a human decides.

    ``item`` is its id on the server (POP3: UIDL; IMAP: UIDVALIDITY and UID).
    """

    item: str
    size: int
    tries: int
    first_at: datetime
    quarantined_at: datetime
    problem: str


@dataclass(frozen=True)
class ConsentFlow:
    """A consent that was started and not yet ended; single use, minutes long.

    ``flow`` is what MSAL needs to redeem the code, without the PKCE code verifier: that stays in the
    browser that started the flow, and ``verifier_hash`` recognises it.
    """

    mailbox_id: str
    flow: str
    verifier_hash: str
    invite_hash: str
    expires_at: datetime


@dataclass(frozen=True)
class JournalEntry:
    """One line of a mailbox's history: what a person, a consent, a rotation or a poll did.

    ``by`` is the person who did it, None for the machine; ``actor`` is who must act on a failure.
    """

    at: datetime
    event: str
    sentence: str
    actor: Actor | None = None
    code: str | None = None
    by: str | None = None
