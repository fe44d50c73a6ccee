"""The table of the simulator: `make simulate` runs it whole and writes bench/simulation.json.

Each row is a scenario, what the mesh is to reach in it, and what it reached. All is virtual time and one seed, so the
figures are the same on every machine, but for `took` and the memory.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from bench import congestion
from node.simulator import generators
from node.simulator.report import Report
from node.simulator.scenario import Change, LinkEntry, Part, Scenario
from node.simulator.simulation import Simulation

RESULTS = Path(__file__).with_name("simulation.json")
SEED = 1
CUTS = 100


@dataclass(frozen=True)
class Row:
    """`reach` is what the mesh must reach, in words; `measure` says whether it did, and its figures."""

    name: str
    reach: str
    measure: Callable[[], tuple[bool, dict[str, Any]]]


def of(
    scenarios: Callable[[], Iterable[Scenario]],
    judge: Callable[[list[Report]], tuple[bool, dict[str, Any]]],
    pings: float | None = None,
) -> Callable[[], tuple[bool, dict[str, Any]]]:
    """Runs scenarios and judges their reports."""

    def measure() -> tuple[bool, dict[str, Any]]:
        return judge([Simulation(scenario, SEED, pings).run() for scenario in scenarios()])

    return measure


def cold_grid() -> Iterable[Scenario]:
    return [Scenario(generators.grid(7, 7), duration=20.0)]


def cuts() -> Iterable[Scenario]:
    for seed in range(CUTS):
        random = Random(seed)
        links = generators.biconnected(30, 15, random)
        yield Scenario(links, duration=4.0, changes=[Change(2.0, remove=Part(links=[random.choice(links)]))])


def partition() -> Iterable[Scenario]:
    left = generators.grid(4, 4)
    right = [LinkEntry(f"r{link.source}", f"r{link.target}") for link in generators.grid(4, 4)]
    bridge = LinkEntry("0", "r0")
    changes = [Change(5.0, remove=Part(links=[bridge])), Change(65.0, add=Part(links=[bridge]))]
    return [Scenario([*left, *right, bridge], duration=75.0, changes=changes)]


def big_grid() -> Iterable[Scenario]:
    return [Scenario(generators.grid(32, 32), duration=60.0)]


def slowest(reports: list[Report]) -> float:
    """Seconds until the routes were right after a change, at most; infinity if they never were."""
    times = [change.seconds for report in reports for change in report.settled]
    return max(float("inf") if seconds is None else seconds for seconds in times)


def share_of(reports: list[Report]) -> float:
    shares = [report.share() for report in reports]
    return min(share for share in shares if share is not None)


def answered(least: float) -> Callable[[list[Report]], tuple[bool, dict[str, Any]]]:
    def judge(reports: list[Report]) -> tuple[bool, dict[str, Any]]:
        share = share_of(reports)
        return share >= least, {"share": round(share, 5), "stretch": reports[0].as_data()["stretch"]}

    return judge


def converged(within: float) -> Callable[[list[Report]], tuple[bool, dict[str, Any]]]:
    def judge(reports: list[Report]) -> tuple[bool, dict[str, Any]]:
        seconds = slowest(reports)
        return seconds <= within, {"settled_within": round(seconds, 4), "share": round(share_of(reports), 5)}

    return judge


def mended(reports: list[Report]) -> tuple[bool, dict[str, Any]]:
    """Of each graph the last change is the cut."""
    worst = max(report.settled[-1].seconds or float("inf") for report in reports)
    late = sum(time > report.settled[-1].at + 0.1 for report in reports for time in report.visited_twice)
    figures = {"settled_within": round(worst, 4), "twice_later_than_100_ms": late, "share": round(share_of(reports), 5)}
    return worst <= 0.060 and not late, figures


def idle_grid(reports: list[Report]) -> tuple[bool, dict[str, Any]]:
    (report,) = reports
    figures = {
        "settled_within": round(slowest(reports), 3),
        "idle_control_bytes_per_node_second": round(report.idle_control_per_node_second, 1),
        "memory_bytes_per_node": round(report.memory_per_node),
        "share": round(share_of(reports), 5),
    }
    good = slowest(reports) <= 10 and report.idle_control_per_node_second < 2000 and report.memory_per_node < 4e6
    return good, figures


ROWS = (
    Row("grid of 49, cold start", "all routes right within 3 s", of(cold_grid, converged(3.0))),
    Row(
        "50 nodes, about 150 links, each moves 30 m every 30 s, silent",
        "at least 99.5 % answered",
        of(lambda: [generators.mobility(50, 150, 30.0, 30.0, 120.0, Random(SEED))], answered(0.995)),
    ),
    Row(
        "the same, 60 m every 10 s",
        "at least 97 % answered",
        of(lambda: [generators.mobility(50, 150, 60.0, 10.0, 120.0, Random(SEED))], answered(0.97)),
    ),
    Row("one link cut, 100 graphs of 30 nodes", "right within 60 ms, no packet twice after 100 ms", of(cuts, mended)),
    Row("partition healed after 60 s", "both sides agree within 1 s", of(partition, converged(1.0), 20.0)),
    Row("grid of 1,024, idle", "10 s, 2 kB/s and 4 MB per node", of(big_grid, idle_grid, 20.0)),
    Row(
        "each second 2 of 100 nodes die silently, 2 join",
        "at least 99 % answered",
        of(lambda: [generators.churn(100, 0.02, 120.0, Random(SEED))], answered(0.99)),
    ),
    Row(
        "bulk fills a link, calls beside it",
        "p99 of calls under 3 times that of an idle link and 10 ms",
        congestion.calls_beside_bulk,
    ),
    Row(
        "two bulk flows over one relay, calls beside them",
        "the same, and a Jain index of at least 0.9 after 5 s",
        congestion.bulk_beside_bulk,
    ),
)


def run(place: int) -> dict[str, Any]:
    """One row, in an OS process of its own: so its memory is its own too."""
    row = ROWS[place]
    began = time.monotonic()
    reached, figures = row.measure()
    took = round(time.monotonic() - began, 1)
    return {"scenario": row.name, "reach": row.reach, "reached": reached, **figures, "took": took}


def main() -> int:
    wanted = sys.argv[1:]
    places = [place for place, row in enumerate(ROWS) if not wanted or any(word in row.name for word in wanted)]
    results = []
    context = get_context("spawn")
    for place in places:
        with context.Pool(1) as pool:
            result = pool.apply(run, (place,))
        results.append(result)
        print(json.dumps(result, ensure_ascii=False), flush=True)
    if not wanted:
        content = {"python": platform.python_version(), "seed": SEED, "rows": results}
        RESULTS.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written: {RESULTS.relative_to(Path.cwd())}")
    return 0 if all(result["reached"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
