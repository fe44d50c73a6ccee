"""Devices behind NATs whose hub signals and forwards nothing: their first calls are answered over direct links."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from time import monotonic

import pytest
import trio

import firefly
from firefly.client import Glow
from firefly.errors import Unreachable
from firefly.interfaces.core import Node
from firefly.interfaces.signaling import Signaling
from node.meetings import FIND_TIME, UNRELAYED_TIME
from signaling import RESOURCE
from tests.end_to_end import coturn, nats
from tests.end_to_end.nat_pairs import World, known, world
from tests.end_to_end.nats import Nat

KINDS = Nat.FULL_CONE, Nat.PORT_RESTRICTED
FIRST_CALL = 4.0
"""Seconds that the first answered call may take; twice as much is asserted, for machines that have other work."""
LIMIT = 60.0


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> object:
    """A world of the kinds that are given, with TURN if that is needed."""
    turn = request.param == (Nat.SYMMETRIC,)
    if reason := nats.missing() or (turn and coturn.missing()):
        pytest.skip(reason)
    with world(tmp_path, request.param, turn=turn, relays=False) as made:
        yield made


@asynccontextmanager
async def attached(made: World) -> AsyncIterator[dict[int, Glow]]:
    """Each device's node, when all listen at the hub."""
    async with trio.open_nursery() as nursery:
        glows = {id(device): await nursery.start(hold, device.home) for device in made.devices}
        for glow in glows.values():
            [hub] = [link.address for link in (await glow.node.node_status()).links]
            stub = glow.at(hub, RESOURCE, Signaling)
            with trio.fail_after(LIMIT):
                while len(await stub.attached()) < len(made.devices):  # noqa: ASYNC110 (nobody tells)
                    await trio.sleep(0.1)
        yield glows
        nursery.cancel_scope.cancel()


async def hold(home: Path, *, task_status: trio.TaskStatus[Glow]) -> None:
    async with firefly.connect(home) as glow:
        task_status.started(glow)
        await trio.sleep_forever()


async def first_calls(made: World, how: str) -> dict[str, float]:
    """Seconds until the first call of each pair was answered, by names; the called one is reached so then."""
    taken = {}
    async with attached(made) as glows:
        for caller, called in product(made.callers, made.called):
            one, other = glows[id(made.callers[caller])], glows[id(made.called[called])]
            assert not (await known(one, other)).reachable
            begun = monotonic()
            with trio.fail_after(LIMIT):
                assert await one.at(other.address, other.address, Node).echo(b"first") == b"first"
            taken[f"{caller.value} -> {called.value}"] = monotonic() - begun
            assert (await known(one, other)).how == how
    print(f"\nfirst call: {', '.join(f'{names} {seconds:.2f} s' for names, seconds in taken.items())}")
    return taken


@pytest.mark.parametrize("made", [KINDS], indirect=True, ids=["cones"])
def test_the_first_call_of_each_pair_is_answered_over_a_data_channel(made: World) -> None:
    taken = trio.run(first_calls, made, "direct webrtc")
    assert max(taken.values()) < 2 * FIRST_CALL
    assert forwarded(made) == 0


@pytest.mark.parametrize("made", [(Nat.SYMMETRIC,)], indirect=True, ids=["symmetric"])
def test_where_it_takes_turn_the_first_call_waits_for_that(made: World) -> None:
    taken = trio.run(first_calls, made, "webrtc through TURN")
    assert UNRELAYED_TIME < max(taken.values()) < FIND_TIME
    assert forwarded(made) == 0


def forwarded(made: World) -> int:
    """Packets that the hub has passed on."""
    metrics = made.hub.json("metrics")
    return sum(each["value"] for each in metrics if each["labels"].get("event") == "forwarded")


@pytest.mark.parametrize("made", [(Nat.UDP_BLOCKED,)], indirect=True, ids=["blocked"])
def test_where_no_way_can_be_made_it_is_said_what_was_tried(made: World) -> None:
    caller, called = made.callers[Nat.UDP_BLOCKED], made.called[Nat.UDP_BLOCKED]

    async def run() -> Unreachable:
        async with attached(made) as glows:
            one, other = glows[id(caller)], glows[id(called)]
            with pytest.raises(Unreachable) as caught, trio.fail_after(LIMIT):
                await one.at(other.address, other.address, Node).echo(b"")
            with trio.fail_after(LIMIT):
                while "again in" not in (await known(one, other)).direct:  # noqa: ASYNC110 (nobody tells)
                    await trio.sleep(0.1)
        return caught.value

    error = trio.run(run)
    assert error.cause.startswith("no path leads to it from here; ")
    name = called.json("status")["name"]
    [why] = [each["why"] for each in caller.json("why", name) if each["kind"] == "node"]
    print(f"\n{error.cause}\n{why}")
    assert "lets no UDP through" in why
