"""A POST to an address that someone else chose: https only, no private network, no redirect, a bounded answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

# All of it, from the look-up of the name to the answer's status, in seconds.
TIME = 20.0
_HTTPS = 443
# Addresses that are global by their number and not by their use: Azure's wire server, and translated IPv4.
_AZURE = ip_address("168.63.129.16")
_NAT64 = IPv6Network("64:ff9b::/96")


class PostError(Exception):
    """The post did not reach the address; the text says why, without what was sent."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool = False) -> int:
    """Post to a URL and return the answer's status.

    The name is looked up once, and the connection goes to the address that was checked: a name that answers
    differently the second time (DNS rebinding) gains nothing. Proxies of the environment are not used.

    Raises:
        PostError: the address may not be called, did not answer in time, or its certificate is not good.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise PostError("only https addresses are called")
    addresses = _resolved(parts.hostname, parts.port or _HTTPS, allow_private=allow_private)
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    connection = _Pinned(parts.hostname, parts.port or _HTTPS, addresses)
    # The socket's own limit starts anew with each octet; this one doesn't.
    watchdog = threading.Timer(TIME, connection.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request("POST", target, body=body, headers={**headers, "Connection": "close"})
        status = connection.getresponse().status
        if connection.was_cut:
            raise TimeoutError
        return status
    except ssl.SSLCertVerificationError as error:
        raise PostError(f"the certificate of {parts.hostname} is not good: {error.verify_message}") from None
    except (OSError, http.client.HTTPException) as error:
        why = f"no answer in {TIME:.0f} seconds" if connection.was_cut else type(error).__name__
        raise PostError(f"{parts.hostname} can't be reached ({why})") from None
    finally:
        watchdog.cancel()
        connection.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, by its number and by its use."""
    number: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(number, IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inner is None and number in _NAT64:
            inner = IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return number.is_global and not number.is_multicast and number != _AZURE


def _resolved(host: str, port: int, *, allow_private: bool) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise PostError(f"the name {host} is not known") from None
    addresses = [str(each[4][0]) for each in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise PostError(f"{host} is an address of a private network, which WEBHOOK_ALLOW_PRIVATE would have to allow")
    return list(dict.fromkeys(addresses))


class _Pinned(http.client.HTTPSConnection):
    """A connection to the first of these checked addresses that answers; its certificate is checked by the name."""

    def __init__(self, host: str, port: int, addresses: Sequence[str]) -> None:
        context = ssl.create_default_context()
        super().__init__(host, port, timeout=TIME, context=context)
        self._addresses = addresses
        self._tls = context
        self.was_cut = False

    def connect(self) -> None:
        for number, address in enumerate(self._addresses, 1):
            try:
                self.sock = socket.create_connection((address, self.port), self.timeout)
                break
            except OSError:
                if number == len(self._addresses):
                    raise
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End it, whatever it waits for."""
        self.was_cut = True
        with suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)
