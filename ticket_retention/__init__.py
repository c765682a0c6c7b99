"""The function that removes closed tickets which their ticket type keeps no longer."""

import logging

import azure.functions as func

_log = logging.getLogger("ticket_retention")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@bp.timer_trigger(arg_name="timer", schedule="%TICKET_RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def ticket_retention_timer(timer: func.TimerRequest) -> None:
    """Remove what is due, for some minutes; the next run goes on."""
    from ticket_engine.events import TICKETS_REMOVED
    from ticket_engine.process import engine

    del timer
    result = engine().retention.run()
    TICKETS_REMOVED.log(_log, "%d tickets removed by age", result.removed, tickets=result.removed, failed=result.failed)
