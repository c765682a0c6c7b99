"""What each error of the domain means to a person at the command line: the sentence, who acts, the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ticket_engine.cli.base import FAILED, NO_ANSWER, WRONG_INPUT
from ticket_engine.errors import (
    ConflictError,
    MailboxNotFoundError,
    StorageUnavailableError,
    TicketEngineError,
    TicketNotFoundError,
    TicketTypeNotFoundError,
    VaultUnavailableError,
)

_SIGN_IN = "You are not signed in to Azure: run az login, then try again."
_ROLES = {
    "storage-access-denied": (
        "Storage refused your account: ask for the roles 'Storage Table Data Contributor' and 'Storage Blob Data "
        "Contributor' on the data account (the parameter 'operators' of infra/ gives them); a new role takes minutes."
    ),
    "vault-access-denied": (
        "Key Vault refused your account: ask for the role 'Ticket Engine secret keeper' on the vault (the parameter "
        "'operators' of infra/ gives it); a new role takes minutes."
    ),
    "managed-identity-unavailable": (
        "This mailbox's application proves itself by the function app's managed identity, which only the app has: "
        "test the mailbox in the console; from here the token can't be had."
    ),
}


@dataclass(frozen=True)
class Explained:
    """An error in plain words."""

    sentence: str
    code: str
    exit_code: int
    actor: str = ""
    lines: Sequence[str] = ()


def explain(error: Exception) -> Explained | None:
    """The error in plain words, or None for one that nobody expected."""
    from ticket_engine.records import RecordError
    from ticket_engine.settings import SettingError
    from ticket_engine.store.entities import NewerFormatError

    if isinstance(error, RecordError):
        kind = str(error).partition(":")[0]
        return Explained(f"The {kind} is not acceptable:", "not-acceptable", WRONG_INPUT, lines=error.problems)
    if isinstance(error, SettingError):
        lead = "The settings that say where the service's data is are missing or wrong (docs/set-up.md, 'The command"
        return Explained(f"{lead} line'):", "settings", WRONG_INPUT, lines=str(error).split("; "))
    if isinstance(error, NewerFormatError):
        return Explained(f"{error} Or update this command line.", "newer-format", FAILED)
    if isinstance(error, TicketEngineError):
        return _domain(error)
    return None


def sentence_of(code: str, sentence: str) -> str:
    """The sentence for a person at the command line, where the service's own speaks of the app's identity."""
    if code in ("storage-access-denied", "vault-access-denied") and not _signed_in():
        return _SIGN_IN
    return _ROLES.get(code, sentence)


def _domain(error: TicketEngineError) -> Explained:
    reaction = error.reaction
    sentence = sentence_of(reaction.code, reaction.sentence).replace("the next run tries again by itself", "try again")
    if isinstance(error, MailboxNotFoundError):
        sentence = f"{sentence.partition(': look')[0]}: see ticket-engine mailbox list."
    if isinstance(error, TicketTypeNotFoundError):
        sentence = f"{sentence.partition(': look')[0]}: see ticket-engine ticket-type list."
    wrong = isinstance(error, MailboxNotFoundError | TicketTypeNotFoundError | TicketNotFoundError | ConflictError)
    silent = isinstance(error, StorageUnavailableError | VaultUnavailableError)
    actor = "" if wrong or silent else str(reaction.actor)
    exit_code = WRONG_INPUT if wrong else NO_ANSWER if silent else FAILED
    return Explained(sentence, reaction.code, exit_code, actor)


def _signed_in() -> bool:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    try:
        DefaultAzureCredential().get_token("https://storage.azure.com/.default")
    except ClientAuthenticationError:
        return False
    return True
