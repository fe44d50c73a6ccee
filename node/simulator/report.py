"""What came out of a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

INTERVAL = 5.0
"""Seconds of the intervals by which pings are reported."""


@dataclass(slots=True)
class Ping:
    """A call from `source` to `target`. `seconds` until its answer; `stretch`: its way over the shortest one."""

    at: float
    source: str
    target: str
    seconds: float | None = None
    stretch: float | None = None
    counts: bool = True


@dataclass(slots=True)
class Settled:
    """A change of the graph, and the seconds until all routes were right; None if that was not before the next one."""

    at: float
    seconds: float | None = None


@dataclass(slots=True)
class Report:
    """`control_per_node_second` in bytes, `idle_…` of the last third; `memory_per_node` in bytes; `visited_twice` are
    times."""

    seed: int
    nodes: int
    links: int
    duration: float
    pings: list[Ping]
    settled: list[Settled]
    visited_twice: list[float]
    control_per_node_second: float
    idle_control_per_node_second: float
    records_per_node: float
    memory_per_node: float
    patience: float = field(default=5.0)

    def share(self, since: float = 0.0, until: float = float("inf")) -> float | None:
        """Of the pings that count the share that was answered in time; None if there were none."""
        counted = [ping for ping in self.pings if ping.counts and since <= ping.at < until]
        return sum(self.answered(ping) for ping in counted) / len(counted) if counted else None

    def answered(self, ping: Ping) -> bool:
        return ping.seconds is not None and ping.seconds <= self.patience

    def as_data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        counted = [ping for ping in self.pings if ping.counts]
        times = [ping.seconds for ping in counted if ping.seconds is not None]
        stretches = [ping.stretch for ping in counted if ping.stretch is not None and ping.stretch < float("inf")]
        starts = [number * INTERVAL for number in range(int(-(-self.duration // INTERVAL)))]
        return {
            "seed": self.seed,
            "nodes": self.nodes,
            "links": self.links,
            "duration": self.duration,
            "pings": {"sent": len(self.pings), "counted": len(counted), "answered": sum(map(self.answered, counted))},
            "share": self.share(),
            "intervals": [{"from": start, "share": self.share(start, start + INTERVAL)} for start in starts],
            "seconds": spread(times),
            "stretch": spread(stretches),
            "settled": [{"at": change.at, "seconds": change.seconds} for change in self.settled],
            "visited_twice": len(self.visited_twice),
            "control_bytes_per_node_second": round(self.control_per_node_second, 1),
            "idle_control_bytes_per_node_second": round(self.idle_control_per_node_second, 1),
            "records_per_node": round(self.records_per_node, 2),
            "memory_bytes_per_node": round(self.memory_per_node),
        }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95th of a hundred and maximum; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    picked = {"median": ordered[last // 2], "p95": ordered[round(last * 0.95)], "max": ordered[-1]}
    return {name: round(value, 6) for name, value in picked.items()}
