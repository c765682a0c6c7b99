"""``python -m bench.worker MAILBOX``: one worker process that polls a mailbox to its end; prints what it took as JSON.

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


def main() -> int:
    """Poll until nothing is left; 1 when a poll failed."""
    counted = count_requests()
    engine = Engine.from_environment()
    started = time.perf_counter()
    mails = messages = 0
    more = True
    while more:
        result = engine.poller.poll(sys.argv[1])
        if result.failure is not None or result.skipped:
            print(json.dumps({"failure": result.failure.sentence if result.failure else result.skipped}))
            return 1
        mails, messages, more = mails + result.mails, messages + result.messages, result.more
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "mails": mails,
                "messages": messages,
                "seconds": time.perf_counter() - started,
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "peak_mib": used.ru_maxrss / 1024,
                "requests": counted,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
