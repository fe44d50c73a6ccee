"""Three real nodes in one OS process, in a line: laptop - relay - nas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import trio

import node
from firefly.interfaces.core import PairingEventCreated, Role
from firefly.runtime import Server, Stub

LISTEN = ["tcp://127.0.0.1:0"]
LIMIT = 20.0
"""Seconds after which a test fails instead of hanging."""
StubType = TypeVar("StubType", bound=Stub)


@dataclass
class Family:
    laptop: node.RunningNode
    relay: node.RunningNode
    nas: node.RunningNode


@asynccontextmanager
async def joined(
    folder: Path, inviter: node.RunningNode, name: str, listen: Sequence[str] | None = None
) -> AsyncIterator[node.RunningNode]:
    """One more node of the inviter's namespace, which has met all the others."""
    async with inviter.node.invite(name, Role.MEMBER, 60.0, True) as events:
        event = await anext(aiter(events))
    assert isinstance(event, PairingEventCreated)
    async with node.start(folder / name, listen=LISTEN if listen is None else listen, found=False) as glow:
        await glow.join(event.value.link, name)
        await meet(glow, inviter)
        await meet(inviter, glow)
        yield glow


async def meet(one: node.RunningNode, other: node.RunningNode) -> None:
    """Waits until `one` knows the way to `other`."""
    with trio.fail_after(LIMIT):
        while not await _knows(one, other):  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.01)


async def _knows(one: node.RunningNode, other: node.RunningNode) -> bool:
    nodes = (await one.node.node_status()).nodes
    return other.address in {known.address for known in nodes if known.reachable}


@asynccontextmanager
async def family(folder: Path) -> AsyncIterator[Family]:
    async with (
        node.start(folder / "relay", name="relay", listen=LISTEN) as relay,
        joined(folder, relay, "laptop") as laptop,
        joined(folder, relay, "nas") as nas,
    ):
        await meet(laptop, nas)
        await meet(nas, laptop)
        yield Family(laptop, relay, nas)


async def served(owner: node.RunningNode, server: Server, user: node.RunningNode, stub: type[StubType]) -> StubType:
    """A client at `user` of a resource that `owner` serves."""
    return user.at(owner.address, await owner.serve("probe", server), stub)


async def until(holds: Callable[[], Any], limit: float = LIMIT) -> None:
    """Waits for what nobody tells of; looks 2,000 times in `limit` seconds."""
    with trio.fail_after(limit):
        while not holds():  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(limit / 2000)
