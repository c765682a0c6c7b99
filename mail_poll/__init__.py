"""The functions that poll mailboxes: a timer puts one message a due mailbox on the queue, the queue polls it."""

import json
import logging
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
    from ticket_engine.process import engine

    due = engine().poller.due()
    mailboxes.set([json.dumps({"mailbox": mailbox_id}) for mailbox_id in due])
    _log.info("polls queued", extra={"mailboxes": len(due), "past_due": timer.past_due})


@bp.queue_trigger(arg_name="message", queue_name="mail-poll", connection="AzureWebJobsStorage")
@bp.queue_output(arg_name="more", queue_name="mail-poll", connection="AzureWebJobsStorage")
def mail_poll_mailbox(message: func.QueueMessage, more: func.Out[str]) -> None:
    """Poll one mailbox; a poll that ran out of time goes on by a new message."""
    from ticket_engine.errors import MailboxNotFoundError
    from ticket_engine.process import engine, queued_mailbox

    mailbox_id = queued_mailbox(message.get_body())
    try:
        result = engine().poller.poll(mailbox_id)
    except MailboxNotFoundError as error:
        # Removed since the timer; delivering the message again would not bring it back.
        _log.warning("not polled: %s", error, extra={"mailbox": mailbox_id})
        return
    if result.more:
        more.set(json.dumps({"mailbox": mailbox_id}))
    if result.failure is not None:
        _log.warning("poll failed: %s", result.failure.sentence, extra={"mailbox": mailbox_id})
    else:
        _log.info(
            "mailbox polled: %s",
            result.skipped or f"{result.mails} mails, {result.tickets} tickets, {result.messages} messages",
            extra={"mailbox": mailbox_id},
        )
