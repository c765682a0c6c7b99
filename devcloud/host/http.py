"""HTTP triggers and the admin API, as an ASGI app."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devcloud.host.model import Function, HttpCall, HttpReply
from devcloud.host.runner import Runner

_log = logging.getLogger("host")
_CONSTRAINT = re.compile(r"\{(\w+)(:[^}?]+)?\??\}")
# A parameter that takes the rest of the path, which may be empty.
_REST = re.compile(r"/\{\*(\w+)\}$")


def app(
    functions: Sequence[Function], runner: Runner, *, prefix: str, key: str, fire: Callable[[str, str], bool]
) -> Starlette:
    """The routes of every HTTP function, and the admin API.

    ``key`` opens functions of the levels function and admin; ``fire`` runs a function by name with an input and says
    whether there is one.
    """
    http_functions = [each for each in functions if each.trigger["type"] == "httpTrigger"]
    routes = [route for each in http_functions for route in _routes(each, runner, prefix, key)]

    async def status(request: Request) -> Response:
        del request
        return JSONResponse({"state": "Running"})

    async def names(request: Request) -> Response:
        del request
        return JSONResponse([{"name": each.name, "config": {"bindings": each.bindings}} for each in functions])

    async def run(request: Request) -> Response:
        body = await request.body()
        given = (await request.json()).get("input", "") if body else ""
        known = await run_in_threadpool(fire, str(request.path_params["name"]), str(given or ""))
        return Response(status_code=202 if known else 404)

    routes += [
        Route("/admin/host/status", status),
        Route("/admin/functions", names),
        Route("/admin/functions/{name}", run, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def path_of(function: Function, prefix: str) -> str:
    """A function's path, with its parameters in braces."""
    route = str(function.trigger.get("route") or function.name)
    return "/" + "/".join(part for part in (prefix, route.strip("/")) if part)


def _routes(function: Function, runner: Runner, prefix: str, key: str) -> list[Route]:
    trigger = function.trigger
    protected = str(trigger.get("authLevel", "FUNCTION")).upper() != "ANONYMOUS"

    async def endpoint(request: Request) -> Response:
        given = request.headers.get("x-functions-key") or request.query_params.get("code", "")
        if protected and not hmac.compare_digest(given.encode(), key.encode()):
            return Response(status_code=401)
        call = HttpCall(
            method=request.method,
            url=str(request.url),
            headers=dict(request.headers),
            query=dict(request.query_params),
            route={name: str(value) for name, value in request.path_params.items()},
            body=await request.body(),
        )
        try:
            result = await run_in_threadpool(runner.run, function, call, "This function was programmatically called")
        except Exception:  # noqa: BLE001 - the runner has logged it; the platform answers 500 without a body
            return Response(status_code=500)
        return _response(result.reply)

    methods = [str(method) for method in trigger.get("methods") or ("GET", "POST")]
    path = path_of(function, prefix)
    rest = _REST.search(path)
    paths = [path] if rest is None else [path[: rest.start()], _REST.sub(r"/{\1:path}", path)]
    return [Route(each if rest else _CONSTRAINT.sub(r"{\1}", each), endpoint, methods=methods) for each in paths]


def _response(reply: HttpReply | None) -> Response:
    if reply is None:
        return Response(status_code=204)
    response = Response(reply.body, status_code=reply.status)
    for name, value in reply.headers.items():
        response.headers[name] = value
    for cookie in reply.cookies:
        response.headers.append("Set-Cookie", cookie)
    return response
