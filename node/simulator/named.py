"""A scenario as it is named on the command line: a file, or a graph to order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from node.simulator import generators
from node.simulator.scenario import MAX_NODES, BadScenario, LinkEntry, Scenario, check, load

DURATION = 60.0
_NAME = re.compile(r"([a-z]+):([0-9]{1,5})(?:x([0-9]{1,5}))?")
_GRAPHS: dict[str, Callable[[int], list[LinkEntry]]] = {
    "line": generators.line,
    "ring": generators.ring,
    "star": generators.star,
    "tree": generators.tree,
}
HINT = "line:10, ring:10, star:10, tree:15, grid:7x7, random:50, mobility:50, or the path of a JSON file"


def find(name: str, seed: int, duration: float | None = None) -> Scenario:
    """The scenario that is meant. Raises BadScenario."""
    match = _NAME.fullmatch(name)
    scenario = load(Path(name).expanduser()) if match is None else _made(name, match, seed, duration or DURATION)
    if duration is not None:
        scenario = msgspec.structs.replace(scenario, duration=duration)
    check(scenario, name)
    return scenario


def _made(name: str, match: re.Match[str], seed: int, duration: float) -> Scenario:
    kind, first, second = match[1], int(match[2]), int(match[3] or 0)
    count = first * second if kind == "grid" else first
    if count < 2 or count > MAX_NODES or bool(match[3]) != (kind == "grid"):
        raise BadScenario(f"{name!r} is no graph", f"it needs 2 to {MAX_NODES} nodes", HINT)
    random = Random(seed)
    if kind == "grid":
        return Scenario(generators.grid(first, second), duration=duration)
    if kind == "random":
        return Scenario(generators.biconnected(count, count // 2, random), duration=duration)
    if kind == "mobility":
        return generators.mobility(count, 3 * count, 30.0, 30.0, duration, random)
    if kind not in _GRAPHS:
        raise BadScenario(f"there is no graph called {kind!r}", hint=HINT)
    return Scenario(_GRAPHS[kind](count), duration=duration)
