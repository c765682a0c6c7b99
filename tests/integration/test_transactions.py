"""Transactions, written by us, read by the SDK."""

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import EdmType

from ticket_engine.errors import StorageUnavailableError
from ticket_engine.store.rows import Rows
from ticket_engine.store.transactions import (
    Operation,
    TransactionConflictError,
    create,
    delete,
    failure,
    replace,
    request_body,
)


@pytest.fixture
def rows(engine: Any) -> Rows:
    return Rows(engine.clients, "Tickets")


def entity(row: str, partition: str = "transactions", /, **values: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **values}


def test_every_type_of_value_is_read_back_as_it_was_written(engine: Any, rows: Rows) -> None:
    at = datetime(2026, 11, 24, 8, 30, 15, 123456, tzinfo=UTC)
    given: dict[str, Any] = {
        "text": "Größe „groß“ 佐藤 \U0001f4e7 'quoted' \"double\" \\ \r\n\t end",
        "empty": "",
        "small": 2**31 - 1,
        "large": (2**53 + 1, EdmType.INT64),
        "yes": True,
        "share": 0.5,
        "whole": 3.0,
        "raw": bytes(range(256)),
        "at": at,
    }
    rows.transact([create(entity("types", **given))])
    read = engine.clients.table("Tickets").get_entity("transactions", "types")
    assert {name: read[name] for name in given if name not in {"large", "at"}} == {
        name: value for name, value in given.items() if name not in {"large", "at"}
    }
    assert read["large"].value == 2**53 + 1
    assert datetime.fromisoformat(read["at"].isoformat()) == at
    assert isinstance(read["whole"], float)
    assert isinstance(read["small"], int)


@pytest.mark.parametrize("key", ["it's", "a b", "100%", "größe", "a&b=c", "佐藤"])
def test_a_key_of_any_characters_is_replaced_and_deleted(rows: Rows, key: str) -> None:
    rows.transact([create(entity(key, key))])
    etag = next(rows.query("PartitionKey eq @p", {"p": key})).metadata["etag"]  # type: ignore[attr-defined]
    rows.transact([replace(entity(key, key, changed=True), etag)])
    assert next(rows.query("PartitionKey eq @p", {"p": key}))["changed"] is True
    rows.transact([delete(key, key)])
    assert not list(rows.query("PartitionKey eq @p", {"p": key}))


def test_text_that_is_no_unicode_is_written_with_its_readable_part(engine: Any, rows: Rows) -> None:
    rows.transact([create(entity("surrogate", text="before \ud800 after"))])
    read = engine.clients.table("Tickets").get_entity("transactions", "surrogate")
    assert read["text"] == "before ? after"


@pytest.mark.parametrize("kind", ["exists", "changed", "gone"])
def test_a_conflict_in_the_last_of_a_hundred_rows_commits_none(rows: Rows, kind: str) -> None:
    partition = f"conflict-{kind}"
    rows.transact([create(entity("there", partition, version=1))])
    last: Operation = {
        "exists": create(entity("there", partition, version=2)),
        "changed": replace(entity("there", partition, version=2), "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""),
        "gone": delete(partition, "never there"),
    }[kind]
    with pytest.raises(TransactionConflictError):
        rows.transact([*(create(entity(f"new-{n:02}", partition)) for n in range(99)), last])
    assert [(each["RowKey"], each["version"]) for each in rows.query("PartitionKey eq @p", {"p": partition})] == [
        ("there", 1)
    ]


def test_a_hundred_rows_of_many_octets_are_one_transaction(rows: Rows) -> None:
    partition = "large"
    rows.transact([create(entity(f"{n:02}", partition, text="x" * 15_000, raw=b"y" * 8_000)) for n in range(100)])
    assert sum(1 for _ in rows.query("PartitionKey eq @p", {"p": partition})) == 100


def test_a_value_that_the_service_refuses_is_a_failure_and_no_conflict(rows: Rows) -> None:
    with pytest.raises(StorageUnavailableError):
        rows.transact([create(entity("too-large", text="x" * 40_000))])


def test_a_transaction_that_was_committed_though_its_answer_was_lost_is_a_conflict_when_sent_again(rows: Rows) -> None:
    operations = [create(entity(f"{n}", "lost-answer")) for n in range(3)]
    rows.transact(operations)
    with pytest.raises(TransactionConflictError):
        rows.transact(operations)


def test_the_length_of_each_request_counts_octets() -> None:
    body = request_body("https://storage.example", "T", [create(entity("ä", text="größe 佐藤 \ud800"))], "b")
    head, _, rest = body.partition(b"Content-Length: ")
    length, _, content = rest.partition(b"\r\n\r\n")
    assert head
    assert content[int(length) :] == b"\r\n--changes_b--\r\n\r\n--b--\r\n"
    content[: int(length)].decode()


@pytest.mark.parametrize("answer", [b"", b"<html>a proxy's page</html>"])
def test_an_answer_that_makes_no_sense_is_no_success(answer: bytes) -> None:
    assert failure(answer) == (0, b"InvalidAnswer")


def test_a_storage_account_without_the_table_says_so(engine: Any) -> None:
    with pytest.raises((StorageUnavailableError, HttpResponseError)):
        Rows(engine.clients, "NoSuchTable").transact([create(entity("x"))])
