"""Who stops reading for good holds up nobody else between the same two nodes, and fills no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

import firefly
from firefly.client import Glow
from firefly.credit import START
from firefly.outbox import MAX_BYTES, RUN_LIMIT
from firefly.runtime import ArgumentStream
from tests.firefly.runtime.probe import Probe, ProbeServer
from tests.node.family import LIMIT, Family, family

PIECE = 50_000
PIECES = 200
MANY = 20_000
SPARE = START + RUN_LIMIT + 2 * PIECE
"""Bytes of a stream that nobody reads, at most: its credit, and what one message may be over it."""


class Stalled(ProbeServer):
    """Streams without end, and handlers that never come back; `sent` counts bytes that were made."""

    def __init__(self) -> None:
        self.sent = 0
        self.stuck = trio.Event()

    async def read(self, number: int) -> AsyncIterator[bytes]:
        while True:
            self.sent += PIECE
            yield bytes(PIECE)

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        await anext(aiter(items))
        self.stuck.set()
        await trio.sleep_forever()
        return 0

    async def fill(self, data: bytes) -> None:
        await trio.sleep_forever()


class Quick(ProbeServer):
    def __init__(self) -> None:
        self.noted: list[int] = []

    def echo(self, data: bytes) -> bytes:
        return data

    def note(self, number: int) -> None:
        self.noted.append(number)

    async def read(self, number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield bytes(PIECE)

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        return sum([item async for item in items])


class Endless:
    """Arguments of streams and notifications that go on until there is no room for them."""

    def __init__(self, probe: Probe) -> None:
        self.sent = self.filled = 0
        self._probe = probe

    async def items(self) -> AsyncIterator[int]:
        while True:
            yield 2**32  # 9 bytes
            self.sent += 9

    async def total(self) -> None:
        await self._probe.total(0, self.items())

    async def fill(self) -> None:
        while True:
            await self._probe.fill(bytes(PIECE))
            self.filled += PIECE
            await trio.lowlevel.checkpoint()


async def all_goes_on(probe: Probe, quick: Quick) -> None:
    """Calls, streams either way and notifications, each more than the room that a stream has."""
    for number in range(200):
        assert await probe.echo(b"%d" % number) == b"%d" % number
    assert sum([len(piece) async for piece in probe.read(PIECES)]) == PIECE * PIECES
    assert await probe.total(0, range(MANY)) == sum(range(MANY))
    for number in range(MANY):
        await probe.note(number)
    assert await probe.echo(b"after") == b"after"
    assert quick.noted == list(range(MANY))


def check_memory(nodes: Family) -> None:
    for one in (nodes.laptop, nodes.nas):
        for conversation in one._node.peers._conversations.values():
            assert conversation.outbox.size <= MAX_BYTES
    assert not any(link.queue.transit.charged for link in nodes.relay._node.router.links)


@pytest.mark.parametrize("where", ["in the node", "attached"])
async def test_a_reader_that_stopped_slows_nobody(tmp_path: Path, where: str) -> None:
    async with family(tmp_path) as nodes, firefly.connect(tmp_path / "laptop") as program:
        stalled, quick = Stalled(), Quick()
        user: Glow = nodes.laptop if where == "in the node" else program
        slow = user.at(nodes.nas.address, await nodes.nas.serve("slow", stalled), Probe)
        fast = user.at(nodes.nas.address, await nodes.nas.serve("fast", quick), Probe)
        endless = Endless(slow)
        with trio.fail_after(LIMIT):
            async with slow.read(0) as unread, trio.open_nursery() as nursery:
                assert await anext(aiter(unread))
                nursery.start_soon(endless.total)
                nursery.start_soon(endless.fill)
                await stalled.stuck.wait()
                await all_goes_on(fast, quick)
                check_memory(nodes)
                nursery.cancel_scope.cancel()
        assert stalled.sent <= 2 * SPARE
        assert endless.sent <= 2 * SPARE
        assert endless.filled <= 2 * SPARE
