"""udp datagrams of this device: a Flow for each address that sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from firefly.errors import GlowError
from firefly.interfaces.forward import Forward
from firefly.interfaces.streams import Datagram, Flow
from node.cli.failures import UsageError

MAX_FLOWS = 256
"""At a time; datagrams of further addresses are dropped."""
IDLE = 60.0
"""Seconds without a datagram after which a flow is let go."""
MAX_DATAGRAM = 65_507
WAITING = 64
"""Datagrams of an address that wait until its flow is there; further ones are dropped."""


async def carry(
    forward: Forward, host: str, port: int, ready: Callable[[str, int], None], note: Callable[[str], None]
) -> None:
    """Takes datagrams until it is cancelled. `ready` hears the host and port at which it does, `note` what failed."""
    sock = await _bound(host, port)
    flows: dict[Any, _Flow] = {}

    async def serve(flow: _Flow) -> None:
        try:
            await flow.run(forward)
        except GlowError as error:
            note(f"a flow failed: {error.message}" + (f": {error.cause}" if error.cause else ""))
        finally:
            del flows[flow.source]

    with sock:
        ready(host, sock.getsockname()[1])
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    data, source = await sock.recvfrom(MAX_DATAGRAM)
                except OSError:
                    continue  # what was sent to an address where nobody is any more came back
                if source not in flows:
                    if len(flows) >= MAX_FLOWS:
                        continue
                    flows[source] = _Flow(sock, source)
                    nursery.start_soon(serve, flows[source])
                flows[source].offer(data)


async def _bound(host: str, port: int) -> trio.socket.SocketType:
    """Raises UsageError."""
    try:
        family, kind, protocol, _, address = (
            await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_DGRAM, flags=trio.socket.AI_PASSIVE)
        )[0]
        sock = trio.socket.socket(family, kind, protocol)
        try:
            await sock.bind(address)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}",
            cause=error.strerror or str(error),
            hint="another port, or none for any that is free",
        ) from None
    return sock


class _Flow:
    """The datagrams of one address."""

    def __init__(self, sock: trio.socket.SocketType, source: Any) -> None:
        self.source = source
        self._socket = sock
        self._sender, self._waiting = trio.open_memory_channel[bytes](WAITING)
        self._idle = trio.CancelScope()

    def offer(self, data: bytes) -> None:
        """Sends a datagram, or drops it if there is no room."""
        self._idle.deadline = trio.current_time() + IDLE
        try:
            self._sender.send_nowait(data)
        except trio.WouldBlock:
            return

    async def run(self, forward: Forward) -> None:
        """Until there was nothing for IDLE seconds. Raises GlowError."""
        with self._idle:
            flow = await forward.flow()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._receive, flow)
                    async for data in self._waiting:
                        with trio.move_on_after(0):  # no room towards the node: dropped
                            await flow.send(Datagram(data))
            finally:
                flow.release()

    async def _receive(self, flow: Flow) -> None:
        async with flow.receive() as datagrams:
            async for datagram in datagrams:
                self._idle.deadline = trio.current_time() + IDLE
                await self._socket.sendto(datagram.data, self.source)
