"""What a ticket type does with its mail: one module a task, named like its member of ``Task``."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ticket_engine.records import Task
from ticket_engine.tasks.task import DeliveryError, TicketTask

__all__ = ["DeliveryError", "TicketTask", "task_of"]


@cache
def task_of(task: Task) -> TicketTask:
    """The task of this name: ``TASK`` in ``ticket_engine/tasks/<member's name in lower case>.py``."""
    found = import_module(f"ticket_engine.tasks.{task.name.lower()}").TASK
    if not isinstance(found, TicketTask):
        raise TypeError(f"ticket_engine/tasks/{task.name.lower()}.py has no TASK that is a TicketTask")
    return found
