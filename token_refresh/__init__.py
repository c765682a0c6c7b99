"""The functions that rotate refresh tokens: a timer queues the mailboxes that are due, the queue rotates one."""

import json
import logging
import typing

import azure.functions as func

_log = logging.getLogger("token_refresh")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.timer_trigger(arg_name="timer", schedule="%TOKEN_REFRESH_SCHEDULE%", run_on_startup=False, use_monitor=True)
@bp.queue_output(arg_name="mailboxes", queue_name="token-refresh", connection="AzureWebJobsStorage")
def token_refresh_timer(
    timer: func.TimerRequest,
    mailboxes: func.Out[typing.List[str]],  # noqa: UP006 - the worker knows only typing.List here
) -> None:
    """Queue the mailboxes whose refresh token is due, warn of what ends, and clean up consents that never ended."""
    from ticket_engine.events import ROTATIONS_QUEUED
    from ticket_engine.process import engine

    this = engine()
    due = this.broker.rotations_due()
    mailboxes.set([json.dumps({"mailbox": mailbox_id}) for mailbox_id in due])
    swept = this.stores.flows.sweep(this.clock())
    warned = this.expiry.look()
    this.overview.report()
    ROTATIONS_QUEUED.log(
        _log, "rotations queued", mailboxes=len(due), swept=swept, warned=warned, past_due=timer.past_due
    )


@bp.queue_trigger(arg_name="message", queue_name="token-refresh", connection="AzureWebJobsStorage")
def token_refresh_mailbox(message: func.QueueMessage) -> None:
    """Rotate one mailbox's refresh token; a failure is recorded, and the next timer tries again."""
    from ticket_engine import telemetry
    from ticket_engine.errors import TicketEngineError
    from ticket_engine.events import ROTATION_FAILED, TOKEN_ROTATED
    from ticket_engine.process import engine, queued_mailbox

    mailbox_id = queued_mailbox(message.get_body())
    try:
        rotated = engine().broker.rotate_due(engine().stores.mailboxes.get(mailbox_id))
    except TicketEngineError as error:
        reaction = error.reaction
        telemetry.failed("rotation", reaction.code, reaction.actor.value)
        text = "rotation failed: %s"
        ROTATION_FAILED.log(_log, text, error, mailbox=mailbox_id, code=reaction.code, actor=reaction.actor)
        return
    if rotated:
        TOKEN_ROTATED.log(_log, "token rotated", mailbox=mailbox_id)


@bp.queue_trigger(arg_name="message", queue_name="token-refresh-poison", connection="AzureWebJobsStorage")
def token_refresh_poison(message: func.QueueMessage) -> None:
    """Record a message that was given up; the timer queues the mailbox again, so that its token is not forgotten."""
    from ticket_engine.events import MESSAGE_POISONED
    from ticket_engine.process import engine, named_mailbox

    mailbox_id = named_mailbox(message.get_body())
    text = "a message of token-refresh was given up: %s"
    MESSAGE_POISONED.log(_log, text, mailbox_id or message.id, queue="token-refresh", mailbox=mailbox_id)
    if mailbox_id:
        engine().broker.poisoned(mailbox_id)
