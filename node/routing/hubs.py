"""Who connects namespaces, and what this node does where it is one of these.

Source: docs/concepts/wire.md, section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import NamedTuple

from node.routing.area import Area, Routes
from node.routing.record import ATTACHED
from node.routing.tables import Nearest, Roster, Table, add_nearest


class NoHubs:
    """The roster of a mesh in which nobody connects namespaces."""

    def hubs(self, namespace: bytes) -> Collection[bytes]:
        return ()

    def lists(self, namespace: bytes, address: bytes) -> bool:
        return True


class Crossing(NamedTuple):
    """A way from one namespace into another: the link by which, and both namespaces."""

    link: Hashable
    source: bytes
    target: bytes


class Hubs:
    """The hubs of all areas of the node `own`. `served`: the namespaces in which it is one itself."""

    def __init__(self, own: bytes, roster: Roster) -> None:
        self.served: frozenset[bytes] = frozenset()
        self._own = own
        self._roster = roster
        self._known: Mapping[bytes, frozenset[bytes]] = {}
        self._ways: dict[bytes, tuple[Hashable, bytes]] = {}  # address -> link, the namespace that it belongs to

    def look(self, namespaces: Iterable[bytes]) -> frozenset[bytes] | None:
        """Asks the roster anew: where this node has become a hub, or is none any more. None if nobody has."""
        known = {namespace: frozenset(self._roster.hubs(namespace)) for namespace in namespaces}
        if known == self._known:
            return None
        before, self._known = self.served, known
        self.served = frozenset(namespace for namespace in known if self._own in known[namespace])
        return before ^ self.served

    def connect(self, areas: Iterable[tuple[Area, Routes]]) -> None:
        """Takes the routes of the served areas: only to members, so that nothing that crosses goes on to a hub."""
        nearest: Nearest = {}
        for area, routes in areas:
            for destination, (distance, link) in routes.items():
                add_nearest(nearest, destination, distance, area.namespace, link)
        self._ways = {node: (link, namespace) for node, (_, namespace, link) in nearest.items()}

    def cross(self, destination: bytes, namespaces: Collection[bytes]) -> Crossing | None:
        """The way of what came from these namespaces into another, if this node is a hub in both."""
        source = min(self.served.intersection(namespaces), default=None)
        way = self._ways.get(destination)
        return Crossing(way[0], source, way[1]) if source is not None and way is not None else None

    def other(self, destination: bytes, table: Table, namespaces: Collection[bytes]) -> bytes | None:
        """Another hub, which takes packets to an address that has no certificate; None if there is none.

        What this node can take across itself goes to no other hub.
        """
        if table.hub is None and not table.attached:
            return None
        if self.cross(destination, namespaces) or any(self._roster.lists(space, destination) for space in namespaces):
            return None
        return table.attached.get(destination, table.hub)

    def foreigners(self, namespace: bytes, near: Iterable[tuple[bytes, Collection[bytes]]]) -> tuple[bytes, ...]:
        """Which neighbours, each with the namespaces of its link, the record for a namespace names: the lowest 256."""
        if namespace not in self.served:
            return ()
        attached = {address for address, namespaces in near if not self.served.isdisjoint(namespaces)}
        return tuple(sorted(address for address in attached if not self._roster.lists(namespace, address))[:ATTACHED])
