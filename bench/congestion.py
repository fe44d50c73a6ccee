"""Bulk that fills links, and what it does to calls beside it and to other bulk, in the simulator.

A figure of each case: `p99` of 64 B calls beside the bulk and `idle` before it, in ms; how much of the link the bulk
gets; the Jain index of two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.simulator.scenario import LinkEntry, Scenario
from node.simulator.simulation import Simulation
from node.simulator.traffic import Bulk, Calls

SEED = 1
BEGIN, LOADED, SETTLED, END = 1.0, 4.0, 9.0, 19.0
"""Seconds: calls begin, bulk begins, bulk has found its pace, all ends."""
PAUSE = 0.01
JAIN = 0.9
Pair = tuple[str, str]


@dataclass(frozen=True)
class Load:
    """Who calls whom, with p99 in seconds idle and beside bulk; who sends bulk to whom, in bytes per second."""

    calls: dict[Pair, tuple[float, float]]
    rates: dict[Pair, float]

    @property
    def calm(self) -> bool:
        """Whether calls take less than 3 times as long as before and 10 ms."""
        return all(beside < 3 * idle + 0.010 for idle, beside in self.calls.values())

    @property
    def jain(self) -> float:
        rates = self.rates.values()
        return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates))


def load(links: list[LinkEntry], bulk: list[Pair], calls: list[Pair]) -> Load:
    """What a graph does with bulk and calls between these pairs."""
    simulation = Simulation(Scenario(links, duration=END), SEED, 0.0)
    events, devices = simulation.events, simulation.world.devices
    callers: dict[Pair, Calls] = {}
    senders: dict[Pair, Bulk] = {}

    def begin_calls() -> None:
        callers.update({(one, other): Calls(events, devices[one], devices[other], PAUSE) for one, other in calls})

    def begin_bulk() -> None:
        senders.update({(one, other): Bulk(events, devices[one], devices[other]) for one, other in bulk})

    events.at(BEGIN, begin_calls)
    events.at(LOADED, begin_bulk)
    simulation.run()
    idle = {pair: caller.percentile(0.99, BEGIN + 1, LOADED) for pair, caller in callers.items()}
    beside = {pair: caller.percentile(0.99, SETTLED, END) for pair, caller in callers.items()}
    rates = {pair: sender.rate(SETTLED, END) for pair, sender in senders.items()}
    return Load({pair: (idle[pair], beside[pair]) for pair in callers}, rates)


def one_link(mbit: float, latency_ms: float) -> Load:
    """Two nodes, and calls both ways."""
    return load([LinkEntry("a", "b", latency_ms, mbit)], [("a", "b")], [("a", "b"), ("b", "a")])


def one_relay(mbit: float, latency_ms: float) -> Load:
    """Two nodes send bulk over a relay, a third one calls."""
    links = [LinkEntry(name, "relay", 1.0, 1000.0) for name in ("a", "b", "c")]
    links.append(LinkEntry("relay", "target", latency_ms, mbit))
    return load(links, [("a", "target"), ("b", "target")], [("a", "target"), ("c", "target"), ("target", "c")])


CASES = [(mbit, latency) for mbit in (20.0, 100.0, 1000.0) for latency in (0.5, 10.0, 50.0)]
"""Mbit/s, ms. At 10 Mbit/s the 16 KiB that each link may have sent ahead take 13 ms, more than a LAN's promise."""


def calls_beside_bulk() -> tuple[bool, dict[str, Any]]:
    """Whether calls stay quick, and the figures of every case."""
    made = {case: one_link(*case) for case in CASES}
    return all(one.calm for one in made.values()), figures(made)


def bulk_beside_bulk() -> tuple[bool, dict[str, Any]]:
    """Whether calls stay quick and two bulk flows get equal shares, and the figures of every case."""
    made = {case: one_relay(*case) for case in CASES}
    return all(one.calm and one.jain >= JAIN for one in made.values()), figures(made)


def figures(made: dict[tuple[float, float], Load]) -> dict[str, Any]:
    return {f"{mbit:.0f} Mbit/s, {latency:g} ms": shown(one, mbit) for (mbit, latency), one in made.items()}


def shown(made: Load, mbit: float) -> dict[str, float]:
    """The calls that come closest to their promise, and the bulk."""
    idle, beside = max(made.calls.values(), key=lambda pair: pair[1] - 3 * pair[0])
    used = sum(made.rates.values()) * 8 / 1e6 / mbit
    times = {"idle": round(idle * 1e3, 1), "p99": round(beside * 1e3, 1)}
    return {**times, "used": round(used, 3), "jain": round(made.jain, 3)}
