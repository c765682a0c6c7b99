"""What the host knows of a function, what it hands to the worker, and what comes back."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

_SETTING = re.compile(r"%([^%]+)%")


class HostError(Exception):
    """The app can't be run as it is; the message says what to change."""


@dataclass(frozen=True)
class Function:
    """A function by its raw bindings, as the platform sees them."""

    name: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The trigger's binding."""
        return next(each for each in self.bindings if str(each["type"]).lower().endswith("trigger"))

    @property
    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """The queue outputs by parameter name."""
        return {
            each["name"]: each for each in self.bindings if each["type"] == "queue" and str(each["direction"]) == "OUT"
        }


@dataclass(frozen=True)
class HttpCall:
    """An HTTP request on its way to a function."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    route: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpReply:
    """A function's HTTP response; cookies are whole Set-Cookie values."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    body: bytes


@dataclass(frozen=True)
class TimerCall:
    """A timer's tick."""

    past_due: bool
    last: datetime
    next: datetime


@dataclass(frozen=True)
class QueueCall:
    """A queue message on its way to a function."""

    id: str
    body: bytes
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime
    pop_receipt: str


Call = HttpCall | TimerCall | QueueCall


@dataclass(frozen=True)
class Result:
    """What an invocation gave: a reply to HTTP, and messages for each queue output."""

    reply: HttpReply | None = None
    messages: Mapping[str, list[str]] = field(default_factory=dict)


class Worker(Protocol):
    """Runs the app's functions."""

    def index(self) -> list[Function]:
        """The app's functions; raises HostError when the app can't be loaded."""

    def invoke(self, function: Function, call: Call, invocation_id: str) -> Result:
        """Run a function and wait for it; raises what the function raised."""


def resolve(value: str, environment: Mapping[str, str] = os.environ) -> str:
    """A binding's value with each %SETTING% replaced; raises HostError when one is not set."""

    def setting(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            raise HostError(f"'%{name}%' does not resolve to a value: set the app setting {name}.")
        return environment[name]

    return _SETTING.sub(setting, value)
