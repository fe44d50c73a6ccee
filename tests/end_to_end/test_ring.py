"""Five devices in a ring, of which nodes and links are lost at random: nobody who works notices more than a pause."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

import firefly
from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import Location, Node, NoSuchName
from firefly.interfaces.kv import KV
from tests.end_to_end.devices import Device
from tests.end_to_end.load import Calls
from tests.end_to_end.network import PORT, Network

NAMES = ("ada", "bob", "cem", "dan", "eva")
CALLER, OWNER = "ada", "cem"
"""The two who work; they are never killed, and between them there is always a way."""
DELAY, LOSS, RATE = 0.02, 1e-4, "36mbit"
TIME = 60.0
SIZE = 200 * 10**6
EVERY = 0.01
HELD = 2.5
"""Seconds that a loss lasts."""
REPAIRED = 30.0
"""Seconds within which the ring must be whole again after a loss."""
PROMISED = {"silent": 3.5, "closed": 0.5, "killed": 0.5}
"""Seconds that the longest pause may have; twice as much is asserted, for machines that have other work."""


@dataclass
class Loss:
    """Something that can be lost. `again` brings it back. Of what happened: how long it took."""

    kind: str
    name: str
    strike: Callable[[], object]
    again: Callable[[], object]
    begun: float = 0.0
    whole: float = 0.0


def losses(network: Network, chance: random.Random) -> Iterator[Loss]:
    """Each link and each node between once in each way, in random order; then all over again."""
    while True:
        found = []
        for wire in network.wires:
            ends = chance.choice([(0,), (1,), (0, 1)])
            found.append(Loss("silent", f"{wire} at {ends}", partial(wire.silence, ends), partial(wire.restore, ends)))
            found.append(Loss("closed", str(wire), wire.close, wire.open))
        for name in NAMES:
            if name not in (CALLER, OWNER):
                device = network.devices[name]
                found.append(Loss("killed", name, partial(device.stop, signal.SIGKILL), partial(start, device)))
        chance.shuffle(found)
        yield from found


def start(device: Device) -> None:
    device.start("node", "--listen", f"tcp://0.0.0.0:{PORT}")


async def is_whole(glow: Glow) -> bool:
    """Whether each node has its two links, as they themselves say."""
    try:
        with trio.move_on_after(1):
            status = await glow.node.node_status()
            for known in status.nodes:
                links = (await glow.at(known.address, known.address, Node).node_status()).links
                if sum(link.state == "up" for link in links) != 2:
                    return False
            return True
    except GlowError:
        return False
    return False


async def until_whole(glow: Glow) -> None:
    with trio.fail_after(REPAIRED):
        while not await is_whole(glow):  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.1)


async def known(glow: Glow, name: str) -> Location:
    """Where something is, as soon as the caller's node has heard of it."""
    with trio.fail_after(REPAIRED):
        while True:
            with suppress(NoSuchName):
                return await glow.resolve(name)
            await trio.sleep(0.1)


async def mistreat(network: Network, glow: Glow, chance: random.Random) -> list[Loss]:
    """One loss after another, each made good before the next."""
    happened: list[Loss] = []
    end = trio.current_time() + TIME
    for loss in losses(network, chance):
        if trio.current_time() > end:
            break
        loss.begun = trio.current_time()
        await trio.to_thread.run_sync(loss.strike)
        await trio.sleep(HELD)
        await trio.to_thread.run_sync(loss.again)
        await until_whole(glow)
        loss.whole = trio.current_time()
        happened.append(loss)
        print(f"  {loss.kind} {loss.name}: whole after {loss.whole - loss.begun - HELD:.2f} s", flush=True)
        await trio.sleep(0.3)
    return happened


async def work(network: Network, chance: random.Random, big: Path) -> tuple[Calls, list[Loss]]:
    """Calls and a copy while the ring is mistreated."""
    caller = network.devices[CALLER]
    async with firefly.connect(caller.home) as glow:
        await until_whole(glow)
        owner = (await known(glow, f"{OWNER}/files")).node
        node = glow.at(owner, owner, Node)
        place = await known(glow, f"{OWNER}/book")
        book = glow.at(place.node, place.resource, KV)

        async def call(number: int) -> None:
            if number % 2:
                await book.put(f"{number:08}", b"", 0)  # fails if it is done twice
            else:
                await node.echo(bytes(64))

        calls = Calls(call, EVERY)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(calls.run)
            nursery.start_soon(copy, caller, big)
            happened = await mistreat(network, glow, chance)
            calls.stop()
    return calls, happened


async def copy(device: Device, big: Path) -> None:
    """Copies a file to the owner."""
    begun = trio.current_time()
    copying = device.popen("cp", str(big), f"{OWNER}:big")
    try:
        await trio.to_thread.run_sync(copying.wait, abandon_on_cancel=True)
    finally:
        copying.kill()
        _, said = copying.communicate()
    assert copying.returncode == 0, said
    print(f"  the copy took {trio.current_time() - begun:.1f} s", flush=True)


def make_ring(network: Network, folder: Path) -> None:
    network.family(*NAMES)
    for one, other in zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True):
        network.wire(one, other, delay=DELAY, loss=LOSS, rate=RATE)
    folder.mkdir()
    owner = network.devices[OWNER]
    owner.glow("create", "filesystem", "--label", "files", f"root={folder}", "writable=yes")
    owner.glow("create", "kv", "--label", "book")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_work_goes_on_while_nodes_and_links_are_lost(real_network: Network, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    share, big = tmp_path / "share", tmp_path / "big"
    make_ring(real_network, share)
    big.write_bytes(os.urandom(SIZE))
    calls, happened = trio.run(work, real_network, random.Random(seed), big)
    assert digest(share / "big") == digest(big)
    kept = real_network.devices[OWNER].glow("kv", "ls", "self/book").split()
    assert len(kept) == len(calls.answered) // 2
    print(f"{len(calls.answered)} calls answered, {len(happened)} losses")
    for kind, promised in PROMISED.items():
        pauses = [calls.longest_pause(loss.begun, loss.whole) for loss in happened if loss.kind == kind]
        longest = max(pauses, default=0.0)
        print(
            f"{kind}, {len(pauses)} times: longest pause {longest:.2f} s (promised {promised} s)",
            *map("{:.2f}".format, pauses),
        )
        assert longest < 2 * promised
