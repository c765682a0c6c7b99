"""The demo, as a new user runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def children_of_devcloud(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_bytes()
            except OSError:
                continue
            if marker.encode() in environment and b") Z " not in state:
                found.append(entry.name)
    return found


@pytest.mark.timeout(180)
def test_every_mail_becomes_a_ticket_message_and_nothing_is_left_running() -> None:
    marker = f"DEMO_TEST_MARK={os.getpid()}-{time.time_ns()}"
    name, _, value = marker.partition("=")
    done = subprocess.run(
        [sys.executable, "-m", "devcloud.demo", "--once"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"demo: 24 mails, 22 tickets, 24 messages, 0 lost", last)
    assert "プリンターが動きません" in done.stdout
    assert children_of_devcloud(marker) == []


@pytest.mark.timeout(180)
def test_ctrl_c_stops_everything() -> None:
    marker = f"DEMO_TEST_MARK={os.getpid()}-{time.time_ns()}"
    name, _, value = marker.partition("=")
    running = subprocess.Popen(
        [sys.executable, "-m", "devcloud.demo"],
        cwd=ROOT,
        env={**os.environ, name: value},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "/api/console" in line:
            break
    assert children_of_devcloud(marker)
    running.send_signal(signal.SIGINT)
    rest = running.stdout.read()
    assert running.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert children_of_devcloud(marker) == []
