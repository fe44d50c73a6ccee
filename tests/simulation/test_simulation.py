"""Real nodes in virtual time: what the mesh promises under change. Short forms; `make simulate` has the long ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from firefly.packet import DATA
from node.routing import Relay
from node.simulator import generators
from node.simulator.named import find
from node.simulator.report import Report
from node.simulator.scenario import Change, LinkEntry, Part, Scenario
from node.simulator.simulation import Simulation

REPOSITORY = Path(__file__).parents[2]


def settled(report: Report) -> list[float]:
    """Seconds from each change until the routes were right; fails if they were not before the next one."""
    times = [change.seconds for change in report.settled]
    assert None not in times
    return [seconds for seconds in times if seconds is not None]


def cut_one(links: list[LinkEntry], at: float, random: Random, silent: bool = False) -> Scenario:
    change = Change(at, remove=Part(links=[random.choice(links)]))
    return Scenario(links, duration=at + 3, silent=silent, changes=[change])


def test_a_grid_finds_its_ways_and_the_shortest_ones() -> None:
    report = Simulation(find("grid:7x7", 1, 5), 1).run()
    assert report.share() == 1
    assert max(settled(report)) < 3
    assert not report.visited_twice
    stretch = report.as_data()["stretch"]
    assert stretch["max"] == 1
    assert report.records_per_node == 49


@pytest.mark.parametrize("seed", range(5))
def test_one_cut_with_notice_is_mended_at_once(seed: int) -> None:
    random = Random(seed)
    report = Simulation(cut_one(generators.biconnected(30, 15, random), 2.0, random), seed).run()
    assert settled(report)[-1] <= 0.060
    assert report.share() == 1
    assert not [time for time in report.visited_twice if time > 2.1]


@pytest.mark.parametrize("seed", range(2))
def test_a_silent_cut_is_found_by_liveness(seed: int) -> None:
    random = Random(seed)
    report = Simulation(cut_one(generators.biconnected(30, 15, random), 2.0, random, silent=True), seed).run()
    assert settled(report)[-1] < 3
    assert report.share() == 1


def test_nodes_that_move_lose_no_calls() -> None:
    report = Simulation(generators.mobility(20, 60, 60.0, 10.0, 25.0, Random(4)), 4).run()
    share = report.share()
    assert share is not None
    assert share >= 0.97


def test_a_healed_partition_agrees_again() -> None:
    left = generators.ring(8)
    right = [LinkEntry(f"r{link.source}", f"r{link.target}") for link in generators.ring(8)]
    bridge = LinkEntry("0", "r0")
    apart, together = Change(2.0, remove=Part(links=[bridge])), Change(62.0, add=Part(links=[bridge]))
    report = Simulation(Scenario([*left, *right, bridge], duration=66, changes=[apart, together]), 1, 5).run()
    assert settled(report)[-1] < 1
    assert report.share(since=62) == 1


def test_who_dies_and_who_joins_disturb_nobody_else() -> None:
    report = Simulation(generators.churn(30, 0.04, 8.0, Random(6)), 6, 30).run()
    share = report.share()
    assert share is not None
    assert share >= 0.99


def test_bandwidth_delays_what_is_sent() -> None:
    fast = Scenario([LinkEntry("a", "b", 10.0)], duration=3)
    slow = Scenario([LinkEntry("a", "b", 10.0, 0.05)], duration=3)
    quick, tardy = (Simulation(scenario, 1, 3).run().as_data()["seconds"] for scenario in (fast, slow))
    assert quick["median"] == pytest.approx(0.02, abs=0.001)
    assert tardy["median"] > quick["median"] + 0.02


def test_who_never_relays_is_an_end_point() -> None:
    ring = find("ring:4", 1, 6)
    simulation = Simulation(ring, 1)
    simulation.world.devices["1"].set_relay(Relay.NEVER)
    report = simulation.run()
    assert report.share() == 1
    assert _transit(simulation, "1") == 0
    assert _transit(simulation, "3") > 0


def _transit(simulation: Simulation, name: str) -> int:
    return simulation.world.devices[name].router.counters["forwarded"]


def test_trails_find_a_packet_that_comes_back() -> None:
    """Two nodes that send everything to each other: the test of what says that there are no loops."""
    simulation = Simulation(find("line:3", 1, 6), 1, 10)
    middle, last = simulation.world.devices["1"], simulation.world.devices["2"]
    first = simulation.world.devices["0"]
    simulation.events.run(2.0)
    back = next(end for end in middle.router.links if end.other.device is last)
    forth = next(end for end in last.router.links)

    def astray(device: object, end: object) -> Callable[[bytes, object], object]:
        return lambda destination, arrival=None: end if destination == first.key.address else None

    middle.mesh.next_hop = astray(middle, back)  # type: ignore[method-assign, assignment]
    last.mesh.next_hop = astray(last, forth)  # type: ignore[method-assign, assignment]
    middle.router._forward = lambda packet, arrival: _send_on(middle, packet, back)  # type: ignore[method-assign]
    last.router._forward = lambda packet, arrival: _send_on(last, packet, forth)  # type: ignore[method-assign]
    simulation.world.devices["2"].ping(first.key.address, lambda: None)
    simulation.events.run(2.5)
    assert simulation.trails.twice


def _send_on(device: object, packet: bytes, end: object) -> None:
    if packet[0] & 15 >= DATA:
        end.queue.forward(packet, None)  # type: ignore[attr-defined]
        device.router.touch(end)  # type: ignore[attr-defined]


def events_of(scenario: str, seed: int, hash_seed: str, folder: Path) -> bytes:
    """The event log of a run in an OS process of its own."""
    log = folder / f"{hash_seed}.log"
    words = ["simulate", scenario, "--duration", "12", "--seed", str(seed), "--log", str(log), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", *words], env=environment, capture_output=True, timeout=100, check=True
    )
    assert json.loads(done.stdout)["share"] == 1
    return log.read_bytes()


def test_the_same_seed_gives_the_same_events(tmp_path: Path) -> None:
    first, second = (events_of("mobility:12", 3, hash_seed, tmp_path) for hash_seed in ("1", "2"))
    assert first == second
    assert len(first.splitlines()) > 250
    assert events_of("mobility:12", 4, "3", tmp_path) != first
