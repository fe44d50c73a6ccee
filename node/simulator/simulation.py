"""Runs a scenario: lets the graph change, pings at random, and watches what comes of it."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable
from functools import partial
from random import Random

from node.simulator.events import Events
from node.simulator.report import Ping, Report, Settled
from node.simulator.scenario import Change, Scenario
from node.simulator.trails import Trails
from node.simulator.world import World

PATIENCE = 5.0
"""Seconds within which a ping is answered, and its pair must have a path."""
MAX_PINGS_PER_SECOND = 100.0
_RESOLUTION = ((64, 0.001), (256, 0.01), (4096, 0.25))
"""Up to so many nodes the routes are looked at so many seconds after they changed."""


class Simulation:
    """One run. `progress` hears the virtual time, now and then."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        pings_per_second: float | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._log = log
        self._random = Random(seed)  # of the pings: so they are the same, whatever the nodes do
        self.events = Events()
        self.trails = Trails()
        self._before = _resident()
        self.world = World(self.events, Random(seed), self.trails, scenario.silent, self._routes_changed)
        self._pings: list[Ping] = []
        self._settled: list[Settled] = []
        self._graphs: list[tuple[float, dict[str, set[str]]]] = []
        self._looking = False
        self._idle = 0.0, 0
        self._resolution = 0.0
        self.world.begin(scenario)
        count = len(self.world.devices)
        self._rate = min(float(count), MAX_PINGS_PER_SECOND) if pings_per_second is None else pings_per_second
        self._resolution = next((pause for limit, pause in _RESOLUTION if count <= limit), 1.0)
        self._graph_changed()

    def run(self, progress: Callable[[float], None] = lambda now: None) -> Report:
        scenario, events = self._scenario, self.events
        for change in sorted(scenario.changes, key=lambda change: change.at):
            events.at(change.at, partial(self._change, change))
        for _ in range(round(self._rate * scenario.duration)):
            events.at(self._random.uniform(0, scenario.duration), self._ping)
        end = scenario.duration + PATIENCE
        events.at(end * 2 / 3, self._begin_idle)
        while events.now < end:
            events.run(min(end, events.now + 1.0))
            progress(events.now)
        return self._report()

    def _begin_idle(self) -> None:
        self._idle = self.events.now, self.world.control_bytes()

    def _change(self, change: Change) -> None:
        self.world.apply(change)
        self._graph_changed()

    def _graph_changed(self) -> None:
        self._graphs.append((self.events.now, self.world.reach()))
        self._settled.append(Settled(self.events.now))
        self._note("change")
        self._routes_changed()

    # --- are the routes right?

    def _routes_changed(self) -> None:
        if not self._looking and self._settled and self._settled[-1].seconds is None:
            self._looking = True
            self.events.at(self.events.now + self._resolution, self._look)

    def _look(self) -> None:
        self._looking = False
        change = self._settled[-1]
        if change.seconds is None and self.world.right():
            change.seconds = self.events.now - change.at
            self._note(f"right after {change.seconds:.6f}")

    # --- pings

    def _ping(self) -> None:
        names = list(self.world.devices)
        if len(names) < 2:
            return
        source, target = self._random.sample(names, 2)
        ping = Ping(self.events.now, source, target)
        self._pings.append(ping)
        shortest = self.world.delay(source, target)
        if 0 < shortest < math.inf:
            ping.stretch = self.world.routed_delay(source, target) / shortest
        self._note(f"ping {source} {target}")
        self.world.devices[source].ping(self.world.devices[target].key.address, partial(self._answered, ping))

    def _answered(self, ping: Ping) -> None:
        if ping.seconds is None:
            ping.seconds = self.events.now - ping.at
            self._note(f"answer {ping.source} {ping.target} {ping.seconds:.6f}")

    def _note(self, what: str) -> None:
        if self._log is not None:
            self._log(f"{self.events.now:.6f} {what}")

    # --- what came out

    def _counts(self, ping: Ping) -> bool:
        """Whether the pair had a path without droppers at sending and for PATIENCE after."""
        until = ping.at + PATIENCE
        for index, (at, places) in enumerate(self._graphs):
            ends = self._graphs[index + 1][0] if index + 1 < len(self._graphs) else math.inf
            if ends <= ping.at or at > until:
                continue
            if not places.get(ping.source, set()) & places.get(ping.target, set()):
                return False
        return True

    def _report(self) -> Report:
        devices = list(self.world.devices.values())
        wires = list(self.world.wires.values())
        count, control = max(len(devices), 1), self.world.control_bytes()
        idle_since, idle_control = self._idle
        for ping in self._pings:
            ping.counts = self._counts(ping)
        return Report(
            seed=self._seed,
            nodes=len(devices),
            links=len(wires),
            duration=self._scenario.duration,
            pings=self._pings,
            settled=self._settled,
            visited_twice=self.trails.twice,
            control_per_node_second=control / count / self.events.now,
            idle_control_per_node_second=(control - idle_control) / count / (self.events.now - idle_since),
            records_per_node=sum(len(area.records) for device in devices for area in device.mesh.areas.values())
            / count,
            memory_per_node=(_resident() - self._before) / count,
        )


def _resident() -> int:
    """Bytes of the most memory that this OS process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
