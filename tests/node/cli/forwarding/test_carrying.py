"""What `glow forward` carries, from a port of this device to a real service through the forward process."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from firefly.interfaces.forward import Forward
from firefly.testing import serving
from node.cli.failures import UsageError
from node.cli.forwarding import datagrams, streams
from processes.forward.process import ForwardProcess
from tests.processes.running import started

HOST = "127.0.0.1"


class Ready:
    """Where the service is to be found, and what went wrong."""

    def __init__(self) -> None:
        self.address: tuple[str, int] = ("", 0)
        self.notes: list[str] = []
        self.known = trio.Event()

    def __call__(self, host: str, port: int) -> None:
        self.address = host, port
        self.known.set()


@asynccontextmanager
async def carried(carry: Any, target: str, folder: Path) -> AsyncIterator[Ready]:
    async with (
        started(ForwardProcess(), folder, target=target) as process,
        serving(process, Forward) as forward,
        trio.open_nursery() as nursery,
    ):
        ready = Ready()
        nursery.start_soon(carry, forward, HOST, 0, ready, ready.notes.append)
        with trio.fail_after(5):
            await ready.known.wait()
            yield ready
        nursery.cancel_scope.cancel()


async def echo(stream: trio.SocketStream) -> None:
    async with stream:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)


async def test_connections_are_carried_side_by_side(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        (service,) = await trio.open_tcp_listeners(0, host=HOST)
        nursery.start_soon(trio.serve_listeners, echo, [service])
        target = f"tcp://{HOST}:{service.socket.getsockname()[1]}"
        async with carried(streams.carry, target, tmp_path) as ready:
            answers: dict[int, bytes] = {}

            async def ask(number: int) -> None:
                async with await trio.open_tcp_stream(*ready.address) as stream:
                    data = bytes([number]) * 200_000
                    async with trio.open_nursery() as both:
                        both.start_soon(_send, stream, data)
                        answers[number] = b"".join([bytes(part) async for part in stream])

            async with trio.open_nursery() as asking:
                for number in range(5):
                    asking.start_soon(ask, number)
            assert answers == {number: bytes([number]) * 200_000 for number in range(5)}
            assert ready.notes == []
        nursery.cancel_scope.cancel()


async def _send(stream: trio.SocketStream, data: bytes) -> None:
    await stream.send_all(data)
    await stream.send_eof()


async def test_a_service_that_is_off_closes_the_connection_and_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        async with carried(streams.carry, f"tcp://{HOST}:{taken.getsockname()[1]}", tmp_path) as ready:
            for _ in range(2):
                async with await trio.open_tcp_stream(*ready.address) as stream:
                    assert await stream.receive_some(10) == b""
            assert len(ready.notes) == 2
            assert "Refused" in ready.notes[0]


async def test_datagrams_find_their_way_back(tmp_path: Path) -> None:
    with trio.socket.socket(type=socket.SOCK_DGRAM) as service:
        await service.bind((HOST, 0))
        target = f"udp://{HOST}:{service.getsockname()[1]}"
        async with carried(datagrams.carry, target, tmp_path) as ready:
            clients = [trio.socket.socket(type=socket.SOCK_DGRAM) for _ in range(3)]
            for number, client in enumerate(clients):
                await client.sendto(b"from %d" % number, ready.address)
            for _ in clients:
                data, source = await service.recvfrom(100)
                await service.sendto(b"to you, " + data, source)
            for number, client in enumerate(clients):
                assert await client.recv(100) == b"to you, from %d" % number
                client.close()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot listen"):
            await streams.carry(None, HOST, taken.getsockname()[1], Ready(), print)  # type: ignore[arg-type]
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        with pytest.raises(UsageError, match="cannot listen"):
            await datagrams.carry(None, HOST, taken.getsockname()[1], Ready(), print)  # type: ignore[arg-type]
