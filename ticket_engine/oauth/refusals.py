"""Credentials that the identity platform refuses: their mailboxes wait together, with one alert for all of them."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, ConflictError, CredentialRefusedError, Reaction
from ticket_engine.events import CREDENTIAL_ACCEPTED, CREDENTIAL_REFUSED
from ticket_engine.records import CredentialState

if TYPE_CHECKING:
    from ticket_engine.clock import Clock
    from ticket_engine.oauth.credentials import Credential
    from ticket_engine.store.rows import Stored
    from ticket_engine.store.tables import CredentialTable

_log = logging.getLogger("ticket_engine.oauth")

# Less than the ten minutes between two polls, so that each round of polls asks once.
_RETRY_AFTER = timedelta(minutes=9)


class Refusals:
    """Remembers refused credentials for all instances, by their fingerprint: a replaced one is another one."""

    def __init__(self, table: CredentialTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def admit(self, client_id: str, credential: Credential) -> bool:
        """Whether a request with this credential is an attempt after a refusal.

        Raises:
            CredentialRefusedError: the credential was refused, and it is not time to try again.
        """
        found = self._table.get(client_id, credential.fingerprint)
        if found is None:
            return False
        if not self._claims(client_id, credential, found):
            raise CredentialRefusedError(Reaction(Actor.OPERATOR, found.record.code, found.record.sentence))
        return True

    def refuse(self, client_id: str, credential: Credential, reaction: Reaction) -> None:
        """Remember that the identity platform refused this credential; the first to say so alerts."""
        now = self._clock()
        state = CredentialState(now, now + _RETRY_AFTER, reaction.code, reaction.sentence)
        try:
            self._table.save(client_id, credential.fingerprint, state, None)
        except ConflictError:
            return
        CREDENTIAL_REFUSED.log(
            _log,
            "credential refused: %s Every mailbox that uses it waits; no token was dropped.",
            reaction.sentence,
            client_id=client_id,
            code=reaction.code,
        )

    def clear(self, client_id: str, credential: Credential) -> None:
        """Forget the refusal: the credential was accepted."""
        self._table.delete(client_id, credential.fingerprint)
        CREDENTIAL_ACCEPTED.log(_log, "credential accepted again", client_id=client_id)

    def _claims(self, client_id: str, credential: Credential, found: Stored[CredentialState]) -> bool:
        now = self._clock()
        if now < found.record.retry_at:
            return False
        again = CredentialState(found.record.refused_at, now + _RETRY_AFTER, found.record.code, found.record.sentence)
        try:
            self._table.save(client_id, credential.fingerprint, again, found.etag)
        except ConflictError:
            return False
        return True
