"""Setting mailboxes up and changing them, with every change in the journal under the person's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ticket_engine.errors import Actor, ConflictError, Reaction
from ticket_engine.operations.changes import Edited, changed, changes
from ticket_engine.records import CredentialKind, JournalEntry, Mailbox, MailboxType, RecordError, TicketType
from ticket_engine.records.setup import INBOX

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.connection import Connector
    from ticket_engine.oauth.consent import Consent
    from ticket_engine.oauth.outcome import Connected
    from ticket_engine.store import Stores
    from ticket_engine.store.rows import Stored

_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
# A change to one of these makes the stored refresh token another account's or another application's.
_OF_THE_CONNECTION = ("username", "delegate", "shared_mailbox", "tenant_id", "client_id")


@dataclass(frozen=True)
class Invite:
    """A consent link, whose secret part is shown once, and when it ends."""

    mailbox: Mailbox
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class Removed:
    """What went with a mailbox: its ticket types, the names of its secrets; its tickets and its journal stay."""

    mailbox: Mailbox
    ticket_types: tuple[TicketType, ...]
    secrets: tuple[str, ...]


class MailboxSetup:
    """Adds, changes and removes mailboxes. ``by`` is always the name of the person, for the journal."""

    def __init__(self, stores: Stores, *, consent: Consent, connector: Connector, clock: Clock) -> None:
        self._stores = stores
        self._consent = consent
        self._connector = connector
        self._clock = clock

    def add(self, values: Mapping[str, Any], *, by: str) -> Mailbox:
        """Add a mailbox from an operator's input; fields that are left out get Microsoft's defaults.

        Raises:
            RecordError: names each field that is not acceptable, and what it accepts.
            ConflictError: the id is taken, or another mailbox reads the same address.
        """
        mailbox = Mailbox.create(**values)
        self._refuse_a_second_reader(mailbox)
        self._stores.mailboxes.add(mailbox)
        self._journal(mailbox.id, "added", f"The mailbox {mailbox.username} was added.", by)
        return mailbox

    def get(self, mailbox_id: str) -> Stored[Mailbox]:
        """A mailbox with the ETag that ``edit`` takes; raises MailboxNotFoundError."""
        return self._stores.mailboxes.stored(mailbox_id)

    def edit(self, mailbox_id: str, values: Mapping[str, Any], *, by: str, etag: str | None = None) -> Edited[Mailbox]:
        """Change fields of a mailbox; the others stay. ``etag`` is that of the record that the person saw.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            RecordError: names each field that is not acceptable, and what it accepts.
            ConflictError: someone else changed it since; or another mailbox reads the same address.
        """
        stored = self._stores.mailboxes.stored(mailbox_id)
        before = stored.record
        _refuse_another_id(before, values)
        after = Mailbox.create(**changed(before, with_port(before, values)))
        found = changes(before, after)
        if etag is not None and etag != stored.etag:
            raise _changed_meanwhile(mailbox_id)
        if not found:
            return Edited(before, stored.etag, ())
        self._refuse_a_second_reader(after)
        try:
            new_etag = self._stores.mailboxes.replace(after, stored.etag)
        except ConflictError:
            raise _changed_meanwhile(mailbox_id) from None
        self._journal(mailbox_id, *_event(after, [str(each) for each in found]), by)
        return Edited(after, new_etag, found, self._notes(before, after))

    def pause(self, mailbox_id: str, *, by: str) -> Edited[Mailbox]:
        """Stop polling a mailbox; its token is kept alive."""
        return self.edit(mailbox_id, {"paused": True}, by=by)

    def resume(self, mailbox_id: str, *, by: str) -> Edited[Mailbox]:
        """Poll a mailbox again, from where it stopped."""
        return self.edit(mailbox_id, {"paused": False}, by=by)

    def going(self, mailbox_id: str) -> Removed:
        """What ``remove`` would take away, to show before; secrets by name, whether or not they are there."""
        mailbox = self._stores.mailboxes.get(mailbox_id)
        names = (f"{mailbox_id}--refresh-token", f"{mailbox_id}--client-secret")
        return Removed(mailbox, tuple(self._stores.ticket_types.of(mailbox_id)), names)

    def remove(self, mailbox_id: str, *, by: str) -> Removed:
        """Remove a mailbox with its ticket types, its connection and its secrets; tickets and journal stay.

        The record goes last, so that a removal that breaks off can be done again. Key Vault keeps deleted secrets
        recoverable for its retention period; a mailbox that is added again with this id gets new versions of them,
        and mails that are tickets already are recognised.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        if not mailbox.paused:
            # So that no new poll begins while its parts go.
            self.pause(mailbox_id, by=by)
        secrets = self._stores.vault.delete(mailbox_id)
        self._stores.states.delete(mailbox_id)
        ticket_types = self._stores.ticket_types.of(mailbox_id)
        for each in ticket_types:
            self._stores.vault.delete_webhook_secret(each.id)
            self._stores.ticket_types.delete(each.id)
        self._stores.mailboxes.delete(mailbox_id)
        self._journal(mailbox_id, "removed", f"The mailbox {mailbox.username} was removed; its tickets stay.", by)
        return Removed(mailbox, tuple(ticket_types), tuple(secrets))

    def invite(self, mailbox_id: str, *, by: str) -> Invite:
        """Make a consent link for the mailbox's owner; an earlier one ends."""
        url = self._consent.invite(mailbox_id, by)
        expires_at = self._stores.states.token(mailbox_id).invite_expires_at
        return Invite(self._stores.mailboxes.get(mailbox_id), url, expires_at or self._clock())

    def revoke_invite(self, mailbox_id: str, *, by: str) -> bool:
        """End the mailbox's consent link; False when there was none."""
        return self._consent.revoke_invite(mailbox_id, by)

    def set_secret(self, mailbox_id: str, secret: str, *, ends_at: datetime | None, by: str) -> None:
        """Store the client secret of a mailbox's application, with the end date that the portal shows.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            RecordError: it can't be a client secret, or the date has passed.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        secret = secret.strip()
        _refuse_secret(mailbox, secret, ends_at, self._clock())
        self._stores.vault.store_client_secret(mailbox_id, secret, ends_at)
        self._stores.states.update_token(
            mailbox_id, lambda state: replace(state, credential_ends_at=ends_at, credential_notice=None)
        )
        until = f"it ends on {ends_at:%Y-%m-%d}" if ends_at else "its end date is not known"
        self._journal(mailbox_id, "secret-stored", f"A client secret was stored; {until}.", by)

    def copy_secret(self, mailbox_id: str, source_id: str, *, by: str) -> None:
        """Store the client secret of another mailbox of the same application for this one too.

        Raises:
            MailboxNotFoundError: one of them does not exist.
            RecordError: they have different applications, or the other one has no client secret.
        """
        mailbox, source = self._stores.mailboxes.get(mailbox_id), self._stores.mailboxes.get(source_id)
        if (mailbox.tenant_id, mailbox.client_id) != (source.tenant_id, source.client_id):
            raise RecordError("client secret", (f"{source_id} uses another application than {mailbox_id}",))
        secret = self._stores.vault.client_secret(source_id)
        if secret is None:
            raise RecordError("client secret", (f"{source_id} has none: store it for {mailbox_id} itself",))
        self.set_secret(mailbox_id, secret.value, ends_at=secret.expires_at, by=by)

    def import_token(self, mailbox_id: str, refresh_token: str, *, by: str) -> Connected:
        """Connect a mailbox by a refresh token that was obtained by hand, after checking it for real.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
            TicketEngineError: the token is not accepted, or not this mailbox's; nothing was stored.
        """
        return self._connector.import_token(mailbox_id, refresh_token, by)

    def journal(self, mailbox_id: str, count: int = 50) -> list[JournalEntry]:
        """The newest entries of a mailbox's journal, newest first; a removed mailbox still has its own."""
        return self._stores.journal.newest(mailbox_id, count)

    def _journal(self, mailbox_id: str, event: str, sentence: str, by: str) -> None:
        self._stores.journal.add(mailbox_id, JournalEntry(self._clock(), event, sentence, by=by))

    def _refuse_a_second_reader(self, mailbox: Mailbox) -> None:
        for other in self._stores.mailboxes.all():
            if other.id != mailbox.id and _inbox(other) == _inbox(mailbox):
                raise ConflictError(
                    Reaction(
                        Actor.OPERATOR,
                        "read-already",
                        f"Mailbox {other.id} reads {mailbox.username} already, and each mail would become two tickets: "
                        f"give {other.id} another ticket type instead.",
                    )
                )

    def _notes(self, before: Mailbox, after: Mailbox) -> tuple[str, ...]:
        notes: list[str] = []
        connected = self._stores.states.token(after.id).connected
        if connected and any(getattr(before, name) != getattr(after, name) for name in _OF_THE_CONNECTION):
            notes.append(f"{after.consenting_account} must connect the mailbox again, by a new consent link.")
        if before.client_id != after.client_id and after.credential is CredentialKind.CLIENT_SECRET:
            notes.append("The stored client secret belongs to the other application: store the new one's.")
        return tuple(notes)


def _event(after: Mailbox, found: list[str]) -> tuple[str, str]:
    if len(found) == 1 and found[0].startswith("paused:"):
        return ("paused", "Polling was paused.") if after.paused else ("resumed", "Polling was resumed.")
    return "edited", f"Changed {'; '.join(found)}."


def _inbox(mailbox: Mailbox) -> tuple[object, ...]:
    folder = INBOX if mailbox.folder.casefold() == INBOX.casefold() else mailbox.folder
    return mailbox.host, mailbox.username.casefold(), folder


def with_port(before: Mailbox, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a change; a new protocol brings its usual port along, unless the mailbox has a port of its own."""
    kind = values.get("type")
    if kind in set(MailboxType) and "port" not in values and before.port == before.type.default_port:
        return {**values, "port": MailboxType(kind).default_port}
    return values


def _refuse_another_id(before: Mailbox, values: Mapping[str, Any]) -> None:
    if values.get("id", before.id) != before.id:
        raise RecordError("mailbox", ("id can't be changed, because tickets and secrets carry it: add a new mailbox",))


def _refuse_secret(mailbox: Mailbox, secret: str, ends_at: datetime | None, now: datetime) -> None:
    if mailbox.credential is not CredentialKind.CLIENT_SECRET:
        kind = mailbox.credential.value
        problem = f"mailbox {mailbox.id} proves itself by a {kind} and takes none: set credential to 'client secret'"
        raise RecordError("client secret", (problem,))
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise RecordError("client secret", ("it is one word of letters, digits and signs: copy the column Value",))
    if _GUID.match(secret):
        raise RecordError("client secret", ("this is the secret's id, not its value: copy the column Value",))
    if ends_at is not None and ends_at <= now:
        raise RecordError("client secret", (f"it has ended on {ends_at:%Y-%m-%d}: make a new one in the portal",))


def _changed_meanwhile(mailbox_id: str) -> ConflictError:
    return ConflictError(
        Reaction(
            Actor.OPERATOR,
            "changed",
            f"Mailbox {mailbox_id} was changed by someone else since you looked at it: look at it again, then repeat "
            "your change.",
        )
    )
