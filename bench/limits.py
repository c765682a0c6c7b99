"""The limits that figures stand beside: what Azurite takes, and what a line carries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import requests

from bench.mails import mails
from bench.site import Line, Site
from ticket_engine.mime import parse
from ticket_engine.records import Message, MessageKind
from ticket_engine.store.entities import to_entity

_TRANSACTION = 100


def round_trip_limit(line: Line) -> float | None:
    """Mails a second that a line carries when each mail takes one round trip; None for a line without one."""
    return 1_000 / line.rtt if line.rtt else None


def sdk_rate(site: Site, partition: str, entities: int = 4_000) -> float:
    """Entities a second that the SDK and Azurite make together, in transactions of 100 entities of a message's size."""
    table = site.engine.clients.table("Tickets")
    made = [to_entity(each, partition, each.key) for each in _messages(entities)]
    table.upsert_entity({"PartitionKey": partition, "RowKey": "first"})
    started = time.perf_counter()
    for start in range(0, entities, _TRANSACTION):
        table.submit_transaction([("create", each) for each in made[start : start + _TRANSACTION]])
    return entities / (time.perf_counter() - started)


def azurite_rate(site: Site, partition: str, entities: int = 4_000) -> float:
    """Entities a second that Azurite takes in transactions of 100 entities of a message's size.

    The requests are made by the SDK beforehand and only sent while the clock runs, over one connection.
    """
    prepared = _prepared(site, partition, entities)
    with requests.Session() as session:
        started = time.perf_counter()
        for each in prepared:
            session.send(each, verify=str(site.cloud.certificates.bundle)).raise_for_status()
        return entities / (time.perf_counter() - started)


def _prepared(site: Site, partition: str, entities: int) -> list[requests.PreparedRequest]:
    table = site.engine.clients.table("Tickets")
    # The first request signs in.
    table.upsert_entity({"PartitionKey": partition, "RowKey": "first"})
    made = [to_entity(each, partition, each.key) for each in _messages(entities)]
    with _recorded() as recorded:
        for start in range(0, entities, _TRANSACTION):
            with suppress(_Kept):
                table.submit_transaction([("create", each) for each in made[start : start + _TRANSACTION]])
    return recorded


def _messages(count: int) -> Iterator[Message]:
    for number, raw in enumerate(mails(count, seed=7)):
        parsed = parse(raw)
        yield Message(
            key=f"M{number:020d}-{number:020d}",
            ticket="ABCDEFGHJKMN",
            kind=MessageKind.PARSED,
            message_id=parsed.message_id,
            subject=parsed.subject,
            sender=parsed.sender_line,
            recipients="support@contoso.example",
            received_at=datetime.now(UTC),
            size=len(raw),
            archive="bench-1/0123456789abcdef0123456789abcdef.zip",
            entry=f"{number:05d}.eml",
            source_item=f"{number:016x}",
            sent_at=parsed.sent_at,
            text=parsed.text,
        )


@contextmanager
def _recorded() -> Iterator[list[requests.PreparedRequest]]:
    """Keep requests instead of sending them; whoever sends one gets _Kept."""
    recorded: list[requests.PreparedRequest] = []
    send = requests.Session.send

    def keep(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        del self, options
        recorded.append(request)
        raise _Kept

    requests.Session.send = keep  # type: ignore[method-assign]
    try:
        yield recorded
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


class _Kept(Exception):  # noqa: N818 - no accident
    """The request was kept."""
