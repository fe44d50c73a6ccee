"""kill -9 of relays under load. Whoever is in the middle, the two ends notice a pause and nothing else."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import firefly
from firefly.errors import DeadlineExceeded
from firefly.interfaces.pubsub import Channel
from tests.end_to_end.devices import Device
from tests.end_to_end.diamond import Diamond, NewDevice, made, printed_seed
from tests.end_to_end.workload import Load, copy, load

KILLS = 8
LIMIT = 240.0
"""Seconds after which a run counts as stuck."""
AWAY = 5.0
"""Seconds without any path."""
BIG = 16 * 2**20


@asynccontextmanager
async def loaded(diamond: Diamond) -> AsyncIterator[Load]:
    """The load is on while the block runs; at its end everything must have come out right."""
    async with firefly.connect(diamond.laptop.home) as laptop, firefly.connect(diamond.nas.home) as nas:
        running = await load(laptop, nas)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run)
            yield running
            running.stop()
        running.check()
        print(dict(running.done))


async def kill_in_use(diamond: Diamond, chance: random.Random) -> None:
    """Kills the relay that is used, at a random moment; restarts it, and lets it come back, before the next one."""
    async with firefly.connect(diamond.laptop.home) as laptop:
        for _ in range(KILLS):
            await diamond.until_linked()
            await trio.sleep(chance.uniform(0, 0.5))
            name = await diamond.relay_in_use(laptop)
            await diamond.kill(name)
            await trio.sleep(chance.uniform(0, 1))
            await diamond.restart(name)


async def come_and_go(diamond: Diamond, name: str, chance: random.Random) -> None:
    """Kills one relay again and again, whatever the other does meanwhile."""
    for _ in range(KILLS // 2):
        await trio.sleep(chance.uniform(0, 2))
        await diamond.kill(name)
        await trio.sleep(chance.uniform(0, 2))
        await diamond.restart(name)


class Copies:
    """A file that is copied over and over, and read again each time."""

    def __init__(self, laptop: Device, folder: Path, share: Path, chance: random.Random) -> None:
        self.count = 0
        self.stopped = False
        self._laptop = laptop
        self._source, self._share = folder / "big", share
        self._data = chance.randbytes(BIG)
        self._source.write_bytes(self._data)

    async def run(self) -> None:
        while not self.stopped:
            name = f"copy-{self.count}"
            await copy(self._laptop, self._source, f"nas:{name}")
            digest = hashlib.sha256((self._share / name).read_bytes()).digest()
            assert digest == hashlib.sha256(self._data).digest()
            assert [path.name for path in self._share.iterdir()] == [name]
            (self._share / name).unlink()
            self.count += 1


def prepared(device: NewDevice, tmp_path: Path) -> tuple[Diamond, Path]:
    diamond = made(device)
    share = tmp_path / "share"
    share.mkdir()
    diamond.nas.glow("create", "pubsub", "--label", "news")
    diamond.nas.glow("create", "filesystem", "--label", "files", f"root={share}", "writable=yes")
    return diamond, share


def test_a_relay_that_is_killed_costs_nothing_while_another_path_exists(device: NewDevice, tmp_path: Path) -> None:
    chance = printed_seed()
    diamond, share = prepared(device, tmp_path)
    copies = Copies(diamond.laptop, tmp_path, share, chance)

    async def run() -> None:
        with trio.fail_after(LIMIT):
            await diamond.until_linked()
            async with trio.open_nursery() as nursery, loaded(diamond) as running:
                nursery.start_soon(copies.run)
                await kill_in_use(diamond, chance)
                copies.stopped = True
            assert min(running.done.values()) > KILLS
            assert copies.count

    trio.run(run)
    print("copies", copies.count)


def test_relays_that_come_and_go_as_they_like_cost_only_time(device: NewDevice, tmp_path: Path) -> None:
    chance = printed_seed()
    diamond, share = prepared(device, tmp_path)
    copies = Copies(diamond.laptop, tmp_path, share, chance)

    async def run() -> None:
        with trio.fail_after(LIMIT):
            await diamond.until_linked()
            async with trio.open_nursery() as nursery, loaded(diamond) as running:
                nursery.start_soon(copies.run)
                async with trio.open_nursery() as killing:
                    for name in diamond.relays:
                        killing.start_soon(come_and_go, diamond, name, chance)
                copies.stopped = True
            assert all(running.done.values()), running.done

    trio.run(run)


async def call_out_of_time(diamond: Diamond) -> None:
    """What has a deadline ends at it, also where nobody can answer."""
    async with firefly.connect(diamond.laptop.home) as laptop:
        news = await laptop.open("nas/news", Channel)
        with pytest.raises(DeadlineExceeded), firefly.deadline(1.0):
            await news.publish("other", b"late")


def test_with_all_paths_gone_everything_waits_and_goes_on(device: NewDevice, tmp_path: Path) -> None:
    chance = printed_seed()
    diamond, share = prepared(device, tmp_path)
    copies = Copies(diamond.laptop, tmp_path, share, chance)

    async def run() -> None:
        with trio.fail_after(LIMIT):
            await diamond.until_linked()
            async with trio.open_nursery() as nursery, loaded(diamond) as running:
                nursery.start_soon(copies.run)
                await trio.sleep(chance.uniform(0.5, 1.5))
                for name in diamond.relays:
                    await diamond.kill(name)
                await call_out_of_time(diamond)
                before = Counter(running.done)
                await trio.sleep(AWAY - 1)
                assert running.done["once"] == before["once"]
                assert running.done["pages"] == before["pages"]
                await diamond.restart(chance.choice(list(diamond.relays)))
                while any(running.done[part] == count for part, count in before.items()):  # noqa: ASYNC110
                    await trio.sleep(0.05)
                copies.stopped = True
            assert copies.count

    trio.run(run)
