"""What operators set up: mailboxes and ticket types, checked on the way in."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    model_validator,
)

from ticket_engine.records.rules import RULES_ACCEPT, MatchRule, RuleError, read_rules

INBOX = "INBOX"
OUTLOOK_HOST = "outlook.office365.com"
CALLBACK_ROUTE = "oauth/callback"
CONSENT_ROUTE = "consent"
# Microsoft's name for the work and school accounts of every tenant.
ANY_TENANT = "organizations"

_ID = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_DOMAIN = re.compile(r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$")
_HOST = re.compile(r"^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
_ADDRESS = re.compile(
    r"^[^\s@<>,;:\"()\[\]\\]{1,64}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$", re.IGNORECASE
)
_VAULT_NAME = re.compile(r"^[0-9a-zA-Z-]{0,127}$")
_MAX_ID = 60


class RecordError(ValueError):
    """A record is not acceptable; ``problems`` has one line a field: its name and what it accepts."""

    def __init__(self, kind: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{kind}: " + "; ".join(problems))
        self.problems = problems


class MailboxType(StrEnum):
    """The protocol a mailbox is read with."""

    POP3 = "POP3 - OAuth"
    IMAP = "IMAP - OAuth"

    @property
    def default_port(self) -> int:
        """The protocol's port for TLS from the first byte (RFC 8314)."""
        return 995 if self is MailboxType.POP3 else 993


class CredentialKind(StrEnum):
    """How the application proves to Microsoft Entra ID that it is itself."""

    CLIENT_SECRET = "client secret"  # noqa: S105 - a kind, not a secret
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed identity"


class AfterIngest(StrEnum):
    """What becomes of a mail on the server once it is a ticket message; POP3 knows only keep and delete."""

    KEEP = "keep"
    MARK_READ = "mark read"
    MOVE = "move"
    DELETE = "delete"


class Backlog(StrEnum):
    """What becomes of the mails that a mailbox holds when it is connected for the first time."""

    IMPORT = "import"
    FROM_NOW_ON = "from now on"


def _matches(pattern: re.Pattern[str]) -> Any:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError("no match")
        return value

    return AfterValidator(check)


def is_address(text: str) -> bool:
    """Whether this is one mail address, without a display name."""
    return _ADDRESS.match(text) is not None


def _lower(value: str) -> str:
    return value.strip().lower()


def _redirect_url(value: str) -> str:
    parts = urlsplit(value.strip())
    local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"}
    if not parts.hostname or not (parts.scheme == "https" or local) or parts.query or parts.fragment:
        raise ValueError("not https")
    if not parts.path.endswith(f"/{CALLBACK_ROUTE}"):
        raise ValueError("not the callback")
    return value.strip()


def _webhook_url(value: str) -> str:
    url = value.strip()
    parts = urlsplit(url)
    if url and (not (url.isascii() and url.isprintable()) or " " in url):
        raise ValueError("not one word")
    if url and (parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment):
        raise ValueError("not https")
    return url


def _tenant(value: str) -> str:
    if value != ANY_TENANT and not _GUID.match(value) and not _DOMAIN.match(value):
        raise ValueError("no tenant")
    return value


def _same_folder(one: str, other: str) -> bool:
    # INBOX is one folder in any case of its letters (RFC 3501, section 5.1); others are what they are.
    one, other = one.strip(), other.strip()
    return one == other or one.casefold() == other.casefold() == INBOX.casefold()


def _one_line(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("not one line")
    return value.strip()


def _true(value: bool) -> bool:
    if not value:
        raise ValueError("not encrypted")
    return value


def _accepts(text: str, **more: Any) -> Any:
    return Field(description=text, **more)


Identifier = Annotated[str, AfterValidator(_lower), Field(max_length=_MAX_ID), _matches(_ID)]
Address = Annotated[str, AfterValidator(str.strip), Field(max_length=254), _matches(_ADDRESS)]
Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]


ID_ACCEPTS = f"lower-case letters, digits and single dashes, at most {_MAX_ID} characters, such as support-desk"


def is_identifier(text: str) -> bool:
    """Whether this can be the id of a mailbox or a ticket type."""
    return len(text) <= _MAX_ID and _ID.fullmatch(text) is not None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def create(cls, **values: Any) -> Self:
        """Build the record from an operator's input.

        Raises:
            RecordError: names each field that is not acceptable and what it accepts.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            problems = tuple(_explain(cls, dict(each)) for each in error.errors(include_url=False))
            raise RecordError(_kind(cls), problems) from None


def _kind(cls: type[BaseModel]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()


def _explain(cls: type[BaseModel], problem: dict[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    known = cls.model_fields.get(name)
    if known is None:
        if name:
            return f"{name}: there is no such field; the fields are {', '.join(cls.model_fields)}"
        return str(problem["msg"]).removeprefix("Value error, ")
    error = problem.get("ctx", {}).get("error")
    if isinstance(error, RuleError):
        return f"{name}: {error}"
    if problem["type"] == "missing":
        return f"{name} is missing; it takes {known.description}"
    return f"{name} takes {known.description}; got {problem['input']!r}"


class Mailbox(_Record):
    """A mailbox to poll, with the fields of the manual set-up; its secrets are in Key Vault."""

    id: Identifier = _accepts(ID_ACCEPTS)
    name: Line = _accepts("a name of one line, at most 200 characters")
    type: MailboxType = _accepts("'POP3 - OAuth' or 'IMAP - OAuth'", default=MailboxType.POP3)
    host: Annotated[str, AfterValidator(_lower), _matches(_HOST)] = _accepts(
        f"a host name, such as {OUTLOOK_HOST}", default=OUTLOOK_HOST
    )
    port: Annotated[int, Field(ge=1, le=65535)] = _accepts(
        "a port from 1 to 65535: 995 for POP3, 993 for IMAP", default=0, validate_default=False
    )
    use_ssl: Annotated[bool, AfterValidator(_true)] = _accepts(
        "only true: a token is never sent over a connection that is not encrypted", default=True
    )
    username: Address = _accepts("the mailbox's mail address, such as support@contoso.com")
    oauth_type: Literal["Microsoft"] = _accepts("'Microsoft'", default="Microsoft")
    tenant_id: Annotated[str, AfterValidator(_lower), AfterValidator(_tenant)] = _accepts(
        "the directory (tenant) id, one of its domains, or 'organizations'"
    )
    client_id: Annotated[str, AfterValidator(_lower), _matches(_GUID)] = _accepts(
        "the application (client) id, a GUID such as 11111111-2222-3333-4444-555555555555"
    )
    redirect_url: Annotated[str, AfterValidator(_redirect_url)] = _accepts(
        f"the https address that ends in /api/{CALLBACK_ROUTE}, as registered with the application"
    )
    credential: CredentialKind = _accepts(
        "'client secret', 'certificate' or 'managed identity'", default=CredentialKind.CLIENT_SECRET
    )
    certificate_name: Annotated[str, _matches(_VAULT_NAME)] = _accepts(
        "the name of a certificate in Key Vault: letters, digits and dashes", default=""
    )
    shared_mailbox: bool = _accepts("true or false", default=False)
    delegate: Address | None = _accepts(
        "the mail address of the person who consents for a shared mailbox", default=None
    )
    may_send: bool = _accepts("true or false; true asks the owner for the permission to send mail", default=False)
    folder: Line = _accepts("the folder to read over IMAP, such as INBOX or Support/Orders", default=INBOX)
    backlog: Backlog = _accepts("'import' or 'from now on'", default=Backlog.IMPORT)
    after_ingest: AfterIngest = _accepts("'keep', 'mark read', 'move' or 'delete'", default=AfterIngest.KEEP)
    move_to: Annotated[str, Field(max_length=200)] = _accepts(
        "the folder that ingested mails are moved to over IMAP, such as Archive", default=""
    )
    paused: bool = _accepts("true or false", default=False)

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("port") is None:
            kind = values.get("type", MailboxType.POP3)
            if kind in set(MailboxType):
                return {**values, "port": MailboxType(kind).default_port}
        return values

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.shared_mailbox and self.delegate is None:
            raise ValueError(
                "delegate is missing; it takes the address of the person who consents for the shared mailbox"
            )
        if self.delegate is not None and not self.shared_mailbox:
            raise ValueError("delegate is for a shared mailbox only: set shared_mailbox to true, or leave delegate out")
        if self.credential is CredentialKind.CERTIFICATE and not self.certificate_name:
            raise ValueError("certificate_name is missing; it takes the name of a certificate in Key Vault")
        self._fits_protocol()
        return self

    def _fits_protocol(self) -> None:
        moves = self.after_ingest is AfterIngest.MOVE
        if moves and not self.move_to.strip():
            raise ValueError("move_to is missing; it takes the folder that ingested mails are moved to")
        if moves and _same_folder(self.move_to, self.folder):
            raise ValueError("move_to is the folder that is read: choose another one, or set after_ingest to 'keep'")
        if self.type is MailboxType.POP3 and self.after_ingest in {AfterIngest.MARK_READ, AfterIngest.MOVE}:
            raise ValueError(
                f"after_ingest: POP3 can't {self.after_ingest}, only keep or delete: change the type to 'IMAP - OAuth'"
            )
        if self.type is MailboxType.POP3 and not _same_folder(self.folder, INBOX):
            raise ValueError("folder: POP3 reads only the inbox: set the type to 'IMAP - OAuth', or leave folder out")

    @property
    def consenting_account(self) -> str:
        """The account that must sign in at the consent: the mailbox's own, or a shared mailbox's delegate."""
        return self.delegate or self.username

    @property
    def app_url(self) -> str:
        """Where the app's functions answer, without a slash at the end: ``https://<app>/api``."""
        return self.redirect_url.removesuffix(f"/{CALLBACK_ROUTE}")

    def consent_url(self, invite: str) -> str:
        """The link that the mailbox's owner follows; it sits beside the redirect URL."""
        base = self.redirect_url.removesuffix(CALLBACK_ROUTE)
        return f"{base}{CONSENT_ROUTE}/{self.id}?invite={invite}"


class Task(StrEnum):
    """What a ticket type does with its mail; each member has a module of its name in ``ticket_engine/tasks``."""

    SIMPLE_STORAGE = "Simple Storage"
    WEBHOOK = "Webhook"
    NOTIFY = "Notify"


class TicketType(_Record):
    """What becomes of a mailbox's mail.

    Of several types of one mailbox, those with rules are asked in the order of their priority; the first without
    rules takes the rest.
    """

    id: Identifier = _accepts(ID_ACCEPTS)
    task: Task = _accepts("'Simple Storage', 'Webhook' or 'Notify'", default=Task.SIMPLE_STORAGE)
    name: Line = _accepts("a name of one line, at most 200 characters")
    mailbox: Identifier = _accepts("the id of a mailbox")
    admin_email: Address = _accepts("the mail address of the person who looks after these tickets")
    rules: Annotated[tuple[MatchRule, ...], BeforeValidator(read_rules)] = _accepts(RULES_ACCEPT, default=())
    rules_match: Literal["any", "all"] = _accepts("'any' or 'all' of the rules", default="any")
    priority: Annotated[int, Field(ge=1, le=1000)] = _accepts(
        "a number from 1, which is asked first, to 1000", default=100
    )

    keep_days: Annotated[int, Field(ge=0, le=36_500)] = _accepts(
        "how many days closed tickets are kept after their last change; 0 keeps them for ever", default=0
    )
    webhook_url: Annotated[str, Field(max_length=500), AfterValidator(_webhook_url)] = _accepts(
        "the https address that takes the posts of the task Webhook, without a user name", default=""
    )
    notify_per_hour: Annotated[int, Field(ge=1, le=1000)] = _accepts(
        "the most notifications an hour of the task Notify, from 1 to 1000", default=20
    )

    @model_validator(mode="after")
    def _has_what_its_task_needs(self) -> Self:
        if self.task is Task.WEBHOOK and not self.webhook_url:
            raise ValueError("webhook_url is missing; the task Webhook takes the https address to post to")
        return self

    @field_serializer("rules")
    def _rules_as_lines(self, rules: tuple[MatchRule, ...]) -> list[str]:
        return [str(each) for each in rules]
