"""A small app that shows what the host does."""

import json
import logging
import typing

import azure.functions as func

_log = logging.getLogger("count")

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="echo/{name}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Say what came in."""
    seen = {
        "name": req.route_params["name"],
        "query": dict(req.params),
        "body": req.get_body().hex(),
        "header": req.headers.get("X-Test"),
        "url": req.url,
    }
    cookie = "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
    return func.HttpResponse(json.dumps(seen), mimetype="application/json", headers={"Set-Cookie": cookie})


@app.route(route="secret", methods=["GET"])
def secret(req: func.HttpRequest) -> func.HttpResponse:
    """Need a key."""
    del req
    return func.HttpResponse("open")


@app.route(route="broken", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Fail."""
    del req
    raise RuntimeError("this function fails on purpose")


@app.timer_trigger(arg_name="timer", schedule="%TICK%", use_monitor=True)
@app.queue_output(arg_name="out", queue_name="numbers", connection="AzureWebJobsStorage")
def tick(timer: func.TimerRequest, out: func.Out[typing.List[str]]) -> None:  # noqa: UP006 - see the worker
    """Queue three numbers."""
    del timer
    out.set(["3", "1", "poison"])


@app.queue_trigger(arg_name="message", queue_name="numbers", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="more", queue_name="numbers", connection="AzureWebJobsStorage")
def count_down(message: func.QueueMessage, more: func.Out[str]) -> None:
    """Count down by new messages."""
    number = int(message.get_body())
    _log.info("number %d, delivery %d", number, message.dequeue_count)
    if number > 1:
        more.set(str(number - 1))
