"""The host's own storage: queues of the bindings, and the blobs that remember timers."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from functools import cache
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import BinaryBase64DecodePolicy, BinaryBase64EncodePolicy, QueueClient

_CONTAINER = "azure-webjobs-hosts"


class HostStorage:
    """The account that the setting AzureWebJobsStorage names."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self.queue = cache(self._queue)

    def _queue(self, name: str) -> QueueClient:
        client = QueueClient.from_connection_string(
            self._connection_string,
            name,
            message_encode_policy=BinaryBase64EncodePolicy(),
            message_decode_policy=BinaryBase64DecodePolicy(),
        )
        with contextlib.suppress(ResourceExistsError):
            client.create_queue()
        return client

    def timer_status(self, function: str) -> dict[str, datetime] | None:
        """When a timer ran last and was to run next, or None before its first run."""
        try:
            text = self._status(function).download_blob().readall()
        except ResourceNotFoundError:
            return None
        return {name: datetime.fromisoformat(value) for name, value in json.loads(text).items()}

    def save_timer_status(self, function: str, last: datetime, following: datetime) -> None:
        """Remember a timer's run."""
        status = {"Last": last.isoformat(), "Next": following.isoformat()}
        self._status(function).upload_blob(json.dumps(status), overwrite=True)

    def _status(self, function: str) -> Any:
        service = BlobServiceClient.from_connection_string(self._connection_string)
        container = service.get_container_client(_CONTAINER)
        with contextlib.suppress(ResourceExistsError):
            container.create_container()
        return container.get_blob_client(f"timers/devcloud/{function}/status")
