"""Timer triggers: NCRONTAB schedules in UTC, never two runs of one timer at once, missed runs made up for."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from croniter import croniter

from devcloud.host.model import Function, HostError, TimerCall, resolve
from devcloud.host.runner import Runner
from devcloud.host.storage import HostStorage

_log = logging.getLogger("host")


def next_run(schedule: str, after: datetime) -> datetime:
    """When a schedule is next due; raises HostError when it is no NCRONTAB expression."""
    try:
        # Seconds come first in NCRONTAB.
        following: datetime = croniter(schedule, after, second_at_beginning=True).get_next(datetime)
    except (ValueError, KeyError) as error:
        raise HostError(f"{schedule!r} is no schedule: it takes six fields, seconds first ({error}).") from error
    return following


class Timer:
    """One timer function."""

    def __init__(self, function: Function, runner: Runner, storage: HostStorage, stop: threading.Event) -> None:
        self.function = function
        self._runner = runner
        self._storage = storage
        self._stop = stop
        self._schedule = resolve(str(function.trigger["schedule"]))
        self._monitored = bool(function.trigger.get("useMonitor", True))
        self._one_at_a_time = threading.Lock()
        self._next = next_run(self._schedule, datetime.now(UTC))

    def start(self) -> None:
        """Wait for the schedule in a thread."""
        threading.Thread(target=self._loop, name=f"timer-{self.function.name}", daemon=True).start()

    def fire(self, *, past_due: bool = False) -> None:
        """Run the function now."""
        with self._one_at_a_time:
            now = datetime.now(UTC)
            following = next_run(self._schedule, now)
            try:
                self._runner.run(self.function, TimerCall(past_due, now, following), f"Timer fired at {now:%H:%M:%S}")
            except Exception:  # noqa: BLE001 - the runner has logged it; the timer goes on
                return
            finally:
                if self._monitored:
                    self._storage.save_timer_status(self.function.name, now, following)

    def _loop(self) -> None:
        missed = self._storage.timer_status(self.function.name) if self._monitored else None
        past_due = missed is not None and missed["Next"] < datetime.now(UTC)
        if past_due or self.function.trigger.get("runOnStartup"):
            self.fire(past_due=past_due)
        while not self._stop.wait(max(0.0, (self._next - datetime.now(UTC)).total_seconds())):
            self.fire()
            self._next = next_run(self._schedule, datetime.now(UTC))
