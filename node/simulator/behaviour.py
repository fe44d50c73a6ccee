"""Nodes that are certified, and do not do what they should: what `"behaviour"` in a scenario means.

drops   forwards nothing, as a waypoint neither; floods records and answers for itself like everybody
lies    claims an edge to everyone, at the least cost that a record can hold
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

from node.router import Router
from node.routing import Mesh, Record
from node.routing.mesh import Membership
from node.routing.record import NEIGHBOURS, sign_record

Behaviour = Literal["drops", "lies"]


class Switch(Router):
    """A router that may drop what it should forward."""

    drops = False

    def _send_on(self, packet: bytes, arrival: Any, onward: Any) -> None:
        if self.drops:
            self.counters["swallowed"] += 1
        else:
            super()._send_on(packet, arrival, onward)


class Routing(Mesh):
    """A mesh that may lie about its edges, and says so anew as soon as it hears of somebody."""

    lies = False
    _claimed = 0

    def receive_topology(self, link: Hashable, payload: bytes | memoryview, now: float) -> None:
        super().receive_topology(link, payload, now)
        if self.lies:
            self.claim(now)

    def claim(self, now: float) -> None:
        known = sum(len(area.records) for area in self.areas.values())
        if known != self._claimed:
            self._claimed = known
            for membership in self._memberships.values():
                membership.origin.touch(now)

    def _publish(self, namespace: bytes, membership: Membership, now: float) -> None:
        if not self.lies:
            super()._publish(namespace, membership, now)
            return
        everyone = sorted(membership.area.records.keys() - {self._key.address})[:NEIGHBOURS]
        costs = dict.fromkeys(everyone, 1)
        sequence = membership.origin.publish(costs, now)
        record = Record(namespace, self._key.address, self._instance, sequence, self._relay, costs)
        self.flooding.publish(sign_record(record, self._key), now)
