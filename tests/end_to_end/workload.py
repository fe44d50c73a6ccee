"""Everything that two devices can have going on at once, each part of which knows what it must see."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random

import trio

from firefly.client import Glow
from firefly.interfaces.pubsub import Channel
from firefly.runtime import ArgumentStream
from tests.end_to_end.devices import Device
from tests.firefly.runtime.probe import Probe, ProbeServer

PIECE = 50_000
PAGE = 4 * 2**20
CALLERS = 4


class Counting(ProbeServer):
    """Knows how often each call was run. What it streams goes on until `stopped`."""

    def __init__(self) -> None:
        self.run: Counter[int] = Counter()
        self.stopped = False
        self.taken = 0

    async def once(self, number: int) -> int:
        self.run[number] += 1
        await trio.sleep(0.002)  # under way for long enough to be caught by what is to come
        return number

    def echo(self, data: bytes) -> bytes:
        return data

    async def count(self, number: int) -> AsyncIterator[int]:
        while not self.stopped:
            yield number
            number += 1

    async def read(self, number: int) -> AsyncIterator[bytes]:
        chance = Random(number)
        for _ in range(PAGE // PIECE):
            yield chance.randbytes(PIECE)

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        async for item in items:
            assert item == self.taken
            self.taken += 1
        return self.taken


def page(number: int) -> bytes:
    """What `read(number)` streams."""
    chance = Random(number)
    return b"".join(chance.randbytes(PIECE) for _ in range(PAGE // PIECE))


class Load:
    """The laptop's side of it. `done` counts what was seen to be right, by part; a part that fails raises."""

    def __init__(self, probe: Probe, server: Counting, subscriber: Channel, publisher: Channel) -> None:
        self.done: Counter[str] = Counter()
        self._probe = probe
        self._server = server
        self._subscriber = subscriber
        self._publisher = publisher
        self._stopping = False
        self._number = 0

    async def run(self) -> None:
        """Goes on until `stop`; then everything that is under way comes to its right end."""
        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(self._call_once)
                nursery.start_soon(self._call_idempotent)
            for part in (self._read_items, self._send_items, self._read_bytes, self._subscribe):
                nursery.start_soon(part)

    def stop(self) -> None:
        self._stopping = self._server.stopped = True

    def check(self) -> None:
        """Every call of a method that must not run twice was answered, and ran once."""
        assert self._server.run == Counter(range(self._number))
        assert self.done["once"] == self._number
        assert self._server.taken == self.done["sent"]

    async def _call_once(self) -> None:
        while not self._stopping:
            number, self._number = self._number, self._number + 1
            assert await self._probe.once(number) == number
            self.done["once"] += 1

    async def _call_idempotent(self) -> None:
        while not self._stopping:
            data = b"%d" % self.done["echo"]
            assert await self._probe.echo(data) == data
            self.done["echo"] += 1
            await trio.sleep(0.001)

    async def _read_items(self) -> None:
        async for item in self._probe.count(0):
            assert item == self.done["items"]
            self.done["items"] += 1
            if not item % 64:
                await trio.sleep(0.001)

    async def _send_items(self) -> None:
        async def items() -> AsyncIterator[int]:
            while not self._stopping:
                yield self.done["sent"]
                self.done["sent"] += 1
                if not self.done["sent"] % 64:
                    await trio.sleep(0.001)

        assert await self._probe.total(0, items()) == self.done["sent"]

    async def _read_bytes(self) -> None:
        while not self._stopping:
            number = self.done["pages"] % 4
            found = b"".join([piece async for piece in self._probe.read(number)])
            assert hashlib.sha256(found).digest() == hashlib.sha256(page(number)).digest()
            self.done["pages"] += 1

    async def _subscribe(self) -> None:
        async with trio.open_nursery() as nursery, self._subscriber.subscribe("news") as news:
            nursery.start_soon(self._publish)
            async for message in news:
                if not message.data:
                    return nursery.cancel_scope.cancel()
                assert int(message.data) == self.done["published"]
                assert not message.lost
                self.done["published"] += 1

    async def _publish(self) -> None:
        """On the nas, where no path is needed. What comes before the subscription begins is nobody's."""
        while not (await self._publisher.topics()).topics:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.01)
        number = 0
        while not self._stopping:
            await self._publisher.publish("news", b"%d" % number)
            number += 1
            await trio.sleep(0.001)
        await self._publisher.publish("news", b"")


async def load(laptop: Glow, nas: Glow) -> Load:
    """The nas has a process `news` of the kind pubsub; its counting resource is made here."""
    server = Counting()
    probe = laptop.at(nas.address, await nas.serve("counting", server), Probe)
    return Load(probe, server, await laptop.open("nas/news", Channel), await nas.open("self/news", Channel))


async def copy(laptop: Device, source: Path, target: str) -> None:
    """`glow cp`, which must succeed."""
    await trio.to_thread.run_sync(partial(laptop.glow, "cp", str(source), target))
