"""No path leads to the peer any more: real nodes in a line, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import firefly
import node
from firefly.errors import DeadlineExceeded, GlowError, Interrupted, Unreachable
from firefly.interfaces.core import PairingEventCreated, Role
from firefly.runtime import ResultStream
from node.links.standing import EAGER
from tests.firefly.runtime.probe import Probe, ProbeServer
from tests.node.family import LISTEN, until

AWAY = 55.0
"""Seconds without a path, after which the session is still there."""


class Counting(ProbeServer):
    """Calls wait at the owner until `go`; `run` is what was called."""

    def __init__(self) -> None:
        self.run: list[int] = []
        self.cancelled: list[int] = []
        self.began = trio.Event()
        self.go = trio.Event()

    async def once(self, number: int) -> int:
        self.run.append(number)
        self.began.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled.append(number)
            raise
        return number

    def echo(self, data: bytes) -> bytes:
        return data

    async def count(self, number: int) -> AsyncIterator[int]:
        for value in range(number):
            yield value


class Line:
    """laptop - relay - nas; the relay may be stopped, and started again. `nursery` runs all three."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.server = Counting()
        self.gone: trio.Event
        self.stop: trio.Event
        self.laptop: node.RunningNode
        self.nas: node.RunningNode
        self.probe: Probe

    async def start(self) -> None:
        relay = await self.start_relay()
        for name in ("laptop", "nas"):
            async with relay.node.invite(name, Role.MEMBER, 60.0, True) as events:
                event = await anext(aiter(events))
            assert isinstance(event, PairingEventCreated)
            setattr(self, name, await self.nursery.start(self.run_outer, name, event.value.link))
        self.probe = self.laptop.at(self.nas.address, await self.nas.serve("probe", self.server), Probe)
        await until(lambda: self.laptop._node.mesh.path(self.nas.address))
        assert await self.probe.echo(b"before") == b"before"

    async def run_outer(self, name: str, link: str, *, task_status: trio.TaskStatus[node.RunningNode]) -> None:
        async with node.start(self.folder / name, listen=[], found=False) as running:
            await running.join(link, name)
            task_status.started(running)
            await trio.sleep_forever()

    async def run_relay(self, *, task_status: trio.TaskStatus[node.RunningNode]) -> None:
        self.stop, self.gone = trio.Event(), trio.Event()
        first = not (self.folder / "relay").exists()  # later it listens where it did before
        async with node.start(self.folder / "relay", name="relay", listen=LISTEN if first else None) as running:
            task_status.started(running)
            await self.stop.wait()
        self.gone.set()

    async def start_relay(self) -> node.RunningNode:
        relay: node.RunningNode = await self.nursery.start(self.run_relay)
        return relay

    async def cut(self) -> float:
        """Takes the relay away; returns when that was."""
        self.stop.set()
        await self.gone.wait()
        return trio.current_time()


@asynccontextmanager
async def line(folder: Path, clock: MockClock) -> AsyncIterator[Line]:
    clock.autojump_threshold = 0.005
    async with trio.open_nursery() as nursery:
        made = Line(folder, nursery)
        await made.start()
        yield made
        nursery.cancel_scope.cancel()


async def test_what_waits_goes_on_when_a_path_returns(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with line(tmp_path, autojump_clock) as nodes, trio.open_nursery() as nursery:
        probe, server, answers = nodes.probe, nodes.server, []

        async def call(number: int) -> None:
            answers.append(await probe.once(number))

        async with probe.count(100_000) as items:
            assert await anext(aiter(items)) == 0
            nursery.start_soon(call, 1)
            await server.began.wait()
            cut = await nodes.cut()
            nursery.start_soon(call, 2)
            server.go.set()
            await trio.sleep(cut + AWAY - trio.current_time())
            assert server.run == [1]
            assert not answers
            await nodes.start_relay()
            assert [item async for item in items] == list(range(1, 100_000))
        await until(lambda: len(answers) == 2)
        assert server.run == [1, 2]
        assert trio.current_time() < cut + AWAY + EAGER + 1


class Ends:
    """How calls ended: by name the error, and the seconds since `cut`."""

    def __init__(self, cut: float) -> None:
        self.cut = cut
        self.of: dict[str, tuple[GlowError, float]] = {}

    async def keep(self, name: str, work: Awaitable[Any]) -> None:
        with pytest.raises(GlowError) as caught:
            await work
        self.of[name] = caught.value, trio.current_time() - self.cut


async def last(items: ResultStream[int]) -> int:
    return [item async for item in items][-1]


async def in_time(seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
    with firefly.deadline(seconds):
        await work()


async def test_after_60_s_everything_ends_with_the_reason(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with line(tmp_path, autojump_clock) as nodes:
        probe, server = nodes.probe, nodes.server
        items = probe.count(200_000)
        assert await anext(aiter(items)) == 0
        async with trio.open_nursery() as nursery:
            ends = Ends(0)
            nursery.start_soon(ends.keep, "began before", probe.once(0))
            await server.began.wait()
            ends.cut = await nodes.cut()
            nursery.start_soon(ends.keep, "made later", probe.once(1))
            nursery.start_soon(ends.keep, "idempotent", probe.echo(b""))
            nursery.start_soon(ends.keep, "stream", last(items))
            nursery.start_soon(ends.keep, "deadline", in_time(10, partial(probe.once, 2)))
        for name in ("began before", "made later", "stream"):
            error, seconds = ends.of[name]
            assert isinstance(error, Interrupted)
            assert error.message == "the other node was not heard for 60 s"
            assert error.hint
            assert seconds == pytest.approx(60, abs=1)
        assert isinstance(ends.of["idempotent"][0], Unreachable)
        assert ends.of["idempotent"][1] == pytest.approx(61, abs=1)
        assert isinstance(ends.of["deadline"][0], DeadlineExceeded)
        assert ends.of["deadline"][1] == pytest.approx(10, abs=0.1)
        await until(lambda: server.cancelled == [0])
        assert server.run == [0]
        await nodes.start_relay()
        await until(lambda: nodes.laptop._node.mesh.path(nodes.nas.address), 400)
        assert await probe.echo(b"again") == b"again"
