"""The functions for people at the service: the console's pages, and how the service does."""

import json

import azure.functions as func

_NOT_KEPT = {"Cache-Control": "no-store"}

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say ok, degraded or down; 503 when down. No details, because anyone may ask."""
    del req
    from ticket_engine.health import Status
    from ticket_engine.process import engine

    status = engine().health.status()
    return _json({"status": status.value}, 503 if status is Status.DOWN else 200)


@bp.route(route="health/mailboxes", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def health_mailboxes(req: func.HttpRequest) -> func.HttpResponse:
    """Say how each mailbox does, who must act and what will end; for whoever has the function key."""
    del req
    from ticket_engine import __version__
    from ticket_engine.errors import TicketEngineError
    from ticket_engine.health import Status, overall
    from ticket_engine.plain import plain
    from ticket_engine.process import engine

    try:
        views = engine().overview.all()
    except TicketEngineError as error:
        return _json({"status": Status.DOWN.value, "sentence": error.reaction.sentence}, 503)
    status = overall([each.health for each in views])
    return _json({"status": status.value, "version": __version__, "mailboxes": plain([each.facts() for each in views])})


@bp.route(route="metrics", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def metrics(req: func.HttpRequest) -> func.HttpResponse:
    """Give the metrics in Prometheus' text format; for whoever has the function key."""
    del req
    from ticket_engine.errors import TicketEngineError
    from ticket_engine.metrics import CONTENT_TYPE, exposition
    from ticket_engine.process import engine

    try:
        body = exposition(engine().overview.all())
    except TicketEngineError as error:
        # A scrape that fails is what Prometheus counts as down.
        return _json({"sentence": error.reaction.sentence}, 503)
    return func.HttpResponse(body, headers={"Content-Type": CONTENT_TYPE, **_NOT_KEPT})


@bp.route(route="console/{*path}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def console(req: func.HttpRequest) -> func.HttpResponse:
    """Show the console's pages; the platform's authentication is in front, and the pages check who it vouches for."""
    from console.web import respond

    return respond(req)


def _json(body: object, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json", headers=_NOT_KEPT)
