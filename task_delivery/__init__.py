"""The functions that deliver webhook posts and notifications: a timer queues the mailboxes, the queue delivers."""

import json
import logging
import typing

import azure.functions as func

_log = logging.getLogger("task_delivery")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.timer_trigger(arg_name="timer", schedule="%TASK_DELIVERY_SCHEDULE%", run_on_startup=False, use_monitor=True)
@bp.queue_output(arg_name="mailboxes", queue_name="task-delivery", connection="AzureWebJobsStorage")
def task_delivery_timer(
    timer: func.TimerRequest,
    mailboxes: func.Out[typing.List[str]],  # noqa: UP006 - the worker knows only typing.List here
) -> None:
    """Queue every mailbox that has something to deliver."""
    from ticket_engine.events import DELIVERIES_QUEUED
    from ticket_engine.process import engine

    due = engine().outbox.due()
    mailboxes.set([json.dumps({"mailbox": mailbox_id}) for mailbox_id in due])
    DELIVERIES_QUEUED.log(_log, "deliveries queued", mailboxes=len(due), past_due=timer.past_due)


@bp.queue_trigger(arg_name="message", queue_name="task-delivery", connection="AzureWebJobsStorage")
def task_delivery_mailbox(message: func.QueueMessage) -> None:
    """Deliver what is due of one mailbox."""
    from ticket_engine.events import DELIVERED, DELIVERY_GIVEN_UP
    from ticket_engine.process import engine, queued_mailbox

    mailbox_id = queued_mailbox(message.get_body())
    result = engine().outbox.run(mailbox_id)
    DELIVERED.log(_log, "delivered", mailbox=mailbox_id, done=result.done, failed=result.failed, dead=result.dead)
    if result.dead:
        DELIVERY_GIVEN_UP.log(_log, "%d deliveries given up", result.dead, mailbox=mailbox_id, dead=result.dead)


@bp.queue_trigger(arg_name="message", queue_name="task-delivery-poison", connection="AzureWebJobsStorage")
def task_delivery_poison(message: func.QueueMessage) -> None:
    """Record a message that was given up: every worker that took it died, or could not reach the storage."""
    from ticket_engine.events import MESSAGE_POISONED
    from ticket_engine.process import engine, named_mailbox

    mailbox_id = named_mailbox(message.get_body())
    text = "a message of task-delivery was given up: %s"
    MESSAGE_POISONED.log(_log, text, mailbox_id or message.id, queue="task-delivery", mailbox=mailbox_id)
    if mailbox_id:
        engine().outbox.poisoned(mailbox_id)
