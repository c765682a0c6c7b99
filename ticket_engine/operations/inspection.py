"""The inspection of a deployment: settings, roles, tables, queues, poison queues, schedules, clock, app, versions."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ticket_engine import __version__, schedule
from ticket_engine.records import CALLBACK_ROUTE
from ticket_engine.settings import MAIL_CONTAINER, QUEUES, TABLES

if TYPE_CHECKING:
    from azure.storage.queue import QueueServiceClient

    from ticket_engine.engine import Engine

POISON = "-poison"
QUEUES_URL = "AzureWebJobsStorage__queueServiceUri"
# Tokens and signatures are refused when a clock is off by more than this.
_SKEW = timedelta(minutes=5)
_TIMEOUT = 10
_PUBLISH = "Publish the app again, and see its logs."
_ANSWERS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "The function key is not accepted: copy one from the portal, App keys.",
    HTTPStatus.SERVICE_UNAVAILABLE: "It says that it is down: see its logs.",
}
# A row, a blob and a secret that never exist: whoever may not write is refused before that is found out.
_NOBODY = "ticket-engine-doctor"


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One finding, with the next step where something is wrong."""

    name: str
    verdict: Verdict
    sentence: str


class Inspection:
    """Looks at everything that a deployment needs, and changes nothing."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], key: str = "") -> None:
        """``environment`` has the host's settings; ``key`` is a function key, to ask the app for its release."""
        self._engine = engine
        self._key = key
        self._environment = environment
        self._server_time: datetime | None = None

    def checks(self) -> Iterator[Check]:
        """Every check, as it ends."""
        yield from self._tables()
        yield self._ask("blobs", self._blobs)
        yield self._ask("vault", self._vault)
        yield from self._queues()
        yield self._clock()
        yield from self._schedules()
        yield from self._polls()
        yield from self._apps()
        yield Check("version", Verdict.OK, f"This command line is release {__version__}.")

    def _ask(self, name: str, call: Callable[[], str]) -> Check:
        """Make a call of an Azure SDK and say what its failure means."""
        try:
            return Check(name, Verdict.OK, call())
        except Exception as error:  # noqa: BLE001 - whatever an SDK raises is this check's finding
            return Check(name, Verdict.FAILED, _finding(error))

    def _tables(self) -> Iterator[Check]:
        for name in TABLES:
            yield self._ask(f"table {name}", lambda name=name: self._table(name))  # type: ignore[misc]

    def _table(self, name: str) -> str:
        client = self._engine.clients.table(name)
        rows = client.query_entities("PartitionKey eq ''", results_per_page=1, raw_response_hook=self._note_time)
        next(iter(rows), None)
        client.delete_entity(_NOBODY, _NOBODY)
        return "Readable and writable."

    def _note_time(self, response: Any) -> None:
        self._server_time = parsedate_to_datetime(response.http_response.headers["Date"])

    def _blobs(self) -> str:
        self._engine.clients.mail.get_container_properties()
        return f"Container {MAIL_CONTAINER} is readable."

    def _vault(self) -> str:
        from azure.core.exceptions import ResourceNotFoundError

        secrets = self._engine.clients.secrets
        with suppress(ResourceNotFoundError):
            secrets.get_secret(_NOBODY)
        with suppress(ResourceNotFoundError):
            secrets.begin_delete_secret(_NOBODY)
        return "Secrets can be read and deleted."

    def _queues(self) -> Iterator[Check]:
        service = self._queue_service()
        if service is None:
            said = f"Not looked at: set {QUEUES_URL} to the queue endpoint of the host's storage account."
            yield Check("queues", Verdict.WARNING, said)
            return
        for name in QUEUES:
            yield self._ask(f"queue {name}", lambda name=name: _waiting(service, name))  # type: ignore[misc]
            yield self._poison(service, name + POISON)

    def _poison(self, service: QueueServiceClient, name: str) -> Check:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            count = service.get_queue_client(name).get_queue_properties().approximate_message_count or 0
        except ResourceNotFoundError:
            # The platform makes it with the first message.
            count = 0
        except Exception:  # noqa: BLE001 - the queue's own check says why
            return Check(f"queue {name}", Verdict.WARNING, "Not looked at, because queues don't answer.")
        if not count:
            return Check(f"queue {name}", Verdict.OK, "Empty.")
        return Check(
            f"queue {name}",
            Verdict.FAILED,
            f"{count} messages failed five times, and the app does not take them off: see 'Poison queues' in "
            "docs/operate.md.",
        )

    def _queue_service(self) -> QueueServiceClient | None:
        from azure.storage.queue import QueueServiceClient

        connection = self._environment.get("AzureWebJobsStorage", "")
        if connection:
            return QueueServiceClient.from_connection_string(connection)
        url = self._environment.get(QUEUES_URL, "")
        return QueueServiceClient(url, credential=self._engine.clients.credential) if url else None

    def _clock(self) -> Check:
        if self._server_time is None:
            return Check("clock", Verdict.WARNING, "Not compared, because storage did not answer.")
        off = abs(datetime.now(UTC) - self._server_time)
        if off > _SKEW:
            said = f"This machine's clock is off by {off}: set it, or tokens are refused."
            return Check("clock", Verdict.FAILED, said)
        return Check("clock", Verdict.OK, f"Agrees with storage's to {max(1, round(off.total_seconds()))} s.")

    def _schedules(self) -> Iterator[Check]:
        settings, now = self._engine.settings, self._engine.clock()
        for name, text in (
            ("MAIL_POLL_SCHEDULE", settings.mail_poll_schedule),
            ("TOKEN_REFRESH_SCHEDULE", settings.token_refresh_schedule),
            ("TASK_DELIVERY_SCHEDULE", settings.task_delivery_schedule),
            ("TICKET_RETENTION_SCHEDULE", settings.ticket_retention_schedule),
        ):
            following = schedule.next_run(text, now)
            yield Check(name, Verdict.OK, f"{text}: next at {following:%H:%M:%S} UTC.")

    def _polls(self) -> Iterator[Check]:
        from ticket_engine.errors import TicketEngineError

        try:
            health = self._engine.health.mailboxes()
        except TicketEngineError:
            yield Check("mailboxes", Verdict.WARNING, "Not looked at, because storage did not answer.")
            return
        needy = [each.mailbox_id for each in health if not each.ok]
        if needy:
            named = ", ".join(needy[:5]) + (" and others" if len(needy) > len(needy[:5]) else "")
            said = f"{len(needy)} of {len(health)} don't work ({named}): see ticket-engine status."
            yield Check("mailboxes", Verdict.WARNING, said)
            return
        yield Check("mailboxes", Verdict.OK, f"{len(health)}, all well.")

    def _apps(self) -> Iterator[Check]:
        from ticket_engine.errors import TicketEngineError

        try:
            mailboxes = self._engine.stores.mailboxes.all()
        except TicketEngineError:
            return
        for base in sorted({each.redirect_url.removesuffix(CALLBACK_ROUTE) for each in mailboxes}):
            yield _app(base, self._key)


def _finding(error: Exception) -> str:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

    if isinstance(error, AttributeError) and isinstance(error.__context__, AzureError):
        # azure-data-tables trips over an authentication error that has no response.
        error = error.__context__
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ResourceNotFoundError):
        return "It is missing: deploy infra/ again, which creates it."
    if isinstance(error, ClientAuthenticationError) and status is None:
        return "You are not signed in to Azure: run az login."
    if isinstance(error, ClientAuthenticationError) or status == HTTPStatus.FORBIDDEN:
        return "It refused your account: ask for the roles that docs/set-up.md names."
    if status is not None:
        return f"It answered HTTP {status}: try again in a minute."
    return f"No answer ({type(error).__name__}): check its address in the settings, and the network."


def _waiting(service: Any, name: str) -> str:
    count = service.get_queue_client(name).get_queue_properties().approximate_message_count or 0
    return "Empty." if not count else f"{count} waiting."


def _app(base: str, key: str) -> Check:
    """Ask the app how it does, and with a key which release it is."""
    name = f"app {urlsplit(base).netloc}"
    request = Request(f"{base}health/mailboxes" if key else f"{base}health", headers={"x-functions-key": key})  # noqa: S310 - https, from a record
    try:
        with urlopen(request, timeout=_TIMEOUT, context=ssl.create_default_context()) as answer:  # noqa: S310
            found = json.loads(answer.read())
    except HTTPError as error:
        return Check(name, Verdict.FAILED, f"Answers HTTP {error.code}. {_ANSWERS.get(error.code, _PUBLISH)}")
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Check(name, Verdict.FAILED, f"Can't be asked ({reason}): check that the function app runs.")
    said = f"Says {found.get('status')}"
    release = found.get("version")
    if release is None:
        return Check(name, Verdict.OK, f"{said}; with --key it tells its release too.")
    if release != __version__:
        return Check(name, Verdict.WARNING, f"{said}, and is release {release}: use the command line of that release.")
    return Check(name, Verdict.OK, f"{said}, and is release {release}.")
