"""Victims that die on demand, servers that misbehave on demand, and the matrix of what was survived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcloud.cloud import DevCloud

ROOT = Path(__file__).parents[2]


class Victim:
    """A worker process whose polls die where they are told to."""

    def __init__(self, cloud: DevCloud) -> None:
        self._cloud = cloud
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("victim.py"))],
            cwd=ROOT,
            env={**os.environ, **cloud.environment(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def poll(self, mailbox: str, point: str = "", when: str = "", page: int = 3) -> dict[str, Any]:
        """One poll: its I/O calls by name, and how it ended (9: it died where it was told to)."""
        assert self._process.stdin
        assert self._process.stdout
        offset = self._cloud.clock.offset.total_seconds()
        order = {"mailbox": mailbox, "point": point, "when": when, "page": page, "offset": offset}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=10)


@pytest.fixture(scope="session")
def victim(cloud: DevCloud) -> Iterator[Victim]:
    """A worker process whose polls die where they are told to."""
    started = Victim(cloud)
    yield started
    started.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the matrix: a line a point, a column a mode, and in each cell whether each mail was there exactly once."""
    matrix: dict[str, dict[str, str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                matrix |= {name[7:]: cells for name, cells in report.user_properties if name.startswith("matrix ")}
    if not matrix:
        return
    points = list(dict.fromkeys(point for cells in matrix.values() for point in cells))
    width = max(map(len, points))
    terminalreporter.section("killed at every step, then polled again: each mail exactly once?")
    terminalreporter.write_line(" " * width + "  " + "  ".join(matrix))
    for point in points:
        cells = (matrix[mode].get(point, "-").center(len(mode)) for mode in matrix)
        terminalreporter.write_line(f"{point:<{width}}  " + "  ".join(cells))
    told = [cell for cells in matrix.values() for cell in cells.values()]
    terminalreporter.write_line(f"{len(told)} kills, {sum(cell == 'yes' for cell in told)} survived")
