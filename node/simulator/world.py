"""The graph as it really is: who lives, and which wires there are."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from firefly.packet import HOP_LIMIT
from node.simulator.device import Device
from node.simulator.events import Events
from node.simulator.scenario import Change, LinkEntry, Part, Scenario
from node.simulator.trails import Trails
from node.simulator.wire import End, Wire

Pair = tuple[str, str]


class World:
    """Devices by name and wires by the pair of names that they join. `changed` hears when a device's routes change."""

    def __init__(
        self, events: Events, random: Random, trails: Trails, silent: bool, changed: Callable[[], None]
    ) -> None:
        self.devices: dict[str, Device] = {}
        self.wires: dict[Pair, Wire] = {}
        self.by_address: dict[bytes, Device] = {}
        self.past_control = 0
        self._events = events
        self._random = random
        self._trails = trails
        self._silent = silent
        self._changed = changed
        self._numbers = 0

    def begin(self, scenario: Scenario) -> None:
        self._add(Part(scenario.nodes, scenario.links))

    def apply(self, change: Change) -> None:
        if change.remove is not None:
            for node in change.remove.nodes:
                self._kill(str(node.id))
            for link in change.remove.links:
                self._cut(link.pair)
        if change.graph is not None:
            wanted = {link.pair for link in change.graph.links}
            for pair in [pair for pair in self.wires if pair not in wanted]:
                self._cut(pair)
            self._add(change.graph)
        if change.add is not None:
            self._add(change.add)

    def _add(self, part: Part) -> None:
        for node in part.nodes:
            self._device(str(node.id)).behave(node.behaviour)
        for link in part.links:
            if link.pair not in self.wires:
                self._join(link)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _device(self, name: str) -> Device:
        device = self.devices.get(name)
        if device is None:
            device = Device(name, self._number(), self._events, self._random, self._trails, self._changed)
            self.devices[name] = self.by_address[device.key.address] = device
            device.start()
        return device

    def _join(self, link: LinkEntry) -> None:
        bandwidth = math.inf if link.bandwidth_mbit is None else link.bandwidth_mbit * 1e6 / 8
        wire = self.wires[link.pair] = Wire(self._events, link.latency_ms / 1e3, bandwidth)
        one, other = (self._device(name) for name in link.pair)
        wire.connect(one, other, (self._number(), self._number()))

    def _cut(self, pair: Pair) -> None:
        wire = self.wires.pop(pair, None)
        if wire is not None:
            wire.cut = True
            self.past_control += sum(end.control_bytes for end in wire.ends)
            for end in wire.ends:
                if not self._silent and end.device.alive:
                    end.device.link_down(end)

    def _kill(self, name: str) -> None:
        device = self.devices.pop(name, None)
        if device is not None:
            device.alive = False
            del self.by_address[device.key.address]
            for pair in [pair for pair in self.wires if name in pair]:
                self._cut(pair)

    def control_bytes(self) -> int:
        """Bytes of PROBE and TOPOLOGY that all ends have sent, those of wires that are gone too."""
        return self.past_control + sum(end.control_bytes for wire in self.wires.values() for end in wire.ends)

    # --- what is true

    def neighbours(self) -> dict[str, dict[str, float]]:
        """The graph: seconds of delay by name and name."""
        graph: dict[str, dict[str, float]] = {name: {} for name in self.devices}
        for (one, other), wire in self.wires.items():
            graph[one][other] = graph[other][one] = wire.latency
        return graph

    def components(self) -> dict[str, int]:
        """Which nodes can reach each other: those with the same number."""
        graph = self.neighbours()
        found: dict[str, int] = {}
        for number, start in enumerate(graph):
            frontier = [start] if start not in found else []
            while frontier:
                name = frontier.pop()
                if name not in found:
                    found[name] = number
                    frontier += graph[name]
        return found

    def reach(self) -> dict[str, set[str]]:
        """Where packets of each node can get to without a node that drops them: two that share a place have a path."""
        graph = self.neighbours()
        droppers = {name for name, device in self.devices.items() if device.router.drops}
        places: dict[str, set[str]] = {name: {name} for name in droppers}
        for start in graph:
            frontier = [start] if start not in places else []
            while frontier:
                name = frontier.pop()
                if name not in places:
                    places[name] = {start}
                    frontier += graph[name].keys() - droppers
        for name in droppers:
            places[name] = places[name].union(*(places[other] for other in graph[name].keys() - droppers))
            places[name] |= graph[name].keys() & droppers
        return places

    def delay(self, source: str, target: str) -> float:
        """Seconds along the shortest path; infinity if there is none."""
        graph = self.neighbours()
        done: set[str] = set()
        frontier = [(0.0, source)]
        while frontier:
            far, name = heappop(frontier)
            if name == target:
                return far
            if name not in done:
                done.add(name)
                for other, latency in graph[name].items():
                    heappush(frontier, (far + latency, other))
        return math.inf

    # --- what the routes say

    def hop(self, device: Device, destination: bytes) -> End | None:
        """The end by which a packet would really get on; None if it has no route, or one that leads nowhere."""
        end = device.mesh.next_hop(destination)
        if not isinstance(end, End) or end.wire.cut or not end.other.device.alive:
            return None
        return end

    def routed_delay(self, source: str, target: str) -> float:
        """Seconds along the way that packets take now; infinity if it does not lead there."""
        device, total = self.devices[source], 0.0
        destination = self.devices[target].key.address
        for _ in range(HOP_LIMIT):
            if device.name == target:
                return total
            end = self.hop(device, destination)
            if end is None:
                return math.inf
            total += end.wire.latency
            device = end.other.device
        return math.inf

    def right(self) -> bool:
        """Whether by the routes of all nodes every packet gets wherever a path leads."""
        components = self.components()
        return all(self._all_reach(device, components) for device in self.devices.values())

    def _all_reach(self, target: Device, components: dict[str, int]) -> bool:
        reached = {target.name}
        for name, device in self.devices.items():
            if components[name] != components[target.name]:
                continue
            way = []
            while device.name not in reached:
                way.append(device.name)
                end = self.hop(device, target.key.address)
                if end is None or end.other.device.name in way:
                    return False
                device = end.other.device
            reached.update(way)
        return True
