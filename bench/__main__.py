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

from bench import backlog
from bench.peers import missing
from bench.site import Site

_FIRST_LINE = "The whole process of each program, from start to end; the median of {runs} runs."


def _run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.0f} s[/dim]  {text}", highlight=False)

    with Site() as site:
        alone, together = backlog.azurite_limits(site, options.runs, say)
        figures = backlog.measure(site, options.mails, options.runs, say)
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "runs": options.runs,
        "azurite_entities_per_second": alone,
        "azurite_with_sdk_entities_per_second": together,
        "backlog": [asdict(each) for each in figures],
    }


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
    """What our figures say beside the limits."""
    limit, together = result["azurite_entities_per_second"], result["azurite_with_sdk_entities_per_second"]
    lines = [f"Azurite in transactions of 100: {limit:,.0f} entities/s alone, {together:,.0f} with the SDK."]
    for each in result["backlog"]:
        if each["name"] != backlog.OURS:
            continue
        more = each["more"]
        line = (
            f"{each['line']}: {more['entities_per_second'] / limit:.0%} of Azurite alone, "
            f"{more['entities_per_second'] / together:.0%} of Azurite with the SDK, "
            f"{more['storage_operations_per_mail']:.3f} storage operations, {more['cpu_ms_per_mail']:.2f} ms of CPU "
            f"a mail, peak {more['peak_mib']:.0f} MiB"
        )
        share = more.get("share_of_line")
        lines.append(line + (f", {share:.0%} of the line's limit." if share else "."))
    return lines


def main() -> int:
    """Measure; 1 when a program that the figures stand beside is missing."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--mails", type=int, default=10_000, help="how many mails the backlog holds")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured; the median counts")
    options = parser.parse_args()
    absent = missing()
    if absent:
        print(f"script/bench installs what is missing here: {' '.join(absent)}", file=sys.stderr)
        return 1
    result = _run(options, Console(stderr=True))
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table(result))
    for line in notes(result):
        console.print(line, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
