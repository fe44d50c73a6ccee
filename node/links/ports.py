"""One port for everything: raw frames, HTTP, HTTP over TLS. The first byte tells (docs/concepts/wire.md, 1 Link)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import trio

from firefly.errors import BadHandshake
from node.http import Http
from node.links import LinkError
from node.links.connection import Connection

TLS_HANDSHAKE = b"\x16"
"""The first byte that a TLS client sends. A raw frame begins with 0, a request with a capital letter."""
NOT_SENT = 8 * 2**10
"""Bytes that the operating system may hold unsent, so that priorities mean something."""
OWN_CERTIFICATE = "tls.pem"


class Listening(NamedTuple):
    """A URL to listen at again after a restart, and the one to tell to others."""

    kept: str
    announced: str


class Door(NamedTuple):
    """Where links come in, of this `kind` unless `arrive` finds another.

    `arrive` makes of a connection what the peer asks for; False if that is no link. `listeners` are those to accept
    from, none if the port was open already.
    """

    kind: str
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]]
    arrive: Callable[[Connection], Awaitable[bool]]
    listening: Listening


async def only_links(connection: Connection) -> bool:
    """Arrives where nothing but links comes in."""
    return True


class Port:
    """A port that is open. `number` is the real one."""

    def __init__(self, number: int, http: Http) -> None:
        self.number = number
        self.tls: ssl.SSLContext | None = None
        self._http = http

    async def arrive(self, connection: Connection) -> bool:
        """Raises BadHandshake, OSError."""
        tune(connection.sock)
        first, scheme = await connection.peek(), "ws"
        if first == TLS_HANDSHAKE:
            if self.tls is None:
                raise BadHandshake("the peer speaks TLS; this port has no certificate")
            from node.links import tls

            connection.sock, scheme = await tls.accepted(connection.sock, self.tls), "wss"
        elif not first.isupper():
            return True
        connection.url = f"{scheme}:{connection.url.partition(':')[2]}"
        return await self._http.answer(connection)


class Ports:
    """The ports of a node, by host and number as they were asked for. `folder` keeps its own certificate."""

    def __init__(self, folder: Path, http: Http) -> None:
        self._folder = folder
        self._http = http
        self._ports: dict[tuple[str, int], Port] = {}

    async def open(self, host: str, number: int, tls: ssl.SSLContext | None = None) -> tuple[Port, list[Any]]:
        """Listens on all of the host's addresses, at one port, unless it does already.

        Returns the port and what is new to accept from. Raises LinkError.
        """
        port, listeners = self._ports.get((host, number)), []
        if port is None:
            listeners = await _listen(host, number)
            port = Port(listeners[0].socket.getsockname()[1], self._http)
            self._ports[host, number] = self._ports[host, port.number] = port
        port.tls = tls or port.tls
        return port, listeners

    def own_certificate(self) -> Path:
        """The certificate of this node, which is made when it is first asked for, and its key."""
        from node.links import tls

        return tls.own_certificate(self._folder / OWN_CERTIFICATE)


async def _listen(host: str, number: int) -> list[Any]:
    try:
        listeners = await trio.open_tcp_listeners(number, host=host)
    except (OSError, ValueError) as error:  # ValueError: what can be no host name
        raise LinkError(
            f"cannot listen at {bracketed(host)}:{number}",
            cause=str(error),
            hint="another port: `glow node --listen tcp://HOST:PORT`",
        ) from None
    return listeners[: 1 if number == 0 else None]


def tune(sock: Any) -> None:
    """Has the operating system send at once, keep little unsent, and not pause.

    BBR sends next to nothing for 200 ms every 10 s, to see how short a round trip can be: calls beside a copy would
    wait for that. Sessions keep the queues short themselves (docs/decisions/0011-congestion.md).
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_CONGESTION"):
        with suppress(OSError):  # a system that has none but BBR
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
