"""Links over TCP: `tcp://HOST:PORT`, IPv6 in brackets; port 0 asks for a free one."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import trio

from node.links import LinkError
from node.links.link import NOT_SENT

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


def _tune(sock: trio.socket.SocketType) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)


async def dial(url: str) -> trio.SocketStream:
    """Connects, over whichever of the host's addresses answers first."""
    host, port = parse(url)
    try:
        with trio.fail_after(DIAL_TIME):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError) as error:
        raise LinkError(f"nothing answers at {url}", cause=str(error) or "it took over 5 s") from None
    _tune(stream.socket)
    return stream


async def listen(url: str) -> tuple[list[trio.SocketListener], str]:
    """Listens on all of the host's addresses, at one port."""
    host, port = parse(url)
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise LinkError(
            f"cannot listen at {url}", cause=str(error), hint="another port: `glow node --listen tcp://HOST:PORT`"
        ) from None
    real = listeners[0].socket.getsockname()[1]
    return listeners[: 1 if port == 0 else None], f"tcp://{_bracketed(host)}:{real}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


accepted = _tune
