"""What goes wrong at the door, among real nodes. How devices join: test_three_nodes.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import node
from firefly.errors import Busy, Unreachable
from firefly.interfaces.core import PairingEventCreated, Role
from tests.node.family import LIMIT, LISTEN, until


async def invited(inviter: node.RunningNode) -> str:
    """The link of an invite that a person has to say yes to."""
    async with inviter.node.invite("nas", Role.MEMBER, 60.0, False) as events:
        event = await anext(aiter(events))
    assert isinstance(event, PairingEventCreated)
    return event.value.link


async def test_an_inviter_that_goes_away_meanwhile_is_said_to(tmp_path: Path) -> None:
    async with node.start(tmp_path / "nas", listen=LISTEN, found=False) as nas, trio.open_nursery() as nursery:
        failures: list[str] = []

        async def join(link: str) -> None:
            with pytest.raises(Unreachable) as caught:
                await nas.join(link, "nas")
            failures.append(caught.value.message)

        async with node.start(tmp_path / "laptop", name="laptop", listen=LISTEN) as laptop:
            nursery.start_soon(join, await invited(laptop))
            await until(lambda: laptop._node.links.pairing)
        with trio.fail_after(LIMIT):
            await until(lambda: failures)
    assert failures == ["the inviting device ended the pairing"]


async def test_a_second_join_is_refused_and_harms_the_first_in_nothing(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "laptop", name="laptop", listen=LISTEN) as laptop,
        node.start(tmp_path / "nas", listen=LISTEN, found=False) as nas,
        trio.open_nursery() as nursery,
    ):
        link = await invited(laptop)
        nursery.start_soon(nas.join, link, "nas")
        await until(lambda: laptop._node.links.pairing)
        with pytest.raises(Busy, match="joining that one already"):
            await nas.join(link, "nas")
        (pairing,) = laptop._node.links.pairing
        assert not pairing.reason
        nursery.cancel_scope.cancel()
