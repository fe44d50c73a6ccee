"""Links over TCP: `tcp://HOST:PORT`, IPv6 in brackets; port 0 asks for a free one."""

from __future__ import annotations

from urllib.parse import urlsplit

import trio

from node.links import LinkError
from node.links.connection import Connection
from node.links.ports import Door, Listening, Ports, bracketed, tune

kind = "tcp"
DIAL_TIME = 5.0


def parse(url: str) -> tuple[str, int]:
    """Host and port of a URL. Raises LinkError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LinkError(f"{url!r} is no tcp address", cause=str(error), hint="write tcp://HOST:PORT") from None
    if parts.scheme != "tcp" or not host or port is None or parts.path not in ("", "/"):
        raise LinkError(f"{url!r} is no tcp address", hint="write tcp://HOST:PORT")
    return host, port


async def connect(host: str, port: int, url: str) -> trio.SocketStream:
    """A connection over whichever of the host's addresses answers first. Raises LinkError."""
    try:
        with trio.fail_after(DIAL_TIME):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, ValueError, trio.TooSlowError) as error:  # ValueError: what can be no host name
        raise LinkError(f"nothing answers at {url}", cause=str(error) or "it took over 5 s") from None
    tune(stream.socket)
    return stream


async def dial(url: str) -> Connection:
    """Connects."""
    return Connection(await connect(*parse(url), url), kind, url)


async def listen(url: str, ports: Ports) -> Door:
    """Takes links at the port, which also takes WebSocket."""
    host, number = parse(url)
    port, listeners = await ports.open(host, number)
    real = f"tcp://{bracketed(host)}:{port.number}"
    return Door(kind, listeners, port.arrive, Listening(real, real))
