"""Posts to addresses that someone else chose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from devcloud.certificates import CertificateAuthority
from ticket_engine.records import RecordError, Task, TicketType
from ticket_engine.tasks import post as post_module
from ticket_engine.tasks.post import PostError, is_public, post


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "168.63.129.16", "100.64.0.1",
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2002:a00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_of_a_private_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://localhost/", "https://[::1]:8443/", "https://2130706433/", "https://0x7f.1/"],
)
def test_a_private_address_is_not_called_however_it_is_written(url: str) -> None:
    with pytest.raises(PostError, match=r"private network|is not known"):
        post(url, b"", {})


def test_only_https_is_called() -> None:
    with pytest.raises(PostError, match="only https"):
        post("http://contoso.example/", b"", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.example/x",
        "https://user:password@contoso.example/",
        "https://contoso.example/#part",
        "https://contoso.example/a b",
        "https://contoso.example/\r\nX-Injected: 1",
        "https:///nowhere",
        "ftp://contoso.example/",
        "https://contoso.example/ü",
    ],
)
def test_a_webhook_takes_a_plain_https_address_only(url: str) -> None:
    fields = {"id": "t", "name": "T", "mailbox": "m", "admin_email": "a@b.example", "task": Task.WEBHOOK}
    with pytest.raises(RecordError, match="webhook_url takes the https address"):
        TicketType.create(**fields, webhook_url=url)
    with pytest.raises(RecordError, match="webhook_url is missing"):
        TicketType.create(**fields)


@contextmanager
def server(certificates: CertificateAuthority, answer: Any) -> Iterator[int]:
    """A TLS server for one connection; ``answer`` gets the connection after the request came."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        try:
            with certificates.server_context().wrap_socket(plain, server_side=True) as connection:
                got = b""
                while b"\r\n\r\n{}" not in got:
                    got += connection.recv(65536)
                answer(connection)
        except OSError:
            plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(10)


@pytest.fixture
def certificates(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> CertificateAuthority:
    made = CertificateAuthority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.bundle))
    return made


def test_a_redirect_is_an_answer_and_not_followed(certificates: CertificateAuthority) -> None:
    def redirect(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")

    with server(certificates, redirect) as port:
        assert post(f"https://localhost:{port}/", b"{}", {}, allow_private=True) == 302


def test_a_server_that_sends_an_octet_now_and_then_is_cut_off(
    certificates: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_module, "TIME", 0.5)
    stop = threading.Event()

    def drip(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(0.1):
            connection.sendall(b"x")

    with server(certificates, drip) as port:
        with pytest.raises(PostError, match="can't be reached"):
            post(f"https://localhost:{port}/", b"{}", {}, allow_private=True)
        stop.set()


def test_a_name_is_looked_up_once_and_the_checked_address_is_called(
    certificates: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if asked.count(host) == 1 else "192.0.2.1", *arguments, **options)

    with server(certificates, lambda each: each.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        assert post(f"https://localhost:{port}/", b"{}", {}, allow_private=True) == 204
    assert asked.count("localhost") == 1


def test_a_certificate_of_another_name_is_refused(
    certificates: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **options: real("127.0.0.1", *more, **options))
    with (
        server(certificates, lambda _: None) as port,
        pytest.raises(PostError, match=r"certificate of hooks\.contoso\.example is not good"),
    ):
        post(f"https://hooks.contoso.example:{port}/", b"{}", {}, allow_private=True)
