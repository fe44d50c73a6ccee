"""Two real nodes of one namespace, in one OS process, that are linked to a hub alone, which forwards for nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

import node
from firefly.errors import Interrupted, NoSuchResource, Unreachable
from firefly.interfaces.core import Node, ProcessKind, Role, Specification
from firefly.interfaces.signaling import Signaling
from signaling import RESOURCE
from tests.node.family import LIMIT, LISTEN, joined, meet, until
from tests.node.test_hubs import link_for

SIGNALING = Specification("signaling", ProcessKind.BUILTIN, "signaling", access=Role.MEMBER)


@dataclass
class Apart:
    """`lower` and `higher` are the same two in the order of their addresses: the lower one offers data channels."""

    laptop: node.RunningNode
    nas: node.RunningNode
    hub: node.RunningNode

    @property
    def lower(self) -> node.RunningNode:
        return min(self.laptop, self.nas, key=lambda each: each.address)

    @property
    def higher(self) -> node.RunningNode:
        return max(self.laptop, self.nas, key=lambda each: each.address)


@asynccontextmanager
async def apart(folder: Path, listen: list[str] = LISTEN, *, signals: bool = True) -> AsyncIterator[Apart]:
    """The nodes listen at `listen`. Without `signals` the hub has no signaling process."""
    async with two(folder, listen) as (laptop, nas), hub_of(folder, laptop, nas, signals=signals) as hub:
        yield Apart(laptop, nas, hub)


@asynccontextmanager
async def two(folder: Path, listen: list[str] = LISTEN) -> AsyncIterator[tuple[node.RunningNode, node.RunningNode]]:
    """laptop and nas, which are linked."""
    async with (
        node.start(folder / "laptop", name="laptop", listen=listen) as laptop,
        joined(folder, laptop, "nas", listen) as nas,
    ):
        yield laptop, nas


@asynccontextmanager
async def hub_of(
    folder: Path, laptop: node.RunningNode, nas: node.RunningNode, *, signals: bool = True
) -> AsyncIterator[node.RunningNode]:
    """A hub, to which the two are linked, and no more to each other."""
    async with node.start(folder / "hub", listen=LISTEN, found=False) as hub:
        await hub.join(await link_for(laptop, Role.RELAY), "hub")
        await hub.node.configure("relay", "never")
        if signals:
            await hub.node.create(SIGNALING)
        await nas.node.links_add(hub.listening)
        await meet(nas, hub)
        await meet(laptop, hub)
        await part(nas, laptop)
        yield hub


async def part(one: node.RunningNode, other: node.RunningNode) -> None:
    """Ends what links one with the other, and waits until neither knows a way."""
    for known in await one.node.links_list():
        if set(known.urls) & set(other.listening):
            await one.node.links_remove(known.urls)
    for link in one._node.meetings.links_to(other.address):
        link.close("parted")
    await until(lambda: not has_way(one, other) and not has_way(other, one))


def has_way(one: node.RunningNode, other: node.RunningNode) -> bool:
    return one._node.mesh.next_hop(other.address, None) is not None


def at(user: node.RunningNode, owner: node.RunningNode) -> Node:
    return user.at(owner.address, owner.address, Node)


async def listening(hub: node.RunningNode, *nodes: node.RunningNode) -> None:
    """Waits until these and no others listen at the hub."""
    wanted = {each.key for each in nodes}
    stub = nodes[0].at(hub.address, RESOURCE, Signaling)
    await until(lambda: all(each._node.rendezvous.hubs for each in nodes))
    with trio.fail_after(LIMIT):
        while await _attached(stub) != wanted:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.01)


async def _attached(stub: Signaling) -> set[bytes]:
    """The keys of those who listen; nobody's while the hub does not signal yet, or is being made."""
    try:
        return {each.key for each in await stub.attached()}
    except (NoSuchResource, Interrupted, Unreachable):
        return set()
