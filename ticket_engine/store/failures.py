"""How failures of storage and of Key Vault become the project's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ticket_engine.errors import Actor, Reaction, StorageUnavailableError, VaultUnavailableError

_FORBIDDEN = 403


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
    text = response.headers.get("Retry-After", "") if response is not None else ""
    return timedelta(seconds=int(text)) if text.isdigit() else None


@contextmanager
def storage_failures() -> Iterator[None]:
    """Turn an SDK error that nobody expected into StorageUnavailableError.

    Raises:
        StorageUnavailableError: storage did not answer, or refused.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise StorageUnavailableError(_reaction("Storage", "storage", error)) from error
    except AttributeError as error:
        # azure-data-tables trips over an authentication error that has no response, and loses it.
        if not isinstance(error.__context__, AzureError):
            raise
        raise StorageUnavailableError(_reaction("Storage", "storage", error.__context__)) from error


@contextmanager
def vault_failures() -> Iterator[None]:
    """Turn an SDK error that nobody expected into VaultUnavailableError.

    The SDK's error is not chained: its request may hold the secret's value.

    Raises:
        VaultUnavailableError: Key Vault did not answer, or refused.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise VaultUnavailableError(_reaction("Key Vault", "vault", error)) from None
