"""A fleet: a thousand idle mailboxes on a server whose logins take a second, polled by one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.site import Line, Site
from ticket_engine.errors import VaultUnavailableError
from ticket_engine.records import Mailbox, TicketType
from ticket_engine.store.vault import StoredSecret

_THREADS = 32
_LINE = Line("POP3", slow_login=1.0)
_LONGEST_SECONDS = 600
_IDLE_POLLS = 20


def measure(site: Site, mailboxes: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The time of one round of polls beside the ideal, and the worker process's peak memory (MiB).

    The ideal is the time of one idle poll, times the mailboxes, divided by the threads.
    """
    first = site.mailbox(site.fill("fleet", 0), _LINE)
    idle = site.work("idle", first, str(_IDLE_POLLS))
    say(f"Idle poll: {idle['seconds_per_poll']:.2f} s, {idle['cpu_ms_per_poll']:.1f} ms of CPU")
    say(f"Adding {mailboxes:,} mailboxes")
    _multiply(site, first, mailboxes)
    settings = {"PYTHON_THREADPOOL_THREAD_COUNT": str(_THREADS), "MAIL_POLL_SCHEDULE": "0 0 0 1 1 *"}
    site.cloud.host.start(site.cloud.environment() | settings)
    try:
        say("The first round, which takes a token for each")
        _round(site, mailboxes)
        seconds = _round(site, mailboxes)
        peak = max(map(_peak_mib, _processes("devcloud.host")))
    finally:
        site.cloud.host.stop()
    ideal = mailboxes * idle["seconds_per_poll"] / _THREADS
    say(f"The second round: {seconds:.1f} s, ideal {ideal:.1f} s, peak {peak:.0f} MiB")
    return {
        "mailboxes": mailboxes,
        "threads": _THREADS,
        "seconds": seconds,
        "ideal_seconds": ideal,
        "share_of_ideal": ideal / seconds,
        "peak_mib": peak,
        "idle_cpu_ms": idle["cpu_ms_per_poll"],
        "idle_requests": idle["requests_per_poll"],
    }


def _multiply(site: Site, first: str, mailboxes: int) -> None:
    """Mailboxes like the first one, connected by the same account's token."""
    stores = site.engine.stores
    mailbox, state = stores.mailboxes.get(first), stores.states.token(first)
    token, secret = stores.vault.refresh_token(first), stores.vault.client_secret(first)
    if token is None or secret is None or token.expires_at is None:
        raise RuntimeError("the first mailbox is not connected")
    expires_at = token.expires_at

    def add(number: int) -> None:
        name = f"fleet-{number}"
        stores.mailboxes.add(Mailbox.create(**{**mailbox.model_dump(), "id": name, "name": name}))
        stores.ticket_types.add(TicketType.create(id=name, name=name, mailbox=name, admin_email="lead@contoso.example"))
        _patiently(lambda: stores.vault.store_client_secret(name, secret.value))
        stored = _patiently(lambda: stores.vault.store_refresh_token(name, token.value, expires_at))
        stores.states.update_token(name, lambda _: replace(state, token_version=stored.version))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(1, mailboxes)))


def _patiently(write: Callable[[], StoredSecret]) -> StoredSecret:
    """Write to the vault, however often it says that 300 writes in 10 seconds are enough."""
    while True:
        try:
            return write()
        except VaultUnavailableError:
            time.sleep(1)


def _round(site: Site, mailboxes: int) -> float:
    """Fire the timer and wait until every mailbox was polled; seconds."""
    since = site.cloud.clock()
    started = time.perf_counter()
    site.cloud.host.fire("mail_poll_timer")
    while _polled(site, since) < mailboxes:
        if time.perf_counter() - started > _LONGEST_SECONDS:
            raise RuntimeError(f"only {_polled(site, since)} of {mailboxes} mailboxes were polled")
        time.sleep(0.5)
    return time.perf_counter() - started


def _polled(site: Site, since: datetime) -> int:
    polls = site.engine.stores.states.all_polls().values()
    return sum(1 for each in polls if each.last_success_at is not None and each.last_success_at >= since)


def _processes(module: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"\0-m\0{module}\0".encode() in command:
            found.append(int(entry.name))
    return found


def _peak_mib(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
