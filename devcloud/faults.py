"""Failures on demand: what a stand-in answers instead, first in, first out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response


@dataclass
class Fault:
    """Answer ``times`` matching requests with this, after ``delay`` seconds.

    ``cut_after`` breaks the connection after so many octets of the body; ``replace`` makes the answer from the real
    one, for a response that is right but for one detail.
    """

    endpoint: str
    times: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    delay: float = 0.0
    cut_after: int | None = None
    replace: Callable[[dict[str, Any]], dict[str, Any]] | None = None


class Faults:
    """The faults of one stand-in."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    def add(self, endpoint: str, **what: Any) -> None:
        """Let the next requests to an endpoint fail."""
        with self._lock:
            self._faults.append(Fault(endpoint, **what))

    def clear(self) -> None:
        """Forget every fault that is still to come."""
        with self._lock:
            self._faults.clear()

    def take(self, endpoint: str) -> Fault | None:
        """The fault for this request, or None."""
        with self._lock:
            for fault in self._faults:
                if fault.endpoint == endpoint and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


async def apply(fault: Fault, real: Callable[[], Response]) -> Response:
    """The answer that a fault makes of a request; ``real`` is the answer without it."""
    if fault.delay:
        await anyio.sleep(fault.delay)
    if fault.cut_after is not None:
        return _CutResponse(await run_in_threadpool(real), fault.cut_after)
    if fault.replace is not None:
        # In a thread: what replaces the answer may ask this very server.
        return await run_in_threadpool(_replaced, real, fault.replace)
    return Response(fault.body, status_code=fault.status, headers=dict(fault.headers))


def _replaced(real: Callable[[], Response], replace: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    answer = real()
    body = json.dumps(replace(json.loads(bytes(answer.body))))
    return Response(body, status_code=answer.status_code, media_type="application/json")


class _CutResponse(Response):
    """Promises the whole body, sends a part of it, and ends the connection."""

    def __init__(self, whole: Response, octets: int) -> None:
        super().__init__(whole.body, status_code=whole.status_code, media_type="application/json")
        self._octets = octets

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the head with the full length, then too few octets; the server closes on the mismatch."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: self._octets], "more_body": False})
