"""A slow link that copies fill: what else goes over it is not held up, and nobody gets more of it than others."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

import firefly
from firefly.interfaces.core import Node
from tests.end_to_end.devices import Device
from tests.end_to_end.load import Calls, jain, percentile
from tests.end_to_end.network import Network

NEAR, FAR, RELAY, OWNER = "ann", "ben", "hub", "nas"
DELAY, RATE = 0.02, "20mbit"
EVERY = 0.02
SETTLED = 5.0
"""Seconds after which a copy has found its pace."""
MEASURED = 10.0
SIZE = 80 * 10**6
"""Bytes of a file that takes longer than all this."""
JAIN = 0.9


def make_star(network: Network, folder: Path) -> Path:
    """Two devices reach a third over one relay, whose link to it is slow. Returns a file to copy."""
    network.family(RELAY, NEAR, FAR, OWNER)
    for name in (NEAR, FAR):
        network.wire(name, RELAY, delay=0.001)
        (folder / f"of-{name}").mkdir()
        words = ("create", "filesystem", "--label", f"of-{name}", f"root={folder / f'of-{name}'}", "writable=yes")
        network.devices[OWNER].glow(*words)
    network.wire(RELAY, OWNER, delay=DELAY, rate=RATE)
    big = folder / "big"
    big.write_bytes(os.urandom(SIZE))
    return big


@asynccontextmanager
async def copying(device: Device, name: str, big: Path) -> AsyncIterator[None]:
    """A copy to the owner that goes on for the time of the block."""
    copy = device.popen("cp", str(big), f"{OWNER}/of-{name}:big")
    try:
        yield
        assert copy.poll() is None, copy.communicate()
    finally:
        copy.kill()
        copy.communicate()


async def round_trips(device: Device) -> list[float]:
    """Of calls with 64 bytes to the owner."""
    async with firefly.connect(device.home) as glow:
        owner = (await glow.resolve(OWNER)).node
        node = glow.at(owner, owner, Node)
        calls = Calls(lambda number: node.echo(bytes(64)), EVERY)
        await node.echo(bytes(64))  # the session is there
        async with trio.open_nursery() as nursery:
            nursery.start_soon(calls.run)
            await trio.sleep(MEASURED)
            calls.stop()
    return calls.round_trips


async def of_both(network: Network) -> dict[str, list[float]]:
    """The round trips of both callers, measured at once."""
    found: dict[str, list[float]] = {}

    async def measure(name: str) -> None:
        found[name] = await round_trips(network.devices[name])

    async with trio.open_nursery() as nursery:
        for name in (NEAR, FAR):
            nursery.start_soon(measure, name)
    return found


def written(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def test_calls_are_quick_beside_a_copy(real_network: Network, tmp_path: Path) -> None:
    big = make_star(real_network, tmp_path)

    async def measure() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        idle = await of_both(real_network)
        async with copying(real_network.devices[NEAR], NEAR, big):
            await trio.sleep(SETTLED)
            return idle, await of_both(real_network)

    idle, loaded = trio.run(measure)
    for name, whose in ((NEAR, "of the node that copies"), (FAR, "of another node")):
        before, beside = percentile(idle[name], 0.99), percentile(loaded[name], 0.99)
        promised = 3 * before + 0.010
        medians = [percentile(times[name], 0.5) * 1e3 for times in (idle, loaded)]
        print(f"calls {whose}: p99 {before * 1e3:.1f} ms idle, {beside * 1e3:.1f} ms beside a copy", end=" ")
        print(f"(promised {promised * 1e3:.1f} ms); medians {medians[0]:.1f} and {medians[1]:.1f} ms")
        assert beside < 2 * promised


def test_two_copies_share_a_link_evenly(real_network: Network, tmp_path: Path) -> None:
    big = make_star(real_network, tmp_path)

    async def measure() -> list[float]:
        """Bytes per second of each."""
        async with copying(real_network.devices[NEAR], NEAR, big), copying(real_network.devices[FAR], FAR, big):
            await trio.sleep(SETTLED)
            before = [written(tmp_path / f"of-{name}") for name in (NEAR, FAR)]
            await trio.sleep(MEASURED)
            after = [written(tmp_path / f"of-{name}") for name in (NEAR, FAR)]
        return [(late - early) / MEASURED for early, late in zip(before, after, strict=True)]

    rates = trio.run(measure)
    shown = " and ".join(f"{rate / 1e6:.2f}" for rate in rates)
    print(f"two copies over {RATE}: {shown} MB/s, Jain index {jain(rates):.3f} (promised {JAIN})")
    assert jain(rates) >= 1 - 2 * (1 - JAIN)
