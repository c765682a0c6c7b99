"""Room for the mails that a process has in memory at once: polls wait for it, so that many backlogs don't end it."""

from __future__ import annotations

import threading

# A mail takes about four times its size on its way: received, read, zipped, and sent.
OCTETS = 96 * 1024**2


class Room:
    """So many octets of mail; whoever needs more than there are waits until nobody else has any."""

    def __init__(self, octets: int = OCTETS) -> None:
        self._octets = octets
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, octets: int) -> None:
        """Wait for room, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + octets <= self._octets)
            self._taken += octets

    def give(self, octets: int) -> None:
        """Give room back."""
        with self._changed:
            self._taken -= octets
            self._changed.notify_all()


# Every poll of this process shares it.
ROOM = Room()
