"""Two people's devices and a hub that both use: what crosses, what does not, and what the hub may know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import node
from firefly.interfaces.core import Node, PairingEventCreated, Role
from tests.node.family import LISTEN, joined, meet


@dataclass
class Neighbours:
    """`ann` and `phone` are Ann's, `bea` is Bea's."""

    ann: node.RunningNode
    phone: node.RunningNode
    bea: node.RunningNode
    hub: node.RunningNode


async def link_for(inviter: node.RunningNode, role: Role) -> str:
    async with inviter.node.invite("", role, 60.0, True) as events:
        event = await anext(aiter(events))
    assert isinstance(event, PairingEventCreated)
    return event.value.link


@asynccontextmanager
async def neighbours(folder: Path) -> AsyncIterator[Neighbours]:
    async with (
        node.start(folder / "ann", name="ann", listen=LISTEN) as ann,
        joined(folder, ann, "phone") as phone,
        node.start(folder / "bea", name="bea", listen=LISTEN) as bea,
        node.start(folder / "hub", listen=LISTEN, found=False) as hub,
    ):
        for person in (ann, bea):
            await hub.join(await link_for(person, Role.RELAY), "hub")
            await meet(person, hub)
        yield Neighbours(ann, phone, bea, hub)


def at(user: node.RunningNode, owner: node.RunningNode) -> Node:
    return user.at(owner.address, owner.address, Node)


async def test_devices_of_two_people_reach_each_other_by_a_hub(tmp_path: Path) -> None:
    """From behind another device, too, and in both directions."""
    async with neighbours(tmp_path) as here:
        for user, owner in ((here.phone, here.bea), (here.bea, here.phone), (here.ann, here.bea)):
            assert await at(user, owner).echo(b"over the hub") == b"over the hub"
        counters = (await here.hub.node.node_status()).counters
        assert counters["crossed"] > 6
        assert not counters.get("crossing_refused")
