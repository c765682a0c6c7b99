"""Between the Functions trigger and the Flask app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import azure.functions as func

from console.app import create_app
from ticket_engine.process import engine

# It announces itself at every request.
logging.getLogger("azure.functions.WsgiMiddleware").setLevel(logging.WARNING)
StartResponse = Callable[..., Any]


def respond(req: func.HttpRequest) -> func.HttpResponse:
    """The console's answer to a request."""
    app = _Statuses(_app())
    # One middleware a request: it collects what is written to wsgi.errors, and would raise it at everyone after.
    response = func.WsgiMiddleware(app).handle(req)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    return func.HttpResponse(
        response.get_body(), status_code=app.status, headers=response.headers, mimetype=response.mimetype
    )


class _Statuses:
    """Carries a status of 500 and above past the middleware, which would drop the page and raise."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.status = 500

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            del exc_info
            self.status = int(status.partition(" ")[0])
            return start_response("200 OK", headers)

        answer: Iterable[bytes] = self._app(environ, start)
        return answer


@cache
def _app() -> Any:
    return create_app(engine)
