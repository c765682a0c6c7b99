"""Victims that die on demand, servers that misbehave on demand, and the matrix of what was survived."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
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


def _module(name: str) -> Any:
    # By its path: the worker library ships a package named tests, which an import would find.
    spec = importlib.util.spec_from_file_location(f"faults_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_PROXY = _module("proxy")


@pytest.fixture
def rule() -> Any:
    """What a proxy does at a client's line."""
    return _PROXY.Rule


@pytest.fixture
def mail_proxy(cloud: DevCloud) -> Iterator[Callable[[int], Any]]:
    """Put a proxy that misbehaves on demand in front of a mail server's port."""
    started: list[Any] = []

    def make(port: int) -> Any:
        started.append(_PROXY.MailProxy(port, cloud.certificates))
        return started[-1]

    yield make
    for each in started:
        each.close()


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
