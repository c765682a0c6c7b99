"""The set-up as a file: mailboxes and ticket types, their JSON schema, and the changes that make it so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ticket_engine.operations.changes import Change, changed, changes
from ticket_engine.operations.mailboxes import with_port
from ticket_engine.records import Mailbox, RecordError, TicketType

if TYPE_CHECKING:
    from ticket_engine.operations.mailboxes import MailboxSetup
    from ticket_engine.operations.ticket_types import TicketTypeSetup
    from ticket_engine.store import Stores

# Where the file says it: the kind of its entries.
_KINDS: dict[str, type[BaseModel]] = {"mailboxes": Mailbox, "ticket_types": TicketType}
_SECRETS = ("client_secret", "secret", "refresh_token", "password", "token")
SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Step:
    """One difference between the file and what is: a record that is new, or fields that change."""

    kind: str
    id: str
    values: Mapping[str, Any]
    changes: tuple[Change, ...]
    new: bool

    def __str__(self) -> str:
        """The step in a line, as a difference shows it."""
        what = self.kind.removesuffix("es" if self.kind == "mailboxes" else "s").replace("_", " ")
        return f"{'+' if self.new else '~'} {what} {self.id}"


def schema() -> dict[str, Any]:
    """The JSON schema of the file, from the records."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, record in _KINDS.items():
        found = record.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= found.pop("$defs", {})
        for field in found["properties"].values():
            field.pop("title", None)
        if name == "mailboxes":
            # Its default depends on the type.
            found["properties"]["port"].pop("default", None)
        definitions[record.__name__] = {key: value for key, value in found.items() if key != "title"}
        properties[name] = {"type": "array", "items": {"$ref": f"#/$defs/{record.__name__}"}}
    return {
        "$schema": SCHEMA_URL,
        "title": "Ticket Engine: mailboxes and ticket types",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def as_file(mailboxes: Sequence[Mailbox], ticket_types: Sequence[TicketType]) -> dict[str, Any]:
    """The set-up as the file has it: every field that differs from its default, and no secret."""
    return {
        "mailboxes": [_said(each) for each in mailboxes],
        "ticket_types": [_said(each) for each in ticket_types],
    }


class SetupFile:
    """Compares a file with what is, and makes it so. What the file doesn't name stays as it is."""

    def __init__(self, stores: Stores, mailboxes: MailboxSetup, ticket_types: TicketTypeSetup) -> None:
        self._stores = stores
        self._mailboxes = mailboxes
        self._ticket_types = ticket_types

    def plan(self, content: Any) -> list[Step]:
        """The steps from what is to what the file says; nothing is changed.

        Raises:
            RecordError: all that is wrong with the file, each with its place.
        """
        entries = _entries(content)
        there: dict[str, dict[str, BaseModel]] = {
            "mailboxes": {each.id: each for each in self._stores.mailboxes.all()},
            "ticket_types": {each.id: each for each in self._stores.ticket_types.all()},
        }
        steps: list[Step] = []
        problems: list[str] = []
        known = set(there["mailboxes"]) | {values.get("id") for kind, _, values in entries if kind == "mailboxes"}
        for kind, place, values in entries:
            try:
                step = _step(kind, values, there[kind].get(str(values.get("id", ""))))
            except RecordError as error:
                problems += [f"{place}: {each}" for each in error.problems]
                continue
            if kind == "ticket_types" and step.values.get("mailbox", "") not in known | {""}:
                problems.append(f"{place}: mailbox {step.values['mailbox']!r} is neither there nor in the file")
            if step.new or step.changes:
                steps.append(step)
        if problems:
            raise RecordError("file", tuple(problems))
        return steps

    def apply(self, steps: Sequence[Step], *, by: str) -> Iterator[Step]:
        """Make the steps, one after another; each is yielded when it is done.

        Raises:
            ConflictError: someone else made a change since the plan; the steps before it are made.
        """
        for step in steps:
            setup: Any = self._mailboxes if step.kind == "mailboxes" else self._ticket_types
            if step.new:
                setup.add(step.values, by=by)
            else:
                setup.edit(step.id, step.values, by=by)
            yield step


def _said(record: BaseModel) -> dict[str, Any]:
    said = record.model_dump(mode="json", exclude_defaults=True)
    if isinstance(record, Mailbox) and record.port == record.type.default_port:
        said.pop("port", None)
    return said


def _step(kind: str, values: Mapping[str, Any], before: BaseModel | None) -> Step:
    record: Any = _KINDS[kind]
    secrets = [name for name in values if name.lower() in _SECRETS]
    if secrets:
        raise RecordError(
            "file", (f"{secrets[0]}: secrets are never in the file: ticket-engine mailbox set-secret stores them",)
        )
    made = record.create(**values)
    if before is None:
        return Step(kind, made.id, values, (), new=True)
    if isinstance(before, Mailbox):
        values = with_port(before, values)
    after = record.create(**changed(before, values))
    return Step(kind, after.id, values, changes(before, after), new=False)


def _entries(content: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Each entry of the file with its kind and its place, mailboxes first."""
    if not isinstance(content, dict) or not set(content) <= set(_KINDS):
        raise RecordError("file", ("it takes the lists 'mailboxes' and 'ticket_types', and nothing else",))
    found: list[tuple[str, str, dict[str, Any]]] = []
    for kind in _KINDS:
        listed = content.get(kind) or []
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise RecordError("file", (f"{kind} takes a list of entries, each with its fields",))
        for number, values in enumerate(listed, start=1):
            found.append((kind, f"{kind}, entry {number} ({values.get('id', 'without id')})", dict(values)))
    ids = [(kind, str(values.get("id"))) for kind, _, values in found]
    twice = sorted({name for kind, name in ids if ids.count((kind, name)) > 1})
    if twice:
        raise RecordError("file", (f"these ids are there twice: {', '.join(twice)}",))
    return found
