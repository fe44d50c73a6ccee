"""Links over TCP: `tcp://HOST:PORT`, IPv6 in brackets; port 0 asks for a free one."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, zip_longest
from typing import Any
from urllib.parse import urlsplit

import trio

from node.links import LinkError
from node.links.link import NOT_SENT
from node.links.race import Attempt, Won, race

kind = "tcp"
DIAL_TIME = 5.0
MAX_ADDRESSES = 16
"""Addresses of one host that are tried."""


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
    """Connects, over whichever of the host's addresses answers first; IPv6 has a head start."""
    host, port = parse(url)
    try:
        with trio.fail_after(DIAL_TIME):
            stream = await _connect(await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError, trio.TooSlowError) as error:
        raise LinkError(f"nothing answers at {url}", cause=str(error) or "it took over 5 s") from None
    _tune(stream.socket)
    return stream


async def _connect(found: Sequence[Any]) -> trio.SocketStream:
    """Raises OSError with the reason of every address."""
    connected: list[trio.SocketStream] = []
    errors: list[str] = []

    def attempt(family: int, address: Any) -> Attempt:
        async def connect(won: Won) -> None:
            try:
                with ExitStack() as unless_won:
                    sock = trio.socket.socket(family, socket.SOCK_STREAM)
                    unless_won.callback(sock.close)
                    await sock.connect(address)
                    if won():
                        unless_won.pop_all()
                        connected.append(trio.SocketStream(sock))
            except OSError as error:
                errors.append(f"{address[0]}: {os.strerror(error.errno) if error.errno else error}")

        return connect

    try:
        if not await race([attempt(family, address) for family, *_, address in ipv6_first(found)]):
            raise OSError("; ".join(errors))
    except trio.Cancelled:
        for stream in connected:
            stream.socket.close()
        raise
    return connected[0]


def ipv6_first(found: Sequence[Any]) -> list[Any]:
    """Addresses as getaddrinfo gives them, in the order in which they are tried: the families take turns, beginning
    with IPv6 whatever the system prefers (RFC 8305, section 4), each in the system's order.
    """
    sixes = [entry for entry in found if entry[0] == socket.AF_INET6]
    fours = [entry for entry in found if entry[0] == socket.AF_INET]
    return [entry for entry in chain.from_iterable(zip_longest(sixes, fours)) if entry][:MAX_ADDRESSES]


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
