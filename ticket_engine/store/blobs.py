"""Raw mail in blob storage: ZIP files of .eml entries."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

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
