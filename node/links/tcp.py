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
from node.links.connection import Connection
from node.links.ports import Door, Listening, Ports, bracketed, tune
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


async def connect(host: str, port: int, url: str) -> trio.SocketStream:
    """A connection over whichever of the host's addresses answers first; IPv6 has a head start. Raises LinkError."""
    try:
        with trio.fail_after(DIAL_TIME):
            stream = await _connect(await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError, trio.TooSlowError) as error:  # ValueError: what can be no host name
        raise LinkError(f"nothing answers at {url}", cause=str(error) or "it took over 5 s") from None
    tune(stream.socket)
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


async def dial(url: str) -> Connection:
    """Connects."""
    return Connection(await connect(*parse(url), url), kind, url)


async def listen(url: str, ports: Ports) -> Door:
    """Takes links at the port, which also takes WebSocket."""
    host, number = parse(url)
    port, listeners = await ports.open(host, number)
    real = f"tcp://{bracketed(host)}:{port.number}"
    return Door(kind, listeners, port.arrive, Listening(real, real))
