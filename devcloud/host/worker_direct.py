"""Runs functions in this process through the decorators alone, where Microsoft's worker library can't be had."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.queue import QueueMessage
from azure.functions.timer import TimerRequest

from devcloud.host.model import Call, Function, HostError, HttpCall, HttpReply, Result, TimerCall


class DirectWorker:
    """A worker for every Python that the app runs on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._callables: dict[str, Callable[..., Any]] = {}
        self._threads = ThreadPoolExecutor(int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "8")), "function")

    def index(self) -> list[Function]:
        """Import function_app.py and read its functions."""
        sys.path.insert(0, str(self._directory))
        try:
            app = importlib.import_module("function_app").app
        except Exception as error:
            raise HostError(
                f"0 functions found: function_app.py can't be imported\n{traceback.format_exc()}"
            ) from error
        found = []
        for each in app.get_functions():
            name = each.get_function_name()
            self._callables[name] = each.get_user_function()
            found.append(Function(name, tuple(json.loads(each.get_function_json())["bindings"])))
        return found

    def invoke(self, function: Function, call: Call, invocation_id: str) -> Result:
        """Call the function in the thread pool."""
        del invocation_id
        outputs: dict[str, Out] = {name: Out() for name in function.outputs}
        arguments = {str(function.trigger["name"]): _argument(call), **outputs}
        answer = self._threads.submit(self._callables[function.name], **arguments).result()
        messages = {name: out.messages() for name, out in outputs.items()}
        return Result(_reply(answer) if isinstance(call, HttpCall) else None, messages)


class Out(func.Out[Any]):
    """A queue output's value."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep what the function sets."""
        self._value = val

    def get(self) -> Any:
        """What was set."""
        return self._value

    def messages(self) -> list[str]:
        """The messages to send."""
        if self._value is None:
            return []
        return [self._value] if isinstance(self._value, str) else list(self._value)


def _argument(call: Call) -> Any:
    if isinstance(call, HttpCall):
        return func.HttpRequest(
            method=call.method,
            url=call.url,
            headers=dict(call.headers),
            params=dict(call.query),
            route_params=dict(call.route),
            body=call.body,
        )
    if isinstance(call, TimerCall):
        status = {"Last": call.last.isoformat(), "Next": call.next.isoformat(), "LastUpdated": call.last.isoformat()}
        return TimerRequest(past_due=call.past_due, schedule_status=status, schedule={"AdjustForDST": True})
    return QueueMessage(  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        id=call.id,
        body=call.body,
        dequeue_count=call.dequeue_count,
        expiration_time=call.expires,
        insertion_time=call.inserted,
        time_next_visible=call.next_visible,
        pop_receipt=call.pop_receipt,
    )


def _reply(answer: Any) -> HttpReply:
    if isinstance(answer, str):
        return HttpReply(200, {"Content-Type": "text/plain; charset=utf-8"}, (), answer.encode())
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "set-cookie"}
    cookies = tuple(value for name, value in answer.headers.items() if name.lower() == "set-cookie")
    headers.setdefault("Content-Type", f"{answer.mimetype}; charset={answer.charset}")
    return HttpReply(answer.status_code, headers, cookies, answer.get_body())
