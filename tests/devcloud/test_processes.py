"""Nothing outlives devcloud."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcloud.processes import Process, ProcessFailedError

ROOT = Path(__file__).parents[2]
# A child that starts a child of its own, as Dovecot and npm do.
FAMILY = (
    "import subprocess, sys, time; p = subprocess.Popen(['sleep', '300']); print(p.pid, flush=True); time.sleep(300)"
)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()


def wait_for_death(pid: int) -> None:
    deadline = time.monotonic() + 15
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_stopping_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    process = Process("family", [sys.executable, "-c", FAMILY], tmp_path / "log")
    process.wait_until(lambda: bool((tmp_path / "log").read_text().strip()))
    grandchild = int((tmp_path / "log").read_text())
    process.stop()
    wait_for_death(grandchild)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parent_that_is_killed_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    code = (
        "import sys, time; from pathlib import Path; from devcloud.processes import Process\n"
        f"Process('family', [sys.executable, '-c', {FAMILY!r}], Path({str(log)!r})); time.sleep(300)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 15
    while not (log.exists() and log.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    grandchild = int(log.read_text())
    assert alive(grandchild)
    parent.send_signal(number)
    parent.wait(timeout=15)
    wait_for_death(grandchild)


def test_a_child_that_ends_while_starting_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    process = Process("short", [sys.executable, "-c", "print('cannot bind'); raise SystemExit(3)"], tmp_path / "log")
    with pytest.raises(ProcessFailedError, match="cannot bind"):
        process.wait_until(lambda: False)
