"""How failures of storage and of Key Vault become the project's own errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from ticket_engine.errors import (
    Actor,
    Reaction,
    StorageRefusedError,
    StorageUnavailableError,
    VaultUnavailableError,
    suggested_wait,
)

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

Answer = TypeVar("Answer")

_FORBIDDEN = 403
# What is refused again however often it is sent: malformed, or too large.
_REFUSED = {400, 413}


def _reaction(what: str, code: str, error: Exception) -> Reaction:
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == _FORBIDDEN:
        return Reaction(
            Actor.OPERATOR,
            f"{code}-access-denied",
            f"{what} refused this app's identity: give it the roles that infra/ assigns, then wait for the next run.",
        )
    answer = f"HTTP {status}" if status else "no answer"
    return Reaction(
        Actor.SERVICE,
        f"{code}-unavailable",
        f"{what} can't be reached ({answer}); the next run tries again by itself.",
        retry_after=_retry_after(error),
    )


def _retry_after(error: Exception) -> timedelta | None:
    response = getattr(error, "response", None)
    return None if response is None else suggested_wait(response.headers.get("Retry-After", ""))


def _refused(error: Exception) -> Reaction:
    code = getattr(error, "error_code", None) or getattr(error, "status_code", "")
    return Reaction(
        Actor.OPERATOR,
        "storage-refused",
        f"Storage did not accept what was to be written ({code}): report it, with the log of this minute.",
    )


@contextmanager
def storage_failures() -> Iterator[None]:
    """Turn an SDK error that nobody expected into StorageUnavailableError.

    Raises:
        StorageUnavailableError: storage did not answer, or refused.
        StorageRefusedError: storage did not accept what was written.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        if getattr(error, "status_code", None) in _REFUSED:
            raise StorageRefusedError(_refused(error)) from error
        raise StorageUnavailableError(_reaction("Storage", "storage", error)) from error
    except AttributeError as error:
        # azure-data-tables trips over an authentication error that has no response, and loses it.
        if not isinstance(error.__context__, AzureError):
            raise
        raise StorageUnavailableError(_reaction("Storage", "storage", error.__context__)) from error


def asking_vault(call: Callable[[], Answer]) -> Answer:
    """Make a call to Key Vault.

    Raises:
        VaultUnavailableError: Key Vault did not answer, or refused.
    """
    from azure.core.exceptions import AzureError

    try:
        return call()
    except AzureError as error:
        reaction = _vault_reaction(error)
    # Out here the SDK's error is not in the chain: the request that it carries holds the secret's value.
    raise VaultUnavailableError(reaction)


def _vault_reaction(error: AzureError) -> Reaction:
    from azure.core.exceptions import HttpResponseError

    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == _FORBIDDEN and "disabled" in str(error).lower():
        return Reaction(
            Actor.OPERATOR,
            "vault-secret-disabled",
            "A secret of this mailbox is disabled in Key Vault: enable its current version there.",
        )
    return _reaction("Key Vault", "vault", error)
