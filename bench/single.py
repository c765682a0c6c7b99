"""One process: how long the app takes to load, what an idle poll takes, and what a large mail needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.site import Line, Site

_ROOT = Path(__file__).parent.parent
_IMPORT_RUNS = 9
_IDLE_POLLS = 50
# Just within MAX_MESSAGE_BYTES.
_LARGE_OCTETS = 50 * 1024**2 - 100_000


def start(say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds to import the app and to import azure.functions alone, by turns; medians and their ratio."""
    taken: dict[str, list[float]] = {"azure.functions": [], "function_app": []}
    for _ in range(_IMPORT_RUNS):
        for module, seconds in taken.items():
            seconds.append(_import_seconds(module))
    alone, app = (median(each) for each in taken.values())
    say(f"import azure.functions {alone:.3f} s, import function_app {app:.3f} s: {app / alone:.2f} times")
    return {"azure_functions_seconds": alone, "function_app_seconds": app, "ratio": app / alone}


def _import_seconds(module: str) -> float:
    code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
    return float(subprocess.check_output([sys.executable, "-c", code], cwd=_ROOT, text=True))


def idle(site: Site, protocol: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Requests and CPU (ms) of a poll that finds nothing, in a warm process."""
    mailbox = site.mailbox(site.fill(f"idle-{protocol.lower()}", 10), Line(protocol))
    result = site.work("idle", mailbox, str(_IDLE_POLLS))
    say(f"Idle poll over {protocol}: {result['cpu_ms_per_poll']:.1f} ms of CPU, requests {result['requests_per_poll']}")
    return {"cpu_ms": result["cpu_ms_per_poll"], "requests": result["requests_per_poll"]}


def large_mail(site: Site, protocol: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Peak memory (MiB) of a process that polls one mail of 50 MB."""
    address = site.cloud.add_account(f"large-{protocol.lower()}")
    site.cloud.mail.deliver(address, _large())
    result = site.work("backlog", site.mailbox(address, Line(protocol)))
    if result["messages"] != 1:
        raise RuntimeError("the large mail became no message")
    say(f"A mail of 50 MB over {protocol}: peak {result['peak_mib']:.0f} MiB")
    return {"octets": _LARGE_OCTETS, "peak_mib": result["peak_mib"], "seconds": result["seconds"]}


def _large() -> bytes:
    head = (
        b"From: Scanner <scanner@fabrikam.example>\r\nTo: support@contoso.example\r\nSubject: A large scan\r\n"
        b"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <large@fabrikam.example>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nThe scan.\r\n--b\r\n"
        b'Content-Type: application/pdf; name="scan.pdf"\r\nContent-Disposition: attachment; filename="scan.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY3ODkwYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4\r\n"
    return head + line * ((_LARGE_OCTETS - len(head)) // len(line)) + b"--b--\r\n"
