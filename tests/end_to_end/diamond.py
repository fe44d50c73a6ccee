"""Four devices of which each outer one is linked with both relays, and no other way: laptop - (left, right) - nas."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import trio

import firefly
from firefly.client import Glow
from tests.end_to_end.devices import Device

NewDevice = Callable[..., Device]
MEET = 60.0
"""Seconds within which a link or a path that must come back is there."""


@dataclass
class Diamond:
    laptop: Device
    relays: dict[str, Device]
    nas: Device

    async def until_linked(self) -> None:
        """Returns when both outer devices are linked with both relays, and so have two paths to each other."""
        with trio.fail_after(MEET):
            for outer in (self.laptop, self.nas):
                async with firefly.connect(outer.home) as glow:
                    while await linked(glow) != set(self.relays):  # noqa: ASYNC110 (nobody tells)
                        await trio.sleep(0.05)

    async def kill(self, name: str) -> None:
        """kill -9."""
        await trio.to_thread.run_sync(self.relays[name].stop, signal.SIGKILL)

    async def restart(self, name: str) -> None:
        await trio.to_thread.run_sync(self.relays[name].start, "node")

    async def relay_in_use(self, glow: Glow) -> str:
        """The relay that packets of the laptop for the nas go through now."""
        location = await glow.resolve("nas")
        with trio.fail_after(MEET):
            while len(hops := await glow.node.route(location.node)) != 3:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.05)
        return hops[1].name


async def linked(glow: Glow) -> set[str]:
    """Neighbours of a node, by name."""
    metrics = await glow.node.metrics()
    return {metric.labels["peer"] for metric in metrics if metric.name == "glow_link_queue_bytes"}


def made(device: NewDevice) -> Diamond:
    """Starts the four. The laptop is the first; it invites the others, then forgets the nas."""
    laptop = device("laptop")
    relays = {name: device(name, laptop) for name in ("left", "right")}
    nas = device("nas", laptop)
    for relay in relays.values():
        nas.glow("link", "add", *relay.json("status")["listening"])
    nas.glow("link", "rm", "laptop")
    return Diamond(laptop, relays, nas)


def printed_seed() -> random.Random:
    """Chance that a failed run can be had again."""
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)
