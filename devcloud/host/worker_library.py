"""Runs functions through Microsoft's own worker library (azure-functions-runtime), as Azure does on Python 3.13.

The library speaks the host's protocol, whose messages ship in the wheel of azure-functions-runtime-v1 as a top-level
package named ``tests``; they are loaded by path, under another name.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import sys
import threading
from collections.abc import Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

from devcloud.host.model import Call, Function, HostError, HttpCall, HttpReply, Result, TimerCall

Answer = TypeVar("Answer")
_PROTOCOL = "functions_protocol"


class FunctionFailedError(Exception):
    """A function raised; the message has its traceback."""


def available() -> bool:
    """Whether the library and the protocol's messages are installed."""
    return importlib.util.find_spec("azure_functions_runtime") is not None and _messages_folder() is not None


class LibraryWorker:
    """A worker that is Microsoft's; one a process, because the library keeps its state in modules."""

    def __init__(self, directory: Path) -> None:
        import azure_functions_runtime

        self._directory = directory
        self._library = azure_functions_runtime
        self._protocol = _load_protocol()
        self._ids: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="worker", daemon=True).start()

    def index(self) -> list[Function]:
        """Let the library index the app, and load every function."""
        sys.path.insert(0, str(self._directory))
        self._library.start_threadpool_executor()
        request = self._protocol.WorkerInitRequest(
            host_version="4", function_app_directory=str(self._directory), worker_directory=str(self._directory)
        )
        initialised = self._ask(self._library.worker_init_request, worker_init_request=request)
        if initialised.result.status != self._protocol.StatusResult.Success:
            failure = initialised.result.exception
            raise HostError(f"0 functions found: {failure.message}\n{failure.stack_trace}")
        metadata = self._ask(
            self._library.functions_metadata_request,
            functions_metadata_request=self._protocol.FunctionsMetadataRequest(
                function_app_directory=str(self._directory)
            ),
        )
        found = []
        for each in metadata.function_metadata_results:
            self._ids[each.name] = each.function_id
            load = self._protocol.FunctionLoadRequest(function_id=each.function_id, metadata=each)
            self._ask(self._library.function_load_request, function_load_request=load)
            found.append(Function(each.name, tuple(json.loads(raw) for raw in each.raw_bindings)))
        return found

    def invoke(self, function: Function, call: Call, invocation_id: str) -> Result:
        """Send an invocation request and read the response."""
        request = self._protocol.InvocationRequest(
            invocation_id=invocation_id,
            function_id=self._ids[function.name],
            input_data=[self._protocol.ParameterBinding(name=function.trigger["name"], data=self._data(call))],
            trigger_metadata=self._metadata(call),
        )
        response = self._ask(self._library.invocation_request, invocation_request=request)
        if response.result.status != self._protocol.StatusResult.Success:
            failure = response.result.exception
            raise FunctionFailedError(f"{failure.message}\n{failure.stack_trace}".strip())
        messages = {each.name: _messages(each.data) for each in response.output_data}
        return Result(_reply(response.return_value) if isinstance(call, HttpCall) else None, messages)

    def _ask(self, call: Any, **content: Any) -> Any:
        message = self._protocol.StreamingMessage(**content)
        request = SimpleNamespace(request=message, properties={"host": "127.0.0.1", "protos": self._protocol})
        return self._wait(call(request))

    def _wait(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _data(self, call: Call) -> Any:
        typed = self._protocol.TypedData
        if isinstance(call, HttpCall):
            return typed(
                http=self._protocol.RpcHttp(
                    method=call.method,
                    url=call.url,
                    headers=dict(call.headers),
                    query=dict(call.query),
                    params=dict(call.route),
                    body=typed(bytes=call.body),
                )
            )
        if isinstance(call, TimerCall):
            status = {"Last": _iso(call.last), "Next": _iso(call.next), "LastUpdated": _iso(call.last)}
            tick = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": call.past_due}
            return typed(json=json.dumps(tick))
        return typed(bytes=call.body)

    def _metadata(self, call: Call) -> Mapping[str, Any]:
        if isinstance(call, HttpCall | TimerCall):
            return {}
        values = {
            "Id": call.id,
            "DequeueCount": call.dequeue_count,
            "InsertionTime": _iso(call.inserted),
            "ExpirationTime": _iso(call.expires),
            "NextVisibleTime": _iso(call.next_visible),
            "PopReceipt": call.pop_receipt,
        }
        return {name: self._protocol.TypedData(json=json.dumps(value)) for name, value in values.items()}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _messages(data: Any) -> list[str]:
    kind = data.WhichOneof("data")
    value = getattr(data, kind)
    if kind == "json":
        decoded = json.loads(value)
        items = decoded if isinstance(decoded, list) else [decoded]
        return [each if isinstance(each, str) else json.dumps(each) for each in items]
    return [value.decode() if isinstance(value, bytes) else str(value)]


def _reply(data: Any) -> HttpReply:
    http = data.http
    kind = http.body.WhichOneof("data")
    body = getattr(http.body, kind) if kind else b""
    return HttpReply(
        status=int(http.status_code or "200"),
        headers=dict(http.headers),
        cookies=tuple(_cookie(each) for each in http.cookies),
        body=body if isinstance(body, bytes) else str(body).encode(),
    )


def _cookie(cookie: Any) -> str:
    parts = [f"{cookie.name}={cookie.value}"]
    if cookie.domain.value:
        parts.append(f"Domain={cookie.domain.value}")
    if cookie.path.value:
        parts.append(f"Path={cookie.path.value}")
    if cookie.HasField("max_age"):
        parts.append(f"Max-Age={int(cookie.max_age.value)}")
    if cookie.secure.value:
        parts.append("Secure")
    if cookie.http_only.value:
        parts.append("HttpOnly")
    same_site = type(cookie).SameSite.Name(cookie.same_site)
    if same_site != "None":
        parts.append(f"SameSite={same_site.removeprefix('Explicit')}")
    return "; ".join(parts)


def _messages_folder() -> Path | None:
    for entry in sys.path:
        folder = Path(entry) / "tests" / "protos"
        if (folder / "FunctionRpc_pb2.py").is_file():
            return folder
    return None


def _load_protocol() -> ModuleType:
    if _PROTOCOL in sys.modules:
        return sys.modules[_PROTOCOL]
    folder = _messages_folder()
    if folder is None:
        raise HostError("azure-functions-runtime-v1 is not installed: run script/bootstrap on Python 3.13")
    spec = importlib.util.spec_from_file_location(
        _PROTOCOL, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise HostError("the protocol's messages can't be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_PROTOCOL] = module
    spec.loader.exec_module(module)
    return module
