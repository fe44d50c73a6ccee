"""Who connects namespaces, and what this node does where it is one of these.

Source: docs/concepts/wire.md, section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from enum import Enum, auto
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


class Admitted(Enum):
    """What a neighbour without a certificate is to this node."""

    NODE = auto()  # this node is its hub
    HUB = auto()  # it is a hub that this node uses


class Crossing(NamedTuple):
    """A way from one namespace into another: the link by which, and both. An admitted node's address is its own."""

    link: Hashable
    source: bytes
    target: bytes


class Hubs:
    """The hubs of all areas of the node `own`.

    `served`: the namespaces in which it is one itself. By address, with the links to them, `admitted`: nodes of others
    that it serves, and `used`: hubs of others that it uses.
    """

    def __init__(self, own: bytes, roster: Roster) -> None:
        self.served: frozenset[bytes] = frozenset()
        self.admitted: dict[bytes, Hashable] = {}
        self.used: dict[bytes, Hashable] = {}
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
        self._ways = {address: (link, address) for address, link in self.admitted.items()}
        self._ways |= {node: (link, namespace) for node, (_, namespace, link) in nearest.items()}

    def with_neighbours(self, table: Table) -> Table:
        """The table for packets of this node itself, with those neighbours in it that are in no namespace of it."""
        if not self.admitted and not self.used:
            return table
        members = {**self.admitted, **self.used, **table.members}
        return Table(members, table.attached, table.hub or min(self.used, default=None))

    def cross(self, destination: bytes, namespaces: Collection[bytes]) -> Crossing | None:
        """The way of what came from these namespaces into another, if this node is a hub in both."""
        source = min((space for space in namespaces if space in self.served or space in self.admitted), default=None)
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
        attached = {address for address, namespaces in near if not self.served.isdisjoint(namespaces)} | {
            *self.admitted
        }
        return tuple(sorted(address for address in attached if not self._roster.lists(namespace, address))[:ATTACHED])
