"""A scenario as JSON.

    {"nodes": [{"id": …, "behaviour": "drops"|"lies"}], "duration": seconds, "silent": true|false,
     "links": [{"source": …, "target": …, "latency_ms": 1, "bandwidth_mbit": …}],
     "changes": [{"at": s, "add"|"remove": {"nodes"|"links": […]}} | {"at": s, "graph": {"links": […]}}]}

All but `links` is optional; nodes that only links name are nodes, too. A `graph` replaces all links. `silent`: links
vanish without notice, else both ends are told. `behaviour`: of certified nodes that do not do what they should
(`behaviour.py`); a change that adds a node which is there sets it anew. What else stands there, positions for example,
is ignored.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from firefly.errors import GlowError
from node.simulator.behaviour import Behaviour

MAX_FILE = 64 * 2**20
MAX_NODES, MAX_LINKS, MAX_CHANGES = 4096, 65_536, 100_000
MAX_DURATION = 86_400.0


class BadScenario(GlowError):
    """The scenario cannot be run."""

    fault = "caller"


class NodeEntry(msgspec.Struct, frozen=True):
    id: str | int
    behaviour: Behaviour | None = None


class LinkEntry(msgspec.Struct, frozen=True):
    """`bandwidth_mbit` null: as much as is sent."""

    source: str | int
    target: str | int
    latency_ms: float = 1.0
    bandwidth_mbit: float | None = None

    @property
    def pair(self) -> tuple[str, str]:
        first, second = sorted((str(self.source), str(self.target)))
        return first, second


class Part(msgspec.Struct, frozen=True):
    nodes: list[NodeEntry] = []
    links: list[LinkEntry] = []


class Change(msgspec.Struct, frozen=True):
    at: float
    add: Part | None = None
    remove: Part | None = None
    graph: Part | None = None


class Scenario(msgspec.Struct, frozen=True):
    """`duration` in seconds."""

    links: list[LinkEntry]
    nodes: list[NodeEntry] = []
    duration: float = 60.0
    silent: bool = False
    changes: list[Change] = []


def load(path: Path) -> Scenario:
    """Raises BadScenario."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise BadScenario(f"{path} has over {MAX_FILE} bytes", hint="a smaller scenario")
        data = path.read_bytes()
    except OSError as error:
        raise BadScenario(f"{path} cannot be read", cause=error.strerror or str(error), hint="see its name") from None
    return parse(data, str(path))


def parse(data: bytes, name: str = "the scenario") -> Scenario:
    """Raises BadScenario."""
    try:
        scenario = msgspec.json.decode(data, type=Scenario)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadScenario(f"{name} is no scenario", cause=str(error), hint=FORM) from None
    check(scenario, name)
    return scenario


FORM = 'a small one: {"links": [{"source": "a", "target": "b"}]}'


def check(scenario: Scenario, name: str = "the scenario") -> None:
    """Raises BadScenario."""
    parts = [Part(scenario.nodes, scenario.links)]
    for change in scenario.changes:
        parts += [part for part in (change.add, change.remove, change.graph) if part is not None]
        if not 0 <= change.at <= scenario.duration:
            raise BadScenario(f"{name} has a change at {change.at}", "that is outside of its duration", FORM)
    links = [link for part in parts for link in part.links]
    names = {str(node.id) for part in parts for node in part.nodes} | {end for link in links for end in link.pair}
    if not 0 < scenario.duration <= MAX_DURATION:
        raise BadScenario(f"{name} lasts {scenario.duration} s", f"at most {MAX_DURATION:.0f} s can be simulated", FORM)
    if len(names) > MAX_NODES or max(len(part.links) for part in parts) > MAX_LINKS:
        raise BadScenario(f"{name} is too big", f"at most {MAX_NODES} nodes and {MAX_LINKS} links at a time", FORM)
    if len(scenario.changes) > MAX_CHANGES:
        raise BadScenario(f"{name} has over {MAX_CHANGES} changes", hint=FORM)
    for link in links:
        if link.pair[0] == link.pair[1]:
            raise BadScenario(f"{name} links {link.source!r} to itself", hint=FORM)
        if not (0 <= link.latency_ms <= 60_000) or not (0 < (link.bandwidth_mbit or 1.0) < math.inf):
            raise BadScenario(f"{name} has a link with a latency or bandwidth that is none: {link.pair}", hint=FORM)
