"""Raw mail in blob storage: ZIP files of .eml entries."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ticket_engine.store.failures import storage_failures

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients


class MailArchive:
    """The container ``mail``."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, name: str, content: bytes) -> None:
        """Store a ZIP; the same name always carries the same content, so writing it again is harmless."""
        with storage_failures():
            self._clients.mail.upload_blob(name, content, overwrite=True)

    def read(self, name: str, entry: str) -> bytes:
        """The raw mail of one entry."""
        with storage_failures():
            content = self._clients.mail.download_blob(name).readall()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(entry)

    def without(self, name: str, entries: Collection[str]) -> list[str]:
        """Take entries out of a ZIP for good, and delete a ZIP that is empty then; the SHA-256 of each raw mail.

        What is gone already is no error, so that an interrupted removal can be done again.
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        while True:
            with storage_failures():
                try:
                    blob = self._clients.mail.download_blob(name)
                    etag, content = str(blob.properties.etag), blob.readall()
                    left, digests, count = _rewritten(content, entries)
                    condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
                    if not count:
                        self._clients.mail.delete_blob(name, **condition)
                    elif digests:
                        self._clients.mail.upload_blob(name, left, overwrite=True, **condition)
                    return digests
                except ResourceNotFoundError:
                    return []
                except ResourceModifiedError:
                    # Someone took other entries out at the same time.
                    continue


def _rewritten(content: bytes, entries: Collection[str]) -> tuple[bytes, list[str], int]:
    """The ZIP without these entries, their digests, and how many entries are left."""
    buffer = io.BytesIO()
    digests, count = [], 0
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            raw = old.read(info)
            if info.filename in entries:
                digests.append(hashlib.sha256(raw).hexdigest())
            else:
                new.writestr(info, raw)
                count += 1
    return buffer.getvalue(), digests, count
