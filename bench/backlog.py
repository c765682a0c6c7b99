"""A backlog: a whole mailbox becomes tickets, beside fetchers that write files and a helpdesk that makes tickets."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.limits import azurite_rate, round_trip_limit, sdk_rate
from bench.peers import PEERS, Peer, PeerFailedError
from bench.site import Line, Site

OURS = "Ticket Engine"
_LINES = (
    Line("POP3"),
    Line("POP3", pipelining=False),
    Line("POP3", rtt=20),
    Line("POP3", rtt=20, pipelining=False),
    Line("IMAP"),
    Line("IMAP", rtt=20),
)
# Programs that wait for each answer before they ask again; with a round-trip time they get fewer mails.
_SERIAL = {"fetchmail", "getmail6", "django-helpdesk"}


@dataclass(frozen=True)
class Figure:
    """One program on one line: mails a second, whole process, the median of its runs; ``more`` is what else it says."""

    line: str
    name: str
    mails: int
    rate: float
    runs: tuple[float, ...]
    more: dict[str, Any]


def sizes(line: Line, name: str, mails: int) -> int:
    """How many mails a program is measured with on a line: all, or fewer where it is slow and its rate constant."""
    if name == "django-helpdesk":
        return min(mails, 200)
    if line.rtt and (name in _SERIAL or not line.pipelining):
        return min(mails, 500)
    return min(mails, 2_000) if name == "getmail6" else mails


def measure(site: Site, mails: int, runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Every line with every program, the programs of a line one after the other in each run."""
    addresses = {
        count: site.fill(f"mails-{count}", count) for count in sorted({mails, 200, 500, 2_000}) if count <= mails
    }
    figures = []
    for line in _LINES:
        peers = [each for each in PEERS if line.protocol in each.protocols]
        taken: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        for run in range(runs):
            for name, rate, more in _round(site, line, peers, mails, addresses, run):
                say(f"{line}, run {run + 1}/{runs}: {name} {rate:,.0f} mails/s")
                taken.setdefault(name, []).append((rate, more))
        figures += [_figure(line, name, mails, each) for name, each in taken.items()]
    return figures


def azurite_limits(site: Site, runs: int, say: Callable[[str], None]) -> tuple[float, float]:
    """Entities a second, medians: Azurite alone, and Azurite with the SDK."""
    alone, together = [], []
    for run in range(runs):
        alone.append(azurite_rate(site, f"alone-{run}"))
        together.append(sdk_rate(site, f"together-{run}"))
        say(f"Azurite, run {run + 1}/{runs}: {alone[-1]:,.0f} entities/s alone, {together[-1]:,.0f} with the SDK")
    return median(alone), median(together)


def _round(
    site: Site, line: Line, peers: list[Peer], mails: int, addresses: dict[int, str], run: int
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    count = sizes(line, OURS, mails)
    yield OURS, *_ours(site, line, addresses[count], count)
    for peer in peers:
        count = sizes(line, peer.name, mails)
        address = addresses[count]
        if peer.tickets:
            # It deletes what it has read.
            address = site.fill(f"{line.protocol}-{line.rtt}-{line.pipelining}-{run}".lower(), count, seed=run + 2)
        yield peer.name, _peer(site, peer, line, address, count), {}


def _ours(site: Site, line: Line, address: str, count: int) -> tuple[float, dict[str, Any]]:
    mailbox = site.mailbox(address, line)
    started = time.perf_counter()
    result = site.work("backlog", mailbox)
    seconds = time.perf_counter() - started
    if result["messages"] != count:
        raise RuntimeError(f"{result['messages']} messages of {count} mails over {line}")
    tickets = sum(1 for _ in site.engine.stores.tickets.tickets(mailbox))
    operations = result["requests"].get("table", 0) + result["requests"].get("blob", 0)
    more = {
        "entities_per_second": (tickets + count) / seconds,
        "storage_operations_per_mail": operations / count,
        "cpu_ms_per_mail": result["cpu_seconds"] / count * 1_000,
        "peak_mib": result["peak_mib"],
        "seconds_without_start": result["seconds"],
    }
    return count / seconds, more


def _peer(site: Site, peer: Peer, line: Line, address: str, count: int) -> float:
    try:
        return _timed(site, peer, line, address, count)
    except PeerFailedError:
        # getmail6 gives up at times when the machine is busy.
        return _timed(site, peer, line, address, count)


def _timed(site: Site, peer: Peer, line: Line, address: str, count: int) -> float:
    folder = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=site.cloud.folder))
    try:
        started = time.perf_counter()
        got = peer.run(site.account(address, line), line.protocol, folder)
        seconds = time.perf_counter() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if got < count:
        raise RuntimeError(f"{peer.name} fetched {got} of {count} mails over {line}")
    return count / seconds


def _figure(line: Line, name: str, mails: int, taken: list[tuple[float, dict[str, Any]]]) -> Figure:
    rates = tuple(rate for rate, _ in taken)
    keys = taken[0][1]
    more: dict[str, Any] = {key: median(each[key] for _, each in taken) for key in keys}
    limit = round_trip_limit(line)
    if name == OURS and limit is not None and not line.pipelining:
        more["share_of_line"] = median(rates) / limit
    return Figure(str(line), name, sizes(line, name, mails), median(rates), rates, more)
