"""``python -m bench.worker``: one worker process that polls a mailbox; prints what it took as JSON.

Requests are counted where they leave the process, by the service that they go to.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import Counter
from typing import Any

import requests

from ticket_engine.engine import Engine
from ticket_engine.intake.poll import PollResult

# A new process reads its identity's token, the mailbox's token and its libraries first.
_WARM_UP = 3
_SERVICES = {
    "STORAGE_TABLES_URL": "table",
    "STORAGE_BLOBS_URL": "blob",
    "KEY_VAULT_URL": "vault",
    "AZURE_AUTHORITY_HOST": "token",
}


def count_requests() -> Counter[str]:
    """Count this process's requests from now on; the counter grows as they are sent."""
    counted: Counter[str] = Counter()
    services = {os.environ[name]: kind for name, kind in _SERVICES.items()}
    send = requests.Session.send

    def counting(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        kind = next((kind for url, kind in services.items() if str(request.url).startswith(url)), "other")
        counted[kind] += 1
        return send(self, request, **options)

    requests.Session.send = counting  # type: ignore[method-assign]
    return counted


def poll_to_the_end(engine: Engine, mailbox: str) -> dict[str, Any]:
    """Poll until nothing is left; raises RuntimeError when a poll failed."""
    started = time.perf_counter()
    mails = messages = 0
    more = True
    while more:
        result = _poll(engine, mailbox)
        mails, messages, more = mails + result.mails, messages + result.messages, result.more
    return {"mails": mails, "messages": messages, "seconds": time.perf_counter() - started}


def idle_polls(engine: Engine, mailbox: str, counted: Counter[str], polls: int) -> dict[str, Any]:
    """What a poll that finds nothing takes once the process is warm: requests, CPU and time of one."""
    for _ in range(_WARM_UP):
        _poll(engine, mailbox)
    counted.clear()
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(polls):
        _poll(engine, mailbox)
    return {
        "requests_per_poll": {kind: count / polls for kind, count in counted.items()},
        "cpu_ms_per_poll": (time.process_time() - cpu) / polls * 1_000,
        "seconds_per_poll": (time.perf_counter() - started) / polls,
    }


def _poll(engine: Engine, mailbox: str) -> PollResult:
    result = engine.poller.poll(mailbox)
    if result.failure is not None or result.skipped:
        raise RuntimeError(result.failure.sentence if result.failure else result.skipped)
    return result


def main() -> int:
    """Do what the arguments say: ``backlog MAILBOX`` or ``idle MAILBOX POLLS``."""
    counted = count_requests()
    engine = Engine.from_environment()
    kind, mailbox, *more = sys.argv[1:]
    result = idle_polls(engine, mailbox, counted, int(more[0])) if kind == "idle" else poll_to_the_end(engine, mailbox)
    used = resource.getrusage(resource.RUSAGE_SELF)
    result |= {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "requests": counted,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
