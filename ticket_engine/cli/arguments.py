"""Arguments and options that several commands share."""

from __future__ import annotations

from calendar import monthrange
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import click


def _completes(kind: str) -> Any:
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        from ticket_engine.cli.session import Session

        try:
            stores = Session(env_file=context.find_root().params.get("env_file"), as_json=True).engine.stores
            found = stores.mailboxes.all() if kind == "mailbox" else stores.ticket_types.all()
        except Exception:  # noqa: BLE001 - a shell that completes wants candidates or silence
            return []
        return [each.id for each in found if each.id.startswith(incomplete)]

    return complete


mailbox_argument = click.argument("mailbox_id", metavar="MAILBOX", shell_complete=_completes("mailbox"))
ticket_type_argument = click.argument("ticket_type_id", metavar="TICKET-TYPE", shell_complete=_completes("ticket-type"))
ticket_argument = click.argument("ticket_id", metavar="TICKET")
tickets_argument = click.argument("ticket_ids", metavar="TICKET...", nargs=-1, required=True)
yes_option = click.option("--yes", "-y", is_flag=True, help="Don't ask.")
qr_option = click.option("--qr", is_flag=True, help="Show the link as a QR code too.")
_FILTERS = (
    click.option("--mailbox", metavar="MAILBOX", help="Of this mailbox."),
    click.option("--type", "ticket_type", metavar="TICKET-TYPE", help="Of this ticket type."),
    click.option("--state", metavar="STATES", help="In these states: new, open, pending, closed; not-closed; any."),
    click.option("--assignee", metavar="ADDRESS", help="Of this person."),
    click.option("--sender", metavar="TEXT", help="Whose first sender has this in name or address."),
    click.option("--since", metavar="DAY", help="Created on this day (UTC) or later, such as 2026-11-24."),
    click.option("--until", metavar="DAY", help="Created on this day (UTC) or before."),
)


def filter_options(function: Any) -> Any:
    """The options that narrow a list of tickets, by the names that ``TicketFilter.read`` takes."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


class Day(click.ParamType[datetime]):
    """A day, such as 2027-11-24, or a time from now, such as 24m or 365d; the end of that day in UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The end of the day that was meant."""
        if isinstance(value, datetime):
            return value
        found = _day(str(value).strip().lower())
        if found is None:
            takes = "a day such as 2027-11-24, or a time from now such as 365d or 24m"
            self.fail(f"It takes {takes}; got {value!r}.", param, ctx)
        return found


def _day(text: str) -> datetime | None:
    now, number, unit = datetime.now(UTC), text[:-1], text[-1:]
    if number.isdigit() and len(number) < len("10000"):
        if unit == "d":
            return _end_of(now + timedelta(days=int(number)))
        if unit == "m":
            years, month = divmod(now.month - 1 + int(number), 12)
            last = monthrange(now.year + years, month + 1)[1]
            return _end_of(now.replace(year=now.year + years, month=month + 1, day=min(now.day, last)))
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"):
        with suppress(ValueError):
            return _end_of(datetime.strptime(text, form).replace(tzinfo=UTC))
    return None


def _end_of(day: datetime) -> datetime:
    return day.replace(hour=23, minute=59, second=59, microsecond=0)
