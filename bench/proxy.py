"""``python -m bench.proxy``: a line with a round-trip time, between a client and a server on this machine.

It passes octets on after half the round-trip time in each direction, whatever their number. With ``--hide-pipelining``
it ends the TLS and takes PIPELINING out of the server's capabilities (RFC 2449), as Exchange Online has none.
With ``--slow-login`` each session waits before its first octet, as logins at Exchange Online take seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
from pathlib import Path

_CHUNK = 256 * 1024
# CAPA is asked within the first octets; behind them stand mails, which are passed on as they are.
_CAPABILITIES_WITHIN = 4_096


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, *, hide: bool) -> None:
    """Read on at once, write each chunk when its time has come."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def receive() -> None:
        passed = 0
        data = b"-"
        while data:
            data = await reader.read(_CHUNK)
            if hide and passed < _CAPABILITIES_WITHIN:
                passed += len(data)
                data = data.replace(b"PIPELINING\r\n", b"")
            await queue.put((loop.time() + delay, data))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await queue.get()
            if not data:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
            writer.write(data)
            await writer.drain()
    finally:
        receiving.cancel()
        with contextlib.suppress(OSError):
            writer.close()


async def _serve(options: argparse.Namespace) -> None:
    inner = outer = None
    if options.hide_pipelining:
        inner = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inner.load_cert_chain(options.cert, options.key)
        outer = ssl.create_default_context(cafile=options.ca)
    delay = options.rtt / 2_000

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(options.slow_login)
        name = "localhost" if outer else None
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", options.to, ssl=outer, server_hostname=name)
        down = _pass_on(up_reader, writer, delay, hide=options.hide_pipelining)
        up = _pass_on(reader, up_writer, delay, hide=False)
        with contextlib.suppress(OSError):
            await asyncio.gather(up, down)

    server = await asyncio.start_server(connected, "127.0.0.1", options.port, ssl=inner, limit=4 * _CHUNK)
    await server.serve_forever()


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where clients connect")
    parser.add_argument("--to", type=int, required=True, help="the server's port")
    parser.add_argument("--rtt", type=float, default=0.0, help="round-trip time in milliseconds")
    parser.add_argument("--slow-login", type=float, default=0.0, help="seconds that a login takes longer")
    parser.add_argument("--hide-pipelining", action="store_true")
    parser.add_argument("--cert", type=Path, help="the certificate to end TLS with (PEM)")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--ca", type=Path, help="the authority that the server's certificate comes from")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
