"""Queue triggers: polling, retries with dequeue counts, and the poison queue."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from devcloud.host.model import Function, QueueCall, resolve
from devcloud.host.runner import Runner
from devcloud.host.storage import HostStorage

_log = logging.getLogger("host")
_FIRST_INTERVAL = 0.1
# While a function runs, its message is hidden for this long, and hidden again before that ends.
_HIDDEN_SECONDS = 600
_RENEW_SECONDS = 300


@dataclass(frozen=True)
class QueueSettings:
    """host.json, ``extensions.queues``; seconds where the file has hh:mm:ss."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    max_polling_interval: float = 60.0

    @classmethod
    def read(cls, section: dict[str, Any]) -> QueueSettings:
        """The settings of a host.json, with the platform's defaults."""
        batch = int(section.get("batchSize", cls.batch_size))
        return cls(
            batch_size=batch,
            new_batch_threshold=int(section.get("newBatchThreshold", batch // 2)),
            max_dequeue_count=int(section.get("maxDequeueCount", cls.max_dequeue_count)),
            visibility_timeout=_seconds(section.get("visibilityTimeout", "00:00:00")),
            max_polling_interval=_seconds(section.get("maxPollingInterval", "00:01:00")),
        )


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@dataclass
class _Running:
    receipts: dict[str, Any] = field(default_factory=dict)
    renewed: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class QueueListener:
    """One queue function."""

    def __init__(
        self,
        function: Function,
        runner: Runner,
        storage: HostStorage,
        settings: QueueSettings,
        stop: threading.Event,
    ) -> None:
        self.function = function
        self._runner = runner
        self._storage = storage
        self._settings = settings
        self._stop = stop
        self._name = resolve(str(function.trigger["queueName"]))
        self._queue = storage.queue(self._name)
        self._running = _Running()
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(settings.batch_size + settings.new_batch_threshold, f"queue-{function.name}")

    def start(self) -> None:
        """Listen in a thread."""
        threading.Thread(target=self._loop, name=f"listen-{self.function.name}", daemon=True).start()

    def _loop(self) -> None:
        interval = _FIRST_INTERVAL
        while not self._stop.wait(interval):
            try:
                self._renew()
                found = self._receive()
            except AzureError as error:
                _log.warning("The queue '%s' can't be read: %s", self._name, type(error).__name__)
                found = 0
            interval = _FIRST_INTERVAL if found else min(interval * 2, self._settings.max_polling_interval)
            # A new message shall not wait long on a desk where hardly anything else runs.
            interval = min(interval, 1.0)

    def _receive(self) -> int:
        while len(self._running.receipts) > self._settings.new_batch_threshold:
            # Enough is running: wait for one of them to end, and look after the others meanwhile.
            self._ended.clear()
            if len(self._running.receipts) > self._settings.new_batch_threshold and not self._ended.wait(1.0):
                return 1
        # One page is one request; asking for the next one would take more messages than there are threads.
        pages = self._queue.receive_messages(
            messages_per_page=self._settings.batch_size, visibility_timeout=_HIDDEN_SECONDS
        ).by_page()
        messages = list(next(pages, ()))
        for message in messages:
            with self._running.lock:
                self._running.receipts[message.id] = message
                self._running.renewed[message.id] = time.monotonic()
            self._threads.submit(self._handle, message)
        return len(messages)

    def _handle(self, message: Any) -> None:
        call = QueueCall(
            id=message.id,
            body=bytes(message.content),
            dequeue_count=message.dequeue_count,
            inserted=message.inserted_on,
            expires=message.expires_on,
            next_visible=message.next_visible_on,
            pop_receipt=message.pop_receipt,
        )
        try:
            self._runner.run(self.function, call, f"New queue message detected on '{self._name}'.")
        except Exception:  # noqa: BLE001 - the runner has logged it; the message comes again or is poison
            self._failed(self._forget(message))
        else:
            self._delete(self._forget(message))

    def _failed(self, message: Any) -> None:
        try:
            if message.dequeue_count < self._settings.max_dequeue_count:
                self._queue.update_message(message, visibility_timeout=int(self._settings.visibility_timeout))
                return
            poison = f"{self._name}-poison"
            _log.error(
                "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
                self._settings.max_dequeue_count,
                poison,
            )
            self._storage.queue(poison).send_message(bytes(message.content))
            self._delete(message)
        except AzureError as error:
            _log.warning("A message of '%s' could not be given back: %s", self._name, type(error).__name__)

    def _delete(self, message: Any) -> None:
        try:
            self._queue.delete_message(message)
        except ResourceNotFoundError:
            _log.warning("A message of '%s' was taken by someone else while it ran", self._name)

    def _forget(self, message: Any) -> Any:
        with self._running.lock:
            self._running.renewed.pop(message.id, None)
            receipt = self._running.receipts.pop(message.id)
        self._ended.set()
        return receipt

    def _renew(self) -> None:
        now = time.monotonic()
        with self._running.lock:
            for key, since in self._running.renewed.items():
                if now - since > _RENEW_SECONDS:
                    message = self._running.receipts[key]
                    self._running.receipts[key] = self._queue.update_message(
                        message, visibility_timeout=_HIDDEN_SECONDS
                    )
                    self._running.renewed[key] = now
