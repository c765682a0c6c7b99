"""POP3 on the wire, against a scripted server, and what servers' answers mean."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devcloud.certificates import CertificateAuthority
from ticket_engine.errors import Actor, MailLoginError, MailServerError
from ticket_engine.mail import answers
from ticket_engine.mail.pop3 import Pop3Source
from ticket_engine.mail.sasl import xoauth2
from ticket_engine.records import Mailbox

Script = list[tuple[bytes, bytes]]
LOGIN: Script = [
    (b"CAPA", b"+OK\r\nUIDL\r\n.\r\n"),
    (b"AUTH XOAUTH2", b"+ \r\n"),
    (b"*", b"+OK\r\n"),
    (b"STAT", b"+OK 2 200\r\n"),
]


class ScriptedServer:
    """A POP3 server that plays a script: what it expects (a line's start, or * for any), and its answer."""

    def __init__(self, authority: CertificateAuthority) -> None:
        import ssl

        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.seen: list[bytes] = []
        self._thread: threading.Thread | None = None

    def play(self, script: Script, greeting: bytes = b"+OK ready\r\n") -> None:
        self._thread = threading.Thread(target=self._serve, args=(script, greeting), daemon=True)
        self._thread.start()

    def _serve(self, script: Script, greeting: bytes) -> None:
        raw, _ = self._listener.accept()
        with self._context.wrap_socket(raw, server_side=True) as connection, connection.makefile("rb") as lines:
            connection.sendall(greeting)
            for expected, answer in script:
                received = lines.readline()
                if not received:
                    return
                line = received.rstrip(b"\r\n")
                self.seen.append(line)
                assert expected == b"*" or line.startswith(expected), (expected, line)
                # In small pieces, so that no answer comes whole by luck.
                for at in range(0, len(answer), 7):
                    connection.sendall(answer[at : at + 7])

    def close(self) -> None:
        self._listener.close()
        if self._thread is not None:
            self._thread.join(timeout=5)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def server(authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    scripted = ScriptedServer(authority)
    yield scripted
    scripted.close()


def mailbox(port: int = 995, **values: Any) -> Mailbox:
    fields: dict[str, Any] = {
        "id": "support",
        "name": "Support",
        "host": "localhost",
        "port": port,
        "username": "support@contoso.example",
        "tenant_id": "contoso.example",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "redirect_url": "https://x.example/api/oauth/callback",
    }
    return Mailbox.create(**{**fields, **values})


def test_the_blob_is_microsofts_example_in_form() -> None:
    import base64

    blob = base64.b64decode(xoauth2("test@contoso.onmicrosoft.com", "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZCAA=="))
    assert blob == b"user=test@contoso.onmicrosoft.com\x01auth=Bearer EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZCAA==\x01\x01"


def test_the_login_takes_two_lines_and_a_stat_proves_it(server: ScriptedServer) -> None:
    server.play([*LOGIN, (b"QUIT", b"+OK\r\n")])
    with Pop3Source.open(mailbox(server.port), "token") as source:
        assert source.count() == 2
        source.finish()
    assert server.seen[-1] == b"QUIT"
    assert server.seen[1:3] == [b"AUTH XOAUTH2", xoauth2("support@contoso.example", "token")]


def test_an_error_challenge_is_answered_with_an_empty_line(server: ScriptedServer) -> None:
    challenge = b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"
    server.play([*LOGIN[:2], (b"*", challenge), (b"", b"-ERR Authentication failure\r\n")])
    with pytest.raises(MailLoginError) as caught:
        Pop3Source.open(mailbox(server.port), "token")
    assert caught.value.reaction.code == "login-refused"
    assert server.seen[-1] == b""


def test_a_token_that_only_stat_refuses_is_a_refused_login(server: ScriptedServer) -> None:
    server.play([*LOGIN[:3], (b"STAT", b"-ERR User is authenticated but not connected.\r\n")])
    with pytest.raises(MailLoginError) as caught:
        Pop3Source.open(mailbox(server.port), "token")
    assert caught.value.reaction.code == "authenticated-but-not-connected"


def test_dots_are_unstuffed_and_lines_may_be_of_any_length(server: ScriptedServer) -> None:
    long = b"x" * 300_000
    wire = b"..first\r\n...\r\n" + long + b"\r\nmid.dle\r\n..\r\n"
    server.play(
        [
            *LOGIN,
            (b"LIST", b"+OK\r\n1 100\r\n2 0\r\n.\r\n"),
            (b"UIDL", b"+OK\r\n1 aa\r\n2 bb\r\n.\r\n"),
            (b"RETR 1", b"+OK\r\n" + wire + b".\r\n"),
            (b"RETR 2", b"+OK\r\n.\r\n"),
            (b"QUIT", b"+OK\r\n"),
        ]
    )
    with Pop3Source.open(mailbox(server.port), "token") as source:
        listed = source.items()
        fetched = [each.raw for each in source.fetch(listed)]
    assert [(each.id, each.number, each.size) for each in listed] == [("aa", 1, 100), ("bb", 2, 0)]
    assert fetched == [b".first\r\n..\r\n" + long + b"\r\nmid.dle\r\n.\r\n", b""]


def test_commands_are_sent_ahead_only_where_pipelining_is_announced(server: ScriptedServer) -> None:
    capa = (b"CAPA", b"+OK\r\nPIPELINING\r\n.\r\n")
    # The first answer comes only after the third command: a serial client would wait for ever.
    retr: Script = [(b"RETR 1", b""), (b"RETR 2", b""), (b"RETR 3", b"+OK\r\na\r\n.\r\n+OK\r\nb\r\n.\r\n-ERR gone\r\n")]
    server.play(
        [
            capa,
            *LOGIN[1:],
            (b"LIST", b"+OK\r\n1 1\r\n2 1\r\n3 1\r\n.\r\n"),
            (b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
            *retr,
            (b"QUIT", b"+OK\r\n"),
        ]
    )
    with Pop3Source.open(mailbox(server.port), "token") as source:
        fetched = list(source.fetch(source.items()))
    assert [(each.raw, each.problem) for each in fetched] == [(b"a\r\n", ""), (b"b\r\n", ""), (None, "gone")]


def test_a_session_that_ends_in_the_middle_of_a_mail_is_broken_off_and_the_mails_before_are_good(
    server: ScriptedServer,
) -> None:
    server.play(
        [
            *LOGIN,
            (b"LIST", b"+OK\r\n1 1\r\n2 1\r\n.\r\n"),
            (b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n.\r\n"),
            (b"RETR 1", b"+OK\r\nwhole\r\n.\r\n"),
            (b"RETR 2", b"+OK\r\nhalf of"),
        ]
    )
    got: list[Any] = []
    with Pop3Source.open(mailbox(server.port), "token") as source, pytest.raises(MailServerError) as caught:
        got.extend(each.raw for each in source.fetch(source.items()))
    assert caught.value.reaction.code == "mail-session-broken"
    server.close()


def refused(text: str) -> Callable[[], MailServerError]:
    return lambda: answers.refused_login(mailbox(), text)


@pytest.mark.parametrize(
    ("text", "actor", "code"),
    [
        ("Authentication failure: unknown user name or bad password.", Actor.TENANT_ADMIN, "login-refused"),
        ("Protocol error. Connection is closed. 10", Actor.OPERATOR, "login-protocol-error"),
        ("User is authenticated but not connected.", Actor.SERVICE, "authenticated-but-not-connected"),
        ("Session invalidated - AccessTokenExpired", Actor.SERVICE, "access-token-expired"),
        ("Request is throttled. Suggested Backoff Time: 12345 milliseconds", Actor.SERVICE, "mail-throttled"),
    ],
)
def test_a_refused_login_names_who_acts(text: str, actor: Actor, code: str) -> None:
    reaction = refused(text)().reaction
    assert (reaction.actor, reaction.code) == (actor, code)


def test_the_servers_suggested_wait_is_kept() -> None:
    reaction = answers.throttled("NO Request is throttled. Suggested Backoff Time: 12345 milliseconds")
    assert reaction is not None
    assert reaction.retry_after == timedelta(milliseconds=12345)
    assert answers.throttled("NO something else") is None


def test_a_name_that_is_no_address_of_a_server_is_unreachable(tmp_path: Path) -> None:
    del tmp_path
    with pytest.raises(MailServerError) as caught:
        Pop3Source.open(mailbox(host="no-such-host.invalid"), "token")
    assert caught.value.reaction.code == "mail-unreachable"
