"""A clock that a test can move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset; call it for the time, aware, UTC."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def __call__(self) -> datetime:
        """The time that this cloud believes it is."""
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move the time ahead."""
        self._offset += by

    def reset(self) -> None:
        """Go back to the real time."""
        self._offset = timedelta()

    @property
    def offset(self) -> timedelta:
        """How far it was moved."""
        return self._offset
