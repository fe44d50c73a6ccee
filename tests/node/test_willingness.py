"""How willing a node is to relay: as it is set, or as its power and network suggest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import trio

import node
from firefly.interfaces.core import Relaying
from node.liveness import IDLE, IDLE_SAVING
from node.routing import Relay
from node.willingness import Willingness
from tests.node.family import LIMIT, LISTEN, joined, meet


@dataclasses.dataclass
class System:
    battery: bool = False
    metered: bool = False

    async def on_battery(self) -> bool:
        return self.battery

    async def is_metered(self) -> bool:
        return self.metered


class Told:
    def __init__(self) -> None:
        self.all: list[tuple[Relay, float]] = []

    def relay_changed(self, relay: Relay, idle: float) -> None:
        self.all.append((relay, idle))


@pytest.mark.parametrize(
    ("battery", "metered", "relay", "idle", "why"),
    [
        (False, False, Relay.ALWAYS, IDLE, ""),
        (True, False, Relay.RELUCTANT, IDLE_SAVING, "on battery"),
        (False, True, Relay.RELUCTANT, IDLE, "the network is metered"),
        (True, True, Relay.RELUCTANT, IDLE_SAVING, "on battery"),
    ],
)
async def test_the_guess(battery: bool, metered: bool, relay: Relay, idle: float, why: str) -> None:
    system, told = System(battery, metered), Told()
    made = Willingness(told, system.on_battery, system.is_metered)
    await made.look()
    await made.look()
    assert (made.relay, made.idle, made.why) == (relay, idle, why)
    assert len(told.all) == (relay is not Relay.ALWAYS)


async def test_a_setting_stands_above_the_guess() -> None:
    system, told = System(battery=True), Told()
    made = Willingness(told, system.on_battery, system.is_metered)
    await made.look()
    for setting, relay in (("always", Relay.ALWAYS), ("never", Relay.NEVER), ("auto", Relay.RELUCTANT)):
        made.set(setting)
        assert made.relay is relay
    assert made.idle == IDLE_SAVING
    assert [relay for relay, _ in told.all] == [Relay.RELUCTANT, Relay.ALWAYS, Relay.NEVER, Relay.RELUCTANT]


async def test_who_relays_nothing_is_gone_round_or_is_the_end_of_the_way(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "hub", name="hub", listen=LISTEN) as hub,
        joined(tmp_path, hub, "one") as one,
        joined(tmp_path, hub, "two") as two,
    ):
        await meet(one, two)
        await hub.node.configure("relay", "never")
        status = await hub.node.node_status()
        assert (status.relaying, status.relaying_why) == (Relaying.NEVER, "relay = never")
        with trio.fail_after(LIMIT):
            while await reaches(one, two):  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        assert await reaches(one, hub)
        await hub.node.configure("relay", "when-needed")
        await meet(one, two)
        records = {record.name: record.relaying for record in await one.node.records()}
        assert records == {"hub": Relaying.WHEN_NEEDED, "one": Relaying.ALWAYS, "two": Relaying.ALWAYS}


async def reaches(one: node.RunningNode, other: node.RunningNode) -> bool:
    return any(known.reachable for known in (await one.node.node_status()).nodes if known.address == other.address)
