"""The functions that poll mailboxes: a timer puts one message a due mailbox on the queue, the queue polls it."""

import json
import logging
import time
import typing

import azure.functions as func

_log = logging.getLogger("mail_poll")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.timer_trigger(arg_name="timer", schedule="%MAIL_POLL_SCHEDULE%", run_on_startup=False, use_monitor=True)
@bp.queue_output(arg_name="mailboxes", queue_name="mail-poll", connection="AzureWebJobsStorage")
def mail_poll_timer(
    timer: func.TimerRequest,
    mailboxes: func.Out[typing.List[str]],  # noqa: UP006 - the worker knows only typing.List here
) -> None:
    """Put every mailbox that is due on the queue."""
    from ticket_engine.events import POLLS_QUEUED
    from ticket_engine.process import engine

    due = engine().poller.due()
    mailboxes.set([json.dumps({"mailbox": mailbox_id}) for mailbox_id in due])
    POLLS_QUEUED.log(_log, "polls queued", mailboxes=len(due), past_due=timer.past_due)


@bp.queue_trigger(arg_name="message", queue_name="mail-poll", connection="AzureWebJobsStorage")
@bp.queue_output(arg_name="more", queue_name="mail-poll", connection="AzureWebJobsStorage")
def mail_poll_mailbox(message: func.QueueMessage, more: func.Out[str]) -> None:
    """Poll one mailbox; a poll that ran out of time goes on by a new message."""
    from ticket_engine import telemetry
    from ticket_engine.errors import MailboxNotFoundError
    from ticket_engine.events import MAILBOX_POLLED, POLL_FAILED
    from ticket_engine.process import engine, queued_mailbox

    mailbox_id = queued_mailbox(message.get_body())
    began = time.monotonic()
    try:
        with telemetry.poll(mailbox_id) as ended:
            result = engine().poller.poll(mailbox_id)
            ended(result)
    except MailboxNotFoundError as error:
        # Removed since the timer; delivering the message again would not bring it back.
        reaction = error.reaction
        POLL_FAILED.log(_log, "not polled: %s", error, mailbox=mailbox_id, code=reaction.code, actor=reaction.actor)
        return
    if result.more:
        more.set(json.dumps({"mailbox": mailbox_id}))
    failure = result.failure
    if failure is not None:
        text = "poll failed: %s"
        POLL_FAILED.log(_log, text, failure.sentence, mailbox=mailbox_id, code=failure.code, actor=failure.actor)
    else:
        MAILBOX_POLLED.log(
            _log,
            "mailbox polled: %s",
            result.skipped or f"{result.mails} mails, {result.tickets} tickets, {result.messages} messages",
            mailbox=mailbox_id,
            mails=result.mails,
            tickets=result.tickets,
            messages=result.messages,
            more=result.more,
            seconds=round(time.monotonic() - began, 3),
        )


@bp.queue_trigger(arg_name="message", queue_name="mail-poll-poison", connection="AzureWebJobsStorage")
def mail_poll_poison(message: func.QueueMessage) -> None:
    """Record a message that was given up: every worker that took it died, or could not reach the storage."""
    from ticket_engine.events import MESSAGE_POISONED
    from ticket_engine.process import engine, named_mailbox

    mailbox_id = named_mailbox(message.get_body())
    text = "a message of mail-poll was given up: %s"
    MESSAGE_POISONED.log(_log, text, mailbox_id or message.id, queue="mail-poll", mailbox=mailbox_id)
    if mailbox_id:
        engine().poller.poisoned(mailbox_id)
