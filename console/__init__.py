"""The functions for people at the service: the console's pages, and how the service does."""

import json

import azure.functions as func

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say ok, degraded or down; 503 when down. No details, because anyone may ask."""
    del req
    from ticket_engine.health import Status
    from ticket_engine.process import engine

    status = engine().health.status()
    return func.HttpResponse(
        json.dumps({"status": status.value}),
        status_code=503 if status is Status.DOWN else 200,
        mimetype="application/json",
        headers={"Cache-Control": "no-store"},
    )


@bp.route(route="console/{*path}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def console(req: func.HttpRequest) -> func.HttpResponse:
    """Show the console's pages; the platform's authentication is in front, and the pages check who it vouches for."""
    from console.web import respond

    return respond(req)
