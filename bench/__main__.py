"""``python -m bench``: run the benchmarks and print their figures, for a person or (``--json``) for a program."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import backlog, fleet, search, single
from bench import console as console_pages
from bench.peers import missing
from bench.site import Site

_PARTS = ("start", "single", "backlog", "fleet", "search", "console")
_PROTOCOLS = ("POP3", "IMAP")
_FIRST_LINE = "The whole process of each program, from start to end; the median of {runs} runs."


def _run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.0f} s[/dim]  {text}", highlight=False)

    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "runs": options.runs,
    }
    wanted = options.only or _PARTS
    with Site() as site:
        if "start" in wanted:
            result["start"] = single.start(say)
        if "single" in wanted:
            result["idle"] = {each: single.idle(site, each, say) for each in _PROTOCOLS}
            result["large_mail"] = {each: single.large_mail(site, each, say) for each in _PROTOCOLS}
        if "backlog" in wanted:
            alone, together = backlog.azurite_limits(site, options.runs, say)
            result["azurite_entities_per_second"] = alone
            result["azurite_with_sdk_entities_per_second"] = together
            result["backlog"] = [asdict(each) for each in backlog.measure(site, options.mails, options.runs, say)]
        if "fleet" in wanted:
            result["fleet"] = fleet.measure(site, options.mailboxes, say)
        if "console" in wanted or "search" in wanted:
            say(f"Filling Azurite with {options.mailboxes:,} mailboxes and {options.tickets:,} tickets")
            known = console_pages.fill(site.engine, options.mailboxes, options.tickets)
        if "search" in wanted:
            result["search"] = search.measure(site.engine, options.tickets, say)
        if "console" in wanted:
            result["console"] = console_pages.measure(site, known, say)
    return result


def table(result: dict[str, Any]) -> Table:
    """The backlog's figures; each program's rate beside ours on the same line."""
    shown = Table(title=_FIRST_LINE.format(runs=result["runs"]), title_justify="left")
    for heading in ("Line", "Program", "Mails", "Mails/s", "Ours to it"):
        shown.add_column(heading, justify="left" if heading in {"Line", "Program"} else "right", no_wrap=True)
    ours = {each["line"]: each["rate"] for each in result["backlog"] if each["name"] == backlog.OURS}
    for each in result["backlog"]:
        ratio = "" if each["name"] == backlog.OURS else f"{ours[each['line']] / each['rate']:.2f} x"
        shown.add_row(each["line"], each["name"], f"{each['mails']:,}", f"{each['rate']:,.0f}", ratio)
    return shown


def notes(result: dict[str, Any]) -> list[str]:
    """What our figures say beside the limits, a line each."""
    return [
        *_of_the_process(result),
        *_of_the_backlog(result),
        *_of_the_fleet(result),
        *_of_the_search(result),
        *_of_the_console(result),
    ]


def _of_the_process(result: dict[str, Any]) -> list[str]:
    lines = []
    if "start" in result:
        lines.append(f"Loading the app takes {result['start']['ratio']:.2f} times as long as azure.functions alone.")
    for protocol, each in result.get("idle", {}).items():
        requests = ", ".join(f"{count:g} {kind}" for kind, count in sorted(each["requests"].items()))
        lines.append(f"An idle poll over {protocol}: {each['cpu_ms']:.1f} ms of CPU; requests: {requests}.")
    for protocol, each in result.get("large_mail", {}).items():
        lines.append(f"A mail of 50 MB over {protocol}: peak {each['peak_mib']:.0f} MiB.")
    return lines


def _of_the_backlog(result: dict[str, Any]) -> list[str]:
    if "backlog" not in result:
        return []
    alone, together = result["azurite_entities_per_second"], result["azurite_with_sdk_entities_per_second"]
    lines = [f"Azurite in transactions of 100: {alone:,.0f} entities/s alone, {together:,.0f} with the SDK."]
    for each in result["backlog"]:
        if each["name"] != backlog.OURS:
            continue
        more = each["more"]
        line = (
            f"{each['line']}: {more['entities_per_second'] / alone:.0%} of Azurite alone, "
            f"{more['entities_per_second'] / together:.0%} of Azurite with the SDK, "
            f"{more['storage_operations_per_mail']:.3f} storage operations and {more['cpu_ms_per_mail']:.2f} ms of CPU "
            f"a mail, peak {more['peak_mib']:.0f} MiB"
        )
        share = more.get("share_of_line")
        lines.append(line + (f", {share:.0%} of the line's limit." if share else "."))
    return lines


def _of_the_fleet(result: dict[str, Any]) -> list[str]:
    if "fleet" not in result:
        return []
    each = result["fleet"]
    line = (
        f"{each['mailboxes']:,} idle mailboxes, {each['threads']} threads: {each['seconds']:.1f} s, "
        f"{each['share_of_ideal']:.0%} of the ideal; peak {each['peak_mib']:.0f} MiB."
    )
    return [line]


def _of_the_search(result: dict[str, Any]) -> list[str]:
    return [
        f"Search of {each['tickets']:,} tickets, {each['search']}: first page {each['first_ms']:.0f} ms "
        f"({each['found_first']} found), to the end {each['seconds']:.1f} s in {each['pages']} pages."
        for each in result.get("search", ())
    ]


def _of_the_console(result: dict[str, Any]) -> list[str]:
    limits = f"limits {console_pages.LIMIT_MS} ms and {console_pages.LIMIT_BYTES // 1024} KB"
    return [
        f"Console, {each['page']}: median {each['median_ms']:.0f} ms, 95th percentile {each['p95_ms']:.0f} ms, "
        f"{each['cpu_ms']:.0f} ms of CPU, "
        f"{each['bytes'] / 1024:.0f} KB ({limits})."
        for each in result.get("console", ())
    ]


def main() -> int:
    """Measure; 1 when a program that the figures stand beside is missing."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--mails", type=int, default=10_000, help="how many mails the backlog holds")
    parser.add_argument(
        "--mailboxes", type=int, default=1_000, help="how many mailboxes the fleet and the console have"
    )
    parser.add_argument("--tickets", type=int, default=100_000, help="how many tickets the console shows")
    parser.add_argument("--only", action="append", choices=_PARTS, help="measure this part; may be given again")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured; the median counts")
    options = parser.parse_args()
    absent = missing()
    if absent and "backlog" in (options.only or _PARTS):
        print(f"script/bench installs what is missing here: {' '.join(absent)}", file=sys.stderr)
        return 1
    result = _run(options, Console(stderr=True))
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 120)
    if "backlog" in result:
        console.print(table(result))
    for line in notes(result):
        console.print(line, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
