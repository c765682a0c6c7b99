"""NCRONTAB schedules, as Azure Functions' timers read them: six fields, seconds first, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

# Enough runs to find the longest pause of an ordinary schedule, such as over a weekend.
_RUNS = 300


def check(schedule: str) -> None:
    """Raise ValueError, with what it takes, for a text that is no schedule."""
    from cronsim import CronSim, CronSimError

    example = "six fields, seconds first, such as 0 */10 * * * *"
    if len(schedule.split()) != len(("second", "minute", "hour", "day", "month", "day of week")):
        raise ValueError(example)
    try:
        CronSim(schedule, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{example} ({str(error).lower()})") from None


def missed(schedule: str, since: datetime, now: datetime, runs: int) -> bool:
    """Whether this many runs of the schedule have come and gone since a time."""
    from cronsim import CronSim

    *_, earliest = islice(CronSim(schedule, now, reverse=True), runs)
    return since < earliest


def next_run(schedule: str, now: datetime) -> datetime:
    """When the schedule is next due."""
    from cronsim import CronSim

    return next(CronSim(schedule, now))


def usual_interval(schedule: str, now: datetime) -> timedelta:
    """The shortest time between two runs of the schedule."""
    from cronsim import CronSim

    return min(later - earlier for earlier, later in pairwise(islice(CronSim(schedule, now), _RUNS)))
