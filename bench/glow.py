"""Glow itself, through its public stubs, encrypted end to end and on each link.

`place.mode` is a list of words: "async" (asynchronous handlers), "relay" (a node between), "attached client",
"attached both" (programs beside their nodes instead of embedding them), "websocket" (the link is one, not tcp).
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

import firefly
import node
from bench.client import HOST, Client, Place
from bench.generated.bench import Bench, BenchServer
from firefly.errors import GlowError
from firefly.interfaces.core import PairingEventCreated, Role

LIBRARY = "trio"
LABEL = "bench"
NODE_TIME = 20.0


class Plain(BenchServer):
    """Handlers that run inline."""

    def __init__(self) -> None:
        self._count = 0

    def echo(self, data: bytes) -> bytes:
        return data

    def push(self, data: bytes) -> None:
        self._count += 1

    def received(self) -> int:
        return self._count

    def reset(self) -> None:
        self._count = 0


class Asynchronous(Plain):
    """The same as tasks."""

    async def echo(self, data: bytes) -> bytes:  # type: ignore[override]
        return data


class GlowClient(Client):
    def __init__(self, stub: Bench) -> None:
        self._stub = stub

    async def call(self, data: bytes) -> bytes:
        return await self._stub.echo(data)

    async def push(self, data: bytes, count: int) -> None:
        push = self._stub.push
        for _ in range(count):
            await push(data)

    async def received(self) -> int:
        return await self._stub.received()

    async def reset(self) -> None:
        await self._stub.reset()


async def invite(glow: Any, file: Path) -> None:
    """Writes an invite that anyone with its link may use."""
    async with glow.node.invite(file.stem, Role.MEMBER, 600.0, True) as events:
        async for event in events:
            assert isinstance(event, PairingEventCreated)
            temporary = file.with_suffix(".new")
            temporary.write_text(event.value.link)
            temporary.replace(file)
            return


@asynccontextmanager
async def broker(place: Place) -> AsyncIterator[None]:
    """The relay: the first device, which invites both ends."""
    async with node.start(place.folder / "relay", name="relay", listen=[f"tcp://{HOST}:{place.broker_port}"]) as glow:
        for name in ("server", "client"):
            await invite(glow, place.folder / f"{name}.link")
        yield


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    server = Asynchronous() if "async" in place.mode else Plain()
    async with end(place, "server", attached="attached both" in place.mode) as glow:
        await glow.serve(LABEL, server)
        if not (place.folder / "client.link").exists():
            await invite(glow, place.folder / "client.link")
        yield


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[GlowClient]:
    async with end(place, "client", attached="attached" in place.mode) as glow:
        with trio.fail_after(NODE_TIME):
            stub = await found(glow)
        yield GlowClient(stub)


async def found(glow: Any) -> Bench:
    """The server's resource, as soon as the directory knows it."""
    while True:
        try:
            stub: Bench = await glow.open(f"server/{LABEL}", Bench)
            await stub.received()
        except GlowError:
            await trio.sleep(0.02)
        else:
            return stub


@asynccontextmanager
async def end(place: Place, name: str, attached: bool) -> AsyncIterator[Any]:
    """A node of this OS process, or one beside it to which this process attaches."""
    home, link = place.folder / name, place.folder / f"{name}.link"
    scheme = "ws" if "websocket" in place.mode else "tcp"
    listen = f"{scheme}://{HOST}:{place.port if name == 'server' else 0}"
    if attached:
        with beside(home, name, link, listen):
            async with firefly.connect(home) as glow:
                yield glow
        return
    async with node.start(home, name=name, listen=[listen], found=not link.exists()) as running:
        if link.exists():
            await running.join(link.read_text(), name)
        yield running


@contextmanager
def beside(home: Path, name: str, link: Path, listen: str) -> Iterator[None]:
    """A node as an OS process of its own."""
    glow = [sys.executable, "-m", "node.cli.main", "--json", "--home", str(home)]
    what = ["join", link.read_text(), "--name", name] if link.exists() else ["node", "--name", name, "--listen", listen]
    with subprocess.Popen([*glow, *what], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            json.loads(process.stdout.readline())
            yield
        finally:
            process.terminate()
            process.wait()
