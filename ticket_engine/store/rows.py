"""Rows of one table: reads and writes of records by key, with storage failures in the project's own errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ticket_engine.errors import Actor, ConflictError, Reaction, StorageUnavailableError
from ticket_engine.store.entities import Entity, from_entity, to_entity
from ticket_engine.store.failures import storage_failures
from ticket_engine.store.transactions import MAX_TRANSACTION_ENTITIES, Operation, TransactionConflictError, delete

if TYPE_CHECKING:
    from ticket_engine.store.clients import Clients

Record = TypeVar("Record")


@dataclass(frozen=True)
class Stored(Generic[Record]):
    """A record as it was read, with the ETag that a conditional write names."""

    record: Record
    etag: str


class Rows:
    """One table, seen as records."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table
        self._client = clients.table(table)

    def get(self, kind: type[Record], partition: str, row: str) -> Stored[Record] | None:
        """The record with this key, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_failures():
            try:
                entity = self._client.get_entity(partition, row)
            except ResourceNotFoundError as error:
                _raise_if_table_missing(error)
                return None
        return Stored(from_entity(kind, entity), str(entity.metadata["etag"]))

    def create(self, record: Any, partition: str, row: str) -> str:
        """Create a row and return its ETag.

        Raises:
            ConflictError: the row exists already.
        """
        from azure.core.exceptions import ResourceExistsError

        with storage_failures():
            try:
                return str(self._client.create_entity(to_entity(record, partition, row))["etag"])
            except ResourceExistsError:
                raise ConflictError(
                    Reaction(Actor.OPERATOR, "exists", f"{row!r} exists already; choose another id, or change it.")
                ) from None

    def put(self, record: Any, partition: str, row: str) -> str:
        """Create or replace a row, whatever is there, and return its ETag."""
        from azure.data.tables import UpdateMode

        with storage_failures():
            entity = to_entity(record, partition, row)
            return str(self._client.upsert_entity(entity, mode=UpdateMode.REPLACE)["etag"])

    def replace(self, record: Any, partition: str, row: str, etag: str | None) -> str:
        """Replace the row that was read with this ETag (None: it must not exist yet) and return the new ETag.

        Raises:
            ConflictError: the row was changed, created or deleted in between.
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
        from azure.data.tables import UpdateMode

        if etag is None:
            return self.create(record, partition, row)
        with storage_failures():
            try:
                answer = self._client.update_entity(
                    to_entity(record, partition, row),
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                raise ConflictError(
                    Reaction(Actor.SERVICE, "changed", f"{row!r} was changed by someone else at the same time.")
                ) from None
            return str(answer["etag"])

    def delete(self, partition: str, row: str, etag: str | None = None) -> bool:
        """Delete a row, with an ETag only as it was read; False when it was gone or had changed."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        condition = None if etag is None else MatchConditions.IfNotModified
        with storage_failures():
            try:
                # A DELETE of the client answers alike for a row that was there and one that wasn't, unless it
                # is conditional; so the callers that must know pass the ETag.
                self._client.delete_entity(partition, row, etag=etag, match_condition=condition)
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
        return True

    def delete_all(self, partition: str, rows: Sequence[str]) -> int:
        """Delete rows of one partition, a hundred a request; returns how many are gone for it."""
        deleted = 0
        for start in range(0, len(rows), MAX_TRANSACTION_ENTITIES):
            part = rows[start : start + MAX_TRANSACTION_ENTITIES]
            try:
                self.transact([delete(partition, row) for row in part])
            except TransactionConflictError:
                # Another run deletes the same rows: one that is gone already takes the whole request down.
                deleted += sum(self.delete(partition, row) for row in part)
            else:
                deleted += len(part)
        return deleted

    def query(
        self, condition: str, parameters: dict[str, Any], select: Sequence[str] = (), size: int | None = None
    ) -> Iterator[Entity]:
        """The entities that match an OData filter with @parameters, in key order, at most ``size`` a request."""
        with storage_failures():
            yield from self._client.query_entities(
                condition, parameters=parameters, select=list(select) or None, results_per_page=size
            )

    def partition(self, kind: type[Record], partition: str) -> list[Record]:
        """Every record of one partition, in key order."""
        return [from_entity(kind, each) for each in self.query("PartitionKey eq @p", {"p": partition})]

    def transact(self, operations: Sequence[Operation]) -> None:
        """Commit all operations of one partition, or none.

        Raises:
            TransactionConflictError: a row exists already (create) or has changed (replace, delete).
        """
        with storage_failures():
            self._clients.transactions.commit(self._table, operations)


def _raise_if_table_missing(error: Any) -> None:
    if "TableNotFound" in str(getattr(error, "error_code", "")):
        raise StorageUnavailableError(
            Reaction(
                Actor.OPERATOR,
                "table-missing",
                "A table is missing: deploy infra/ again, which creates all tables.",
            )
        )
