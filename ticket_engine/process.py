"""What the functions of one process share: its engine, and how a queue message names a mailbox."""

from __future__ import annotations

import json
from functools import cache

from ticket_engine.engine import Engine


@cache
def engine() -> Engine:
    """The engine of this process, made at the first call; raises SettingError when a setting is wrong."""
    return Engine.from_environment()


def queued_mailbox(body: bytes) -> str:
    """The mailbox id of a queue message: ``{"mailbox": "<id>"}``.

    Raises:
        ValueError: the message is another one; after five tries it is in the poison queue.
    """
    try:
        return str(json.loads(body)["mailbox"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError('a queue message has the form {"mailbox": "<id>"}') from error


def named_mailbox(body: bytes) -> str:
    """The mailbox id of a queue message that was given up; empty when it names none."""
    try:
        return queued_mailbox(body)
    except ValueError:
        return ""
