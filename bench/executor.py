"""Glow's executor with two workers on one node, called through its stub from another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from bench.client import Place
from bench.glow import NODE_TIME, end, invite
from bench.wasm import MODULES, Runner, module
from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import ProcessKind, Specification
from firefly.interfaces.executor import Executor, Job, OutputExit

LIBRARY = "trio"
LABEL = "executor"


class GlowRunner(Runner):
    def __init__(self, stub: Executor, digests: list[bytes]) -> None:
        self._stub = stub
        self._jobs = [Job(digest) for digest in digests]

    async def run(self, number: int) -> None:
        async with self._stub.run(self._jobs[number], ()) as outputs:
            (last,) = [item async for item in outputs]
        if not isinstance(last, OutputExit) or last.code:
            raise RuntimeError(f"a run ended with {last}")


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    async with end(place, "server", attached=False) as glow:
        await glow.node.create(Specification(LABEL, ProcessKind.BUILTIN, "executor", configuration={"workers": "2"}))
        await invite(glow, place.folder / "client.link")
        yield


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[GlowRunner]:
    async with end(place, "client", attached=False) as glow:
        with trio.fail_after(NODE_TIME):
            stub = await found(glow)
        yield GlowRunner(stub, [await stub.upload([module(number)]) for number in range(MODULES)])


async def found(glow: Glow) -> Executor:
    """The server's executor, as soon as the directory knows it."""
    while True:
        try:
            stub = await glow.open(f"server/{LABEL}", Executor)
            await stub.has(bytes(32))
        except GlowError:
            await trio.sleep(0.02)
        else:
            return stub
