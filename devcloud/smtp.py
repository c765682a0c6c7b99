"""A server for mail submission: aiosmtpd with STARTTLS and XOAUTH2, which checks our tokens' signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from devcloud.certificates import CertificateAuthority
from devcloud.entra.tokens import SigningKeys
from devcloud.ports import free_ports

_AUDIENCE = "https://outlook.office.com"


@dataclass(frozen=True)
class Sent:
    """A mail that was submitted."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


class SubmissionServer:
    """Takes mail from those who prove by a token to be the sender, and hands it to ``deliver``.

    ``refusals`` are answers to give to the next mails instead of taking them; ``sent`` are the mails that it took.
    """

    def __init__(
        self, certificates: CertificateAuthority, keys: SigningKeys, deliver: Callable[[str, bytes], None]
    ) -> None:
        self.port = free_ports(1)[0]
        self.sent: list[Sent] = []
        self.refusals: list[str] = []
        self._keys = keys
        self._deliver = deliver
        self._controller = _Controller(
            self,
            hostname="localhost",
            port=self.port,
            tls_context=certificates.server_context(),
            require_starttls=True,
            auth_required=True,
            # The others that the library offers are for passwords.
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
        )
        self._controller.start()

    def stop(self) -> None:
        """Stop it."""
        self._controller.stop()

    @property
    def address(self) -> str:
        """``localhost:<port>``."""
        return f"localhost:{self.port}"

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802 - the library's name
        """Check the token of a login, as Exchange Online does; the account must be the user."""
        answer = await server.challenge_auth("") if len(args) == 1 else b""
        try:
            user, token = _credentials(answer)
            claims = self._keys.verify(token, _AUDIENCE)
        except (IndexError, ValueError, jwt.PyJWTError):
            return AuthResult(success=False, handled=False)
        good = "SMTP.Send" in str(claims["scp"]).split() and str(claims["upn"]).lower() == user.lower()
        return AuthResult(success=good, handled=False, auth_data=user.lower())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """Take a mail, if its sender is the account."""
        del server
        if self.refusals:
            return self.refusals.pop(0)
        if str(envelope.mail_from).lower() != session.auth_data:
            return "554 5.2.252 SendAsDenied; the account may not send as this sender"
        sent = Sent(envelope.mail_from, tuple(envelope.rcpt_tos), bytes(envelope.content))
        self.sent.append(sent)
        for each in sent.recipients:
            self._deliver(each, sent.raw)
        return "250 2.0.0 OK"


class _Protocol(SMTP):
    """A token's line is longer than a mail's (RFC 4954, section 4)."""

    line_length_limit = 12_288 + 2


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Protocol(self.handler, **self.SMTP_kwargs)


def _credentials(response: Any) -> tuple[str, str]:
    fields = bytes(response or b"").decode("utf-8", "replace").split("\x01")
    return fields[0].removeprefix("user="), fields[1].removeprefix("auth=Bearer ")
