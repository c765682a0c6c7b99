"""The test of a mailbox, step by step from name to mail, where the first step that fails says who must act."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, Reaction, TicketEngineError
from ticket_engine.mail import answers, tls
from ticket_engine.records import MailboxType

if TYPE_CHECKING:
    from ticket_engine.mail import MailSource
    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.records import Mailbox
    from ticket_engine.store import Stores

_TIMEOUT = 15.0
# Some POP3 logins with longer tokens fail with a protocol error.
_LONG_TOKEN = 4096
STEPS = {
    "dns": "the host's name has an address",
    "tls": "the server answers with TLS, and its certificate can be verified",
    "capability": "the server offers the login with OAuth (XOAUTH2)",
    "token": "Microsoft gives an access token for the mailbox",
    "login": "the server accepts the token for this mailbox",
    "count": "the mailbox can be read",
}

# What a step takes over from earlier ones.
_NEEDS = {"login": ("token",), "count": ("token", "login")}


class Outcome(StrEnum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Step:
    """One step: what it found in one sentence, and, where it failed, who must act."""

    name: str
    outcome: Outcome
    sentence: str
    actor: Actor | None = None
    code: str | None = None
    seconds: float = 0.0


class Probe:
    """Walks a mailbox's way: DNS, TLS, capability, token, login, count. Stores nothing and takes no lease."""

    def __init__(self, stores: Stores, *, broker: TokenBroker, log_in: Callable[[Mailbox, str], MailSource]) -> None:
        self._stores = stores
        self._broker = broker
        self._log_in = log_in

    def steps(self, mailbox_id: str) -> Iterator[Step]:
        """Each step as it ends; after the first failure the others are skipped.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        mailbox = self._stores.mailboxes.get(mailbox_id)
        walk = _Walk(mailbox, self._broker, self._log_in)
        broken = ""
        for name in STEPS:
            if broken:
                yield Step(name, Outcome.SKIPPED, f"Not tried, because {broken} failed.")
                continue
            step = _timed(walk, name)
            if step.outcome is Outcome.FAILED:
                broken = name
            yield step

    def step(self, mailbox_id: str, name: str) -> Step:
        """One step by itself, with what it needs of the ones before, for a caller that asks for each as it comes.

        Raises:
            MailboxNotFoundError: there is no such mailbox.
        """
        walk = _Walk(self._stores.mailboxes.get(mailbox_id), self._broker, self._log_in)
        for needed in _NEEDS.get(name, ()):
            before = _timed(walk, needed)
            if before.outcome is Outcome.FAILED:
                return replace(before, name=name)
        return _timed(walk, name)


class _Walk:
    """The steps of one mailbox; each returns what it found, or raises TicketEngineError."""

    def __init__(self, mailbox: Mailbox, broker: TokenBroker, log_in: Callable[[Mailbox, str], MailSource]) -> None:
        self._mailbox = mailbox
        self._broker = broker
        self._log_in = log_in
        self._token = ""
        self._mails = 0

    def dns(self) -> str:
        """Resolve the host."""
        host = self._mailbox.host
        try:
            found = socket.getaddrinfo(host, self._mailbox.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _failed(
                "host-unknown",
                f"The name {host} has no address: check the mailbox's host for a typing error, then this machine's "
                "DNS.",
            ) from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        return f"{host} is {', '.join(addresses[:3])}."

    def tls(self) -> str:
        """Connect and shake hands."""
        host, port = self._mailbox.host, self._mailbox.port
        where = f"{host}:{port}"
        try:
            with (
                socket.create_connection((host, port), timeout=_TIMEOUT) as raw,
                tls.context().wrap_socket(raw, server_hostname=host) as secured,
            ):
                version, certificate = secured.version(), secured.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            raise answers.unreachable(self._mailbox, error) from error
        except TimeoutError:
            raise _failed(
                "mail-timeout",
                f"{where} did not answer within {_TIMEOUT:.0f} seconds: check that no firewall blocks the way from "
                "here, and the mailbox's host and port.",
            ) from None
        except ConnectionRefusedError:
            raise _failed(
                "mail-refused", f"Nothing listens on {where}: check the mailbox's host and port ({self._usual()})."
            ) from None
        except (ssl.SSLError, ConnectionResetError):
            raise _failed(
                "mail-no-tls",
                f"{where} answers, but not with TLS from the first byte: use the port for that ({self._usual()}).",
            ) from None
        except OSError as error:
            raise _failed(
                "mail-unreachable",
                f"{where} can't be reached from here ({error.strerror or type(error).__name__}): check the network "
                "between, and the mailbox's host and port.",
            ) from None
        return f"{version}; the certificate is good until {certificate.get('notAfter', 'an unknown day')}."

    def capability(self) -> str:
        """Ask what the server offers."""
        protocol = self._mailbox.type.name
        try:
            offered = _pop3_mechanisms(self._mailbox) if protocol == MailboxType.POP3.name else _imap(self._mailbox)
        except Exception as error:
            # What a foreign server may send is without limit, and so are the errors of the standard clients.
            raise _failed(
                "mail-other-protocol",
                f"{self._mailbox.host}:{self._mailbox.port} does not speak {protocol}: check the mailbox's type and "
                f"port ({self._usual()}).",
            ) from error
        if "XOAUTH2" not in offered:
            raise _failed(
                "mail-no-oauth",
                f"The server speaks {protocol} but offers no login with OAuth (XOAUTH2): check the mailbox's host; "
                "Exchange Online's is outlook.office365.com.",
            )
        return f"{protocol} with XOAUTH2."

    def token(self) -> str:
        """Get an access token, as a poll does."""
        self._token = self._broker.access_token(self._mailbox)
        found = f"Microsoft gave an access token of {len(self._token):,} characters"
        if self._mailbox.type is MailboxType.POP3 and len(self._token) > _LONG_TOKEN:
            return (
                f"{found}; Exchange Online has refused POP3 logins with such long ones: fewer groups make it shorter."
            )
        return f"{found}."

    def login(self) -> str:
        """Log in and open the mailbox."""
        with self._log_in(self._mailbox, self._token) as source:
            self._mails = source.count()
        return f"Logged in as {self._mailbox.username}."

    def count(self) -> str:
        """Say how many mails there are."""
        return f"The mailbox holds {self._mails:,} mail{'' if self._mails == 1 else 's'}."

    def _usual(self) -> str:
        return f"{self._mailbox.type.default_port} is the usual one for {self._mailbox.type.name}"


def _timed(walk: _Walk, name: str) -> Step:
    began = time.monotonic()
    try:
        step = Step(name, Outcome.OK, str(getattr(walk, name)()))
    except TicketEngineError as error:
        reaction = error.reaction
        step = Step(name, Outcome.FAILED, reaction.sentence, reaction.actor, reaction.code)
    return replace(step, seconds=round(time.monotonic() - began, 3))


def _failed(code: str, sentence: str) -> TicketEngineError:
    return TicketEngineError(Reaction(Actor.OPERATOR, code, sentence))


def _pop3_mechanisms(mailbox: Mailbox) -> list[str]:
    import poplib

    server = poplib.POP3_SSL(mailbox.host, mailbox.port, timeout=_TIMEOUT, context=tls.context())
    try:
        mechanisms = server.capa().get("SASL", [])
        server.quit()
    finally:
        server.close()
    return [each.upper() for each in mechanisms]


def _imap(mailbox: Mailbox) -> list[str]:
    import imaplib

    server = imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=tls.context(), timeout=_TIMEOUT)
    with server:
        return [each.upper().removeprefix("AUTH=") for each in server.capabilities]
