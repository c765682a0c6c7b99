"""Child processes that never outlive devcloud, however it ends.

Between devcloud and each child stands a small watcher that reads a pipe. Only devcloud holds the pipe's other end, so
it closes when devcloud exits, is interrupted or is killed, and then the watcher ends the child's process group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0
_QUOTED_LINES = 15


class ProcessFailedError(RuntimeError):
    """A child ended or did not get ready; the message quotes the end of its log."""


class Process:
    """A running child with its log file."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the child in a process group of its own."""
        self.name = name
        self.log = log
        reading, self._writing = os.pipe()
        os.set_inheritable(reading, True)
        with log.open("ab") as output:
            self._watcher = subprocess.Popen(
                [sys.executable, __file__, str(reading), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                pass_fds=(reading,),
                # A Ctrl-C at the terminal is for devcloud, which then ends its children in order.
                start_new_session=True,
            )
        os.close(reading)

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._watcher.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until the child is ready; raises ProcessFailedError when it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise ProcessFailedError(f"{self.name} ended while starting:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise ProcessFailedError(f"{self.name} was not ready after {seconds:.0f} s:\n{self.last_lines()}")
            time.sleep(0.02)

    def last_lines(self) -> str:
        """The end of the child's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_QUOTED_LINES:])

    def stop(self) -> None:
        """End the child and wait for it."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1
        self._watcher.wait(timeout=2 * _GRACE_SECONDS)


def _watch(pipe: int, command: Sequence[str]) -> int:
    child = subprocess.Popen(command, start_new_session=True, close_fds=True)

    def ended(number: int, frame: FrameType | None) -> None:
        del number, frame
        os._exit(child.wait() & 0xFF)

    signal.signal(signal.SIGCHLD, ended)
    if child.poll() is not None:
        return child.returncode & 0xFF
    os.read(pipe, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=_GRACE_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    # What the child started may have outlived it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(_watch(int(sys.argv[1]), sys.argv[2:]))
