"""Links between the nodes of one OS process: `memory:NAME`, where one of them listens and another dials.

The link is a pair of connected sockets of this OS process, so everything above the transport is as over any other.
"""

from __future__ import annotations

import socket

import trio

from node.links import LinkError
from node.links.connection import Connection
from node.links.ports import Door, Listening, Ports, only_links

kind = "memory"
BACKLOG = 128
"""Dialled and not yet accepted; beyond, a dial is refused."""

_listeners: dict[str, MemoryListener] = {}


class MemoryListener(trio.abc.Listener[trio.SocketStream]):
    """Takes what is dialled at its name; the name is free again when it is closed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._send, self._receive = trio.open_memory_channel[trio.SocketStream](BACKLOG)
        _listeners[name] = self

    def offer(self, stream: trio.SocketStream) -> None:
        """The other end of a dial. Raises trio.WouldBlock if nobody accepts."""
        self._send.send_nowait(stream)

    async def accept(self) -> trio.SocketStream:
        return await self._receive.receive()

    async def aclose(self) -> None:
        _listeners.pop(self._name, None)
        while self._receive.statistics().current_buffer_used:
            self._receive.receive_nowait().socket.close()
        await trio.lowlevel.checkpoint()


def parse(url: str) -> str:
    """The name in a URL. Raises LinkError."""
    scheme, _, name = url.partition(":")
    if scheme != kind or not name:
        raise LinkError(f"{url!r} is no memory address", hint="write memory:NAME")
    return name


async def dial(url: str) -> Connection:
    """A connection to whoever listens at the name in this OS process."""
    listener = _listeners.get(parse(url))
    await trio.lowlevel.checkpoint()
    if listener is None:
        raise LinkError(f"nothing answers at {url}", cause="no node of this OS process listens there")
    ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in socket.socketpair())
    try:
        listener.offer(theirs)
    except trio.WouldBlock:
        ours.socket.close()
        theirs.socket.close()
        raise LinkError(f"{url} accepts nothing", cause=f"{BACKLOG} dials wait there") from None
    return Connection(ours, kind, url)


async def listen(url: str, ports: Ports) -> Door:
    """Listens at a name that no other node of this OS process has."""
    name = parse(url)
    await trio.lowlevel.checkpoint()
    if name in _listeners:
        raise LinkError(f"cannot listen at {url}", cause="another node of this OS process does", hint="another name")
    return Door(kind, [MemoryListener(name)], only_links, Listening(url, url))
