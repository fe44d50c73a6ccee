"""A udp socket as a Flow."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable

import trio

from firefly.interfaces.streams import Datagram, FlowServer

MAX_DATAGRAM = 65_507


class Datagrams(FlowServer):
    """Owns the connected socket, until nobody holds the flow any more; then `closed` is called.

    What the socket's own buffers have no room for is dropped, in both directions.
    """

    def __init__(self, sock: socket.socket, closed: Callable[[], None]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._closed = closed

    def send(self, datagram: Datagram) -> None:
        for _ in range(2):
            try:
                self._socket.send(datagram.data)
            except ConnectionRefusedError:
                continue  # it is an earlier datagram that nobody took; this one was not sent yet
            except OSError:
                return  # no room: lost, like any datagram may be
            else:
                return

    async def receive(self) -> AsyncIterator[Datagram]:
        while self._socket.fileno() >= 0:
            try:
                data = self._socket.recv(MAX_DATAGRAM)
            except BlockingIOError:
                try:
                    await trio.lowlevel.wait_readable(self._socket)
                except trio.ClosedResourceError:
                    return
            except OSError:
                await trio.lowlevel.checkpoint()  # an earlier datagram was refused; the socket goes on
            else:
                yield Datagram(data)

    def released(self) -> None:
        """Called by the runtime."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            self._closed()
