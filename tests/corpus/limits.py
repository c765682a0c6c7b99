"""A bound on the processor time that reading a mail may take, which a busy machine does not change."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# What no mail may take, in seconds of this process's own time.
LONGEST = 2.0


class TooSlowError(BaseException):
    """It took longer; not an Exception, because the parser must not take it for a mail that it can't read."""


@contextmanager
def processor_time(seconds: float = LONGEST) -> Iterator[None]:
    """Stop what takes more processor time than this."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
