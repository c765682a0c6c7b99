"""Free ports for servers that can't be handed a bound socket."""

from __future__ import annotations

import socket


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback address that nothing listens on; they are drawn together, so all differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
