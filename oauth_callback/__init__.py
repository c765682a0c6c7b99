"""The functions of the consent: the link that a mailbox's owner follows, and the redirect URI that ends it."""

import logging
import secrets
import typing

import azure.functions as func

if typing.TYPE_CHECKING:
    from ticket_engine.oauth.outcome import Refusal

_log = logging.getLogger("oauth_callback")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.route(route="consent/{mailbox_id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_consent(req: func.HttpRequest) -> func.HttpResponse:
    """Send the browser to Microsoft, with a cookie that binds the sign-in to it."""
    from oauth_callback import responses
    from ticket_engine.oauth.outcome import Refusal
    from ticket_engine.process import engine

    reference = secrets.token_hex(4)
    try:
        started = engine().consent.start(req.route_params["mailbox_id"], req.params.get("invite", ""))
    except Refusal as refusal:
        _log_refusal(refusal, reference)
        return responses.refused(refusal, reference)
    except Exception:  # noqa: BLE001 - one function call is an isolation edge; the traceback is logged
        _log.exception("consent not started, reference %s", reference)
        return responses.broken(reference)
    return responses.to_microsoft(started)


@bp.route(route="oauth/callback", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Finish the consent and say in plain words what happened."""
    from oauth_callback import responses
    from ticket_engine.events import MAILBOX_CONNECTED
    from ticket_engine.oauth.applications import APPROVAL_STATE
    from ticket_engine.oauth.outcome import Refusal
    from ticket_engine.process import engine

    if "admin_consent" in req.params or req.params.get("state") == APPROVAL_STATE:
        return responses.approval(given="error" not in req.params)
    reference = secrets.token_hex(4)
    try:
        connected = engine().consent.finish(req.params, responses.cookies(req))
    except Refusal as refusal:
        _log_refusal(refusal, reference)
        return responses.refused(refusal, reference)
    except Exception:  # noqa: BLE001 - one function call is an isolation edge; the traceback is logged
        _log.exception("consent not finished, reference %s", reference)
        return responses.broken(reference)
    MAILBOX_CONNECTED.log(_log, "mailbox connected", mailbox=connected.mailbox.id)
    return responses.connected(connected, req.params["state"])


def _log_refusal(refusal: "Refusal", reference: str) -> None:
    from ticket_engine.events import CONSENT_FAILED

    if refusal.mailbox is None:
        # A guess, or a link that was used before: nobody's consent failed, so it is no event that an alert matches.
        _log.info("consent link refused, reference %s: %s", reference, refusal)
        return
    CONSENT_FAILED.log(
        _log,
        "consent failed, reference %s: %s",
        reference,
        refusal,
        mailbox=refusal.mailbox.id,
        code=refusal.reaction.code,
        actor=refusal.reaction.actor,
    )
