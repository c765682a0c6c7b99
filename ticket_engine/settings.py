"""Every app setting, in one place: its name, its meaning, its default, and how it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from ticket_engine import schedule

# What the app creates and uses in its storage; infra/ creates the same names.
TABLES = (
    "Mailboxes",
    "MailboxStates",
    "TicketTypes",
    "Tickets",
    "TicketIndex",
    "ConsentFlows",
    "Credentials",
    "Journal",
)
MAIL_CONTAINER = "mail"
MAIL_POLL_QUEUE = "mail-poll"
TOKEN_REFRESH_QUEUE = "token-refresh"  # noqa: S105 - a queue's name
TASK_DELIVERY_QUEUE = "task-delivery"
QUEUES = (MAIL_POLL_QUEUE, TOKEN_REFRESH_QUEUE, TASK_DELIVERY_QUEUE)
# Where the platform puts a message whose function failed five times.
POISON_QUEUES = tuple(f"{name}-poison" for name in QUEUES)

# What the platform's sign-in lets through: a mailbox's owner is no user of the console, and monitors have keys.
ANONYMOUS_PATHS = ("/api/consent/*", "/api/oauth/callback", "/api/health", "/api/health/*", "/api/metrics")

_LAST_PORT = 65_535
_DURATION = re.compile(r"^(\d+)([smhd])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class SettingError(ValueError):
    """An app setting is missing or can't be read; the message names it and what it accepts."""


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``45s``, ``10m``, ``24h`` or ``90d``."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError("a number and a unit: 45s, 10m, 24h or 90d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_https_url(text: str) -> str:
    """Read an ``https://`` address; a trailing slash is dropped."""
    parts = urlsplit(text.strip())
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("an https:// address")
    return text.strip().rstrip("/")


def parse_bytes(text: str) -> int:
    """Read a size: a number of bytes, or with the suffix KB or MB (powers of 1,024)."""
    match = re.match(r"^(\d+)\s*(KB|MB)?$", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("a number of bytes, or a number with KB or MB")
    return int(match[1]) * {"": 1, "KB": 1024, "MB": 1024**2}[(match[2] or "").upper()]


def parse_schedule(text: str) -> str:
    """Read an NCRONTAB schedule: six fields, seconds first."""
    schedule.check(text)
    return text.strip()


def parse_switch(text: str) -> bool:
    """Read ``true`` or ``false``."""
    if text.strip().lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.strip().lower() == "true"


def parse_server(text: str) -> str:
    """Read a server's name and port, ``host:port``."""
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= _LAST_PORT:
        raise ValueError("a host and a port, such as smtp.office365.com:587")
    return text.strip()


def _setting(name: str, meaning: str, read: Any, default: Any = MISSING) -> Any:
    metadata = {"name": name, "meaning": meaning, "read": read}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The app's settings, read once from the environment (Azure: the function app's settings)."""

    tables_url: str = _setting(
        "STORAGE_TABLES_URL",
        "Table endpoint of the data storage account, https://<account>.table.core.windows.net",
        parse_https_url,
    )
    blobs_url: str = _setting(
        "STORAGE_BLOBS_URL",
        "Blob endpoint of the data storage account, https://<account>.blob.core.windows.net",
        parse_https_url,
    )
    vault_url: str = _setting(
        "KEY_VAULT_URL",
        "The Key Vault that keeps client secrets and refresh tokens, https://<vault>.vault.azure.net",
        parse_https_url,
    )
    identity_client_id: str = _setting(
        "AZURE_CLIENT_ID",
        "Client id of the user-assigned managed identity that the app signs in with; "
        "empty for an operator's own identity (az login)",
        str.strip,
        "",
    )
    authority_host: str = _setting(
        "AZURE_AUTHORITY_HOST",
        "Where Microsoft Entra ID answers; another address only for sovereign clouds and devcloud",
        parse_https_url,
        "https://login.microsoftonline.com",
    )
    mail_poll_schedule: str = _setting(
        "MAIL_POLL_SCHEDULE",
        "When mailboxes are polled (NCRONTAB, UTC)",
        parse_schedule,
        "0 */10 * * * *",
    )
    token_refresh_schedule: str = _setting(
        "TOKEN_REFRESH_SCHEDULE",
        "When tokens that are due are rotated, at most 250 a run, and expiry dates looked at (NCRONTAB, UTC)",
        parse_schedule,
        "0 5-59/10 * * * *",
    )
    token_rotate_after: timedelta = _setting(
        "TOKEN_ROTATE_AFTER",
        "Age at which a stored refresh token is replaced by a new one",
        parse_duration,
        timedelta(days=1),
    )
    poll_time_budget: timedelta = _setting(
        "MAIL_POLL_TIME_BUDGET",
        "How long one poll may run before it goes on by a new queue message",
        parse_duration,
        timedelta(minutes=5),
    )
    task_delivery_schedule: str = _setting(
        "TASK_DELIVERY_SCHEDULE",
        "When webhook posts and notifications that are due are sent (NCRONTAB, UTC)",
        parse_schedule,
        "30 * * * * *",
    )
    ticket_retention_schedule: str = _setting(
        "TICKET_RETENTION_SCHEDULE",
        "When closed tickets are removed that their ticket type keeps no longer (NCRONTAB, UTC)",
        parse_schedule,
        "0 20 * * * *",
    )
    webhook_allow_private: bool = _setting(
        "WEBHOOK_ALLOW_PRIVATE",
        "Whether webhooks may post to addresses of private networks: true or false",
        parse_switch,
        default=False,
    )
    smtp_server: str = _setting(
        "SMTP_SERVER",
        "The server that sends notifications for the mailboxes, host:port, with STARTTLS",
        parse_server,
        "smtp.office365.com:587",
    )
    max_message_bytes: int = _setting(
        "MAX_MESSAGE_BYTES",
        "Mails larger than this become a ticket from their headers and stay on the server",
        parse_bytes,
        50 * 1024**2,
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read all settings; raises SettingError that names each wrong one and what it accepts."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        problems: list[str] = []
        for each in fields(cls):
            name = each.metadata["name"]
            text = source.get(name, "").strip()
            if not text:
                if each.default is MISSING:
                    problems.append(f"{name} is not set: {each.metadata['meaning']}")
                continue
            try:
                values[each.name] = each.metadata["read"](text)
            except ValueError as error:
                problems.append(f"{name} is {text!r}, but it takes {error}")
        if problems:
            raise SettingError("; ".join(problems))
        return cls(**values)
