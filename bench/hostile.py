"""Certified nodes that do not do what they should: one that claims an edge to everyone, one that forwards nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from node.simulator import generators
from node.simulator.behaviour import Behaviour
from node.simulator.report import Report
from node.simulator.scenario import Change, LinkEntry, NodeEntry, Part, Scenario
from node.simulator.simulation import Simulation

SEED = 1
GRAPHS = 10
"""Random ones, beside the grid."""
DURATION = 25.0
MIDWAY = 10.0
"""When an honest node becomes one of these, in half of the runs."""


def graphs() -> Iterator[tuple[list[LinkEntry], str]]:
    """Each with the node through which the most leads: where it does the most harm."""
    yield generators.grid(7, 7), "24"
    for seed in range(GRAPHS):
        links = generators.biconnected(30, 15, Random(seed))
        degrees = Counter(end for link in links for end in link.pair)
        yield links, max(degrees, key=lambda name: degrees[name])


def run(
    links: list[LinkEntry],
    bad: str,
    behaviour: Behaviour | None,
    at: float | None = None,
    duration: float = DURATION,
) -> tuple[Report, Counter[str]]:
    """The report, and what the router of that node has counted."""
    part = Part(nodes=[NodeEntry(bad, behaviour)])
    first, changes = (part.nodes, []) if at is None else ([], [Change(at, add=part)])
    simulation = Simulation(Scenario(links, first, duration, changes=changes), SEED)
    return simulation.run(), simulation.world.devices[bad].router.counters


def liar() -> tuple[bool, dict[str, Any]]:
    """Packets in transit at the liar, in all runs, and at the same node when it is honest."""
    attracted = honest = 0
    reports = []
    for links, bad in graphs():
        report, counters = run(links, bad, "lies")
        attracted += counters["forwarded"]
        honest += run(links, bad, None)[1]["forwarded"]
        reports.append(report)
    share = min(report.share() or 0.0 for report in reports)
    figures = {"transit_at_liar": attracted, "transit_if_honest": honest, "share": round(share, 5)}
    return attracted <= honest and share == 1, figures


def dropper() -> tuple[bool, dict[str, Any]]:
    """Pings of pairs that have a path without the dropper: from the first contact on, and in sessions that are open."""
    runs = [run(links, bad, "drops", at) for links, bad in graphs() for at in (None, MIDWAY)]
    seconds = sorted(
        float("inf") if ping.seconds is None else ping.seconds
        for report, _ in runs
        for ping in report.pings
        if ping.counts
    )
    share = min(report.share() or 0.0 for report, _ in runs)
    figures = {
        "share": round(share, 5),
        "slowest": round(seconds[-1], 3),
        "p99": round(seconds[int(0.99 * len(seconds))], 3),
        "pings": len(seconds),
        "swallowed": sum(counters["swallowed"] for _, counters in runs),
    }
    return share == 1 and seconds[-1] <= 5, figures
