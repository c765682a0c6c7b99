"""A vault's secrets and their versions, and the limits on them."""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

# Microsoft, "About Azure Key Vault secrets" and "Azure Key Vault service limits".
_NAME = re.compile(r"^[0-9a-zA-Z-]{1,127}$")
_MAX_OCTETS = 25 * 1024
_WINDOW = timedelta(seconds=10)
_WRITES = 300
_ALL = 4_000
_MAX_BACKUP_VERSIONS = 500


class VaultError(Exception):
    """A request that the vault refuses."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


@dataclass
class Version:
    """One version of a secret."""

    value: str
    created: int
    updated: int
    enabled: bool = True
    exp: int | None = None
    nbf: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Secrets:
    """The vault's content."""

    clock: Callable[[], datetime]
    live: dict[str, list[Version]] = field(default_factory=dict)
    deleted: dict[str, list[Version]] = field(default_factory=dict)
    _writes: deque[datetime] = field(default_factory=deque)
    _operations: deque[datetime] = field(default_factory=deque)

    def count(self, *, write: bool) -> None:
        """Count an operation; raises VaultError 429 over the limit."""
        now = self.clock()
        for window, limit, counted in ((self._operations, _ALL, True), (self._writes, _WRITES, write)):
            while window and now - window[0] > _WINDOW:
                window.popleft()
            if counted:
                if len(window) >= limit:
                    raise VaultError(
                        429, "Throttled", "Request was not processed because too many requests were received."
                    )
                window.append(now)

    def set(self, name: str, body: dict[str, Any]) -> Version:
        """Add a version."""
        if not _NAME.match(name):
            raise VaultError(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        if name in self.deleted:
            raise VaultError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused.",
            )
        value = str(body.get("value", ""))
        if len(value.encode()) > _MAX_OCTETS:
            raise VaultError(400, "BadParameter", "The value of the secret is too large.")
        now = int(self.clock().timestamp())
        version = Version(value, now, now, tags=dict(body.get("tags") or {}), content_type=body.get("contentType"))
        _apply(version, body.get("attributes") or {})
        self.live.setdefault(name, []).append(version)
        return version

    def get(self, name: str, version_id: str = "") -> Version:
        """A version, the newest unless it is named."""
        for version in reversed(self.live.get(name, [])):
            if version_id in ("", version.id):
                if not version.enabled:
                    raise VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
                return version
        raise VaultError(
            404, "SecretNotFound", f"A secret with (name/id) {name}/{version_id} was not found in this key vault."
        )

    def versions(self, name: str) -> list[Version]:
        """Every version, oldest first."""
        self.get(name)
        return self.live[name]

    def update(self, name: str, version_id: str, body: dict[str, Any]) -> Version:
        """Change a version's attributes."""
        for version in self.live.get(name, []):
            if version.id == version_id:
                _apply(version, body.get("attributes") or {})
                version.tags = dict(body.get("tags") or version.tags)
                version.content_type = body.get("contentType", version.content_type)
                version.updated = int(self.clock().timestamp())
                return version
        return self.get(name, version_id)

    def delete(self, name: str) -> Version:
        """Move a secret with all versions to the deleted ones."""
        version = self.get(name)
        self.deleted[name] = self.live.pop(name)
        return version

    def recover(self, name: str) -> Version:
        """Bring a deleted secret back."""
        self._deleted(name)
        self.live[name] = self.deleted.pop(name)
        return self.live[name][-1]

    def purge(self, name: str) -> None:
        """Delete a deleted secret for good."""
        self._deleted(name)
        del self.deleted[name]

    def deleted_version(self, name: str) -> Version:
        """The newest version of a deleted secret."""
        return self._deleted(name)[-1]

    def check_backup(self, name: str) -> None:
        """Raises VaultError where a secret has too many versions for a backup."""
        self.get(name)
        if len(self.live[name]) > _MAX_BACKUP_VERSIONS:
            raise VaultError(400, "BadParameter", f"The secret has more than {_MAX_BACKUP_VERSIONS} versions.")

    def _deleted(self, name: str) -> list[Version]:
        if name not in self.deleted:
            raise VaultError(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return self.deleted[name]


def _apply(version: Version, attributes: dict[str, Any]) -> None:
    version.enabled = bool(attributes.get("enabled", version.enabled))
    version.exp = attributes.get("exp", version.exp)
    version.nbf = attributes.get("nbf", version.nbf)
