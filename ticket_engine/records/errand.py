"""Errands: what a task is to do with a message outside of this service, kept until it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Errand:
    """One message that a task is to deliver; it is committed with the message, and deleted when it is done.

    ``message`` is the message's key, which is the errand's too. ``due_at`` is when it is to be tried (again): a worker
    that takes it moves this on first, so that a second worker leaves it alone. ``problem`` is why the last try failed.
    """

    ticket: str
    message: str
    ticket_type: str
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    problem: str = ""


@dataclass(frozen=True)
class TaskState:
    """A mailbox's errands at a glance: when the next is due (None: there is none), and its notifications by the hour.

    ``told`` counts how often someone said that there are new ones; ``notified`` the notifications since ``hour``.
    """

    due_at: datetime | None = None
    told: int = 0
    hour: datetime | None = None
    notified: int = 0
