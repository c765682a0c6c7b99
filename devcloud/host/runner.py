"""Runs one invocation: logs it as the platform does, and sends its queue outputs when it succeeded."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping

from devcloud.host.model import Call, Function, Result, Worker
from devcloud.host.storage import HostStorage

_log = logging.getLogger("host")


class Runner:
    """Between the triggers and the worker."""

    def __init__(self, worker: Worker, storage: HostStorage) -> None:
        self._worker = worker
        self._storage = storage
        self._running = 0
        self._idle = threading.Condition()

    def run(self, function: Function, call: Call, reason: str) -> Result:
        """Invoke a function and send its outputs; raises what the function raised, after logging it."""
        invocation = str(uuid.uuid4())
        _log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation)
        started = time.monotonic()
        with self._idle:
            self._running += 1
        outcome = "Failed"
        try:
            result = self._worker.invoke(function, call, invocation)
            self._send(function.outputs, result.messages)
            outcome = "Succeeded"
            return result
        except Exception:
            _log.exception("Function '%s', Id=%s", function.name, invocation)
            raise
        finally:
            duration = int((time.monotonic() - started) * 1000)
            _log.info(
                "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)", function.name, outcome, invocation, duration
            )
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def wait_idle(self, seconds: float) -> None:
        """Wait until nothing runs, at most so long."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=seconds)

    def _send(self, outputs: Mapping[str, Mapping[str, object]], messages: Mapping[str, list[str]]) -> None:
        for name, bodies in messages.items():
            if bodies:
                queue = self._storage.queue(str(outputs[name]["queueName"]))
                for body in bodies:
                    queue.send_message(body.encode())
