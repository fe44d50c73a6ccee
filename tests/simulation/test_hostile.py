"""Certified nodes that do not do what they should; `make simulate` has more graphs of each kind."""

from __future__ import annotations

import pytest

from bench.hostile import run
from node.simulator import generators
from node.simulator.scenario import Change, LinkEntry, NodeEntry, Part, Scenario
from node.simulator.simulation import Simulation

PROMISE = 5.0
"""Seconds until sessions go round a node that drops what it should forward."""


@pytest.mark.parametrize("at", [None, 5.0], ids=["from the start", "in open sessions"])
def test_sessions_go_round_a_node_that_drops_everything(at: float | None) -> None:
    report, counted = run(generators.grid(4, 4), "5", "drops", at, 12.0)
    assert report.share() == 1
    assert max(ping.seconds or 0.0 for ping in report.pings if ping.counts) < PROMISE
    assert counted["swallowed"] > 10


def test_a_dropper_is_what_makes_pings_fail_without_detours() -> None:
    """The test of the test: with no waypoints to go by, many are lost."""
    change = Change(5.0, add=Part(nodes=[NodeEntry("5", "drops")]))
    simulation = Simulation(Scenario(generators.grid(4, 4), duration=12.0, changes=[change]), 1)
    for device in simulation.world.devices.values():
        device.sessions.find_way = lambda peer, suspicion: None
    assert (simulation.run().share() or 1.0) < 0.95


def test_the_plain_path_is_taken_again_when_it_is_whole() -> None:
    """a has two ways to z, of which the short one swallows packets for 20 s."""
    links = [LinkEntry("a", "short"), LinkEntry("short", "z"), LinkEntry("a", "long", 5.0), LinkEntry("long", "z", 5.0)]
    ill, well = (Part(nodes=[NodeEntry("short", behaviour)]) for behaviour in ("drops", None))
    changes = [Change(5.0, add=ill), Change(25.0, add=well)]
    simulation = Simulation(Scenario(links, duration=200.0, changes=changes), 1, 5.0)
    a, z = (simulation.world.devices[name] for name in "az")
    ways: list[tuple[float, bool]] = []

    def look() -> None:
        session = a.sessions.session(z.key.address, simulation.events.now)
        ways.append((simulation.events.now, session is not None and session.detours.way is not None))

    for second in range(1, 200):
        simulation.events.at(float(second), look)
    assert simulation.run().share() == 1
    on_detour = [at for at, detour in ways if detour]
    assert 5 < on_detour[0] < 5 + PROMISE + 5
    assert on_detour[-1] < 160
    assert a.sessions.counters["plain_paths"]


def test_a_liar_attracts_no_traffic() -> None:
    """It is certified and claims an edge to everyone at next to no cost; an edge needs both ends."""
    report, counted = run(generators.grid(5, 5), "0", "lies", None, 6.0)
    assert report.share() == 1
    assert counted["forwarded"] <= run(generators.grid(5, 5), "0", None, None, 6.0)[1]["forwarded"]
