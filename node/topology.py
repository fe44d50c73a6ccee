"""What the node knows of its namespace's graph, as proto Node tells it: records, routes, alternates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
from msgspec.structs import replace

from firefly.errors import Unreachable
from firefly.interfaces import core
from node.node import Node
from node.routing import Relay
from node.routing.area import Area
from node.routing.record import KIND, Record

RELAYING = {
    Relay.ALWAYS: core.Relaying.ALWAYS,
    Relay.RELUCTANT: core.Relaying.WHEN_NEEDED,
    Relay.NEVER: core.Relaying.NEVER,
}


class Topology:
    """`name` gives what a node is called by its address."""

    def __init__(self, node: Node, name: Callable[[bytes], str]) -> None:
        self._node = node
        self._name = name

    def records(self) -> list[core.LinkStateRecord]:
        """Of all areas, in the order of addresses."""
        now = trio.current_time()
        records = [record for area in self._node.mesh.areas.values() for record in area.records.values()]
        return [self._record(record, now) for record in sorted(records, key=lambda record: record.address)]

    def _record(self, record: Record, now: float) -> core.LinkStateRecord:
        statement = self._node.mesh.flooding.store.get((record.namespace, KIND, record.address))
        return core.LinkStateRecord(
            node=record.address,
            name=self._name(record.address),
            instance=record.instance,
            sequence=record.sequence,
            age=float(statement.age(now)) if statement is not None else 0.0,
            relaying=RELAYING[record.relay],
            neighbours=[core.Edge(peer, self._name(peer), cost) for peer, cost in sorted(record.neighbours.items())],
            attached=list(record.attached),
        )

    def routes(self, destination: bytes | None) -> list[core.Route]:
        """Raises Unreachable if no path leads to the one that is asked for."""
        found = [route for area in self._node.mesh.areas.values() for route in self._of_area(area, destination)]
        if destination is not None and not found:
            found = self._by_hub(destination)
        if destination is not None and destination != self._node.address and not found:
            raise Unreachable("no path leads to the node", hint="`glow why NODE` says what is known of it")
        return sorted(found, key=lambda route: (route.cost, route.destination))

    def _by_hub(self, destination: bytes) -> list[core.Route]:
        """The way to the hub that takes packets to a node of another namespace; how it goes on only the hub knows."""
        hub = self._node.mesh.hub_for(destination)
        found = self.routes(hub) if hub is not None else []
        beyond = {"destination": destination, "name": "", "hub": hub, "hub_name": self._name(hub or b"")}
        return [replace(route, **beyond) for route in found[:1]]

    def _of_area(self, area: Area, only: bytes | None) -> list[core.Route]:
        routes = area.routes()
        wanted = [address for address in routes if only in (None, address)]
        alternates = area.alternates(wanted)
        return [self._route(area, address, *routes[address], alternates.get(address)) for address in wanted]

    def _route(
        self, area: Area, destination: bytes, cost: int, link: Any, alternate: tuple[int, bytes] | None
    ) -> core.Route:
        waypoints = list(self._node.peers.sessions.waypoints(destination))
        return core.Route(
            destination=destination,
            name=self._name(destination),
            next_hop=link.peer_address,
            next_name=self._name(link.peer_address),
            link=link.kind,
            round_trip=link.liveness.rtt,
            cost=cost,
            hops=len(area.paths.to(destination)),
            queued=link.queue.transit.charged,
            alternate=alternate[1] if alternate is not None else None,
            alternate_name=self._name(alternate[1]) if alternate is not None else "",
            waypoints=waypoints,
            waypoint_names=[self._name(waypoint) for waypoint in waypoints],
        )
