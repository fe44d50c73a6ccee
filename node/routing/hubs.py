"""Who connects namespaces, and what this node does where it is one of these.

Source: docs/concepts/wire.md, section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple

from node.routing.record import ATTACHED
from node.routing.tables import Roster, Table, Ways


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

    def __init__(self, own: bytes, roster: Roster, ways: Ways) -> None:
        self.served: frozenset[bytes] = frozenset()
        self.admitted: dict[bytes, Hashable] = {}
        self.used: dict[bytes, Hashable] = {}
        self._own = own
        self._roster = roster
        self._known: Mapping[bytes, frozenset[bytes]] = {}
        self._ways = ways

    def look(self, namespaces: Iterable[bytes]) -> frozenset[bytes] | None:
        """Asks the roster anew: where this node has become a hub, or is none any more. None if nobody has."""
        known = {namespace: frozenset(self._roster.hubs(namespace)) for namespace in namespaces}
        if known == self._known:
            return None
        before, self._known = self.served, known
        self.served = frozenset(namespace for namespace in known if self._own in known[namespace])
        return before ^ self.served

    def neighbour(self, address: bytes) -> Hashable | None:
        """The link to a neighbour that is in no namespace of this node, for packets of this node itself."""
        return self.used.get(address) or self.admitted.get(address)

    def cross(self, destination: bytes, namespaces: Collection[bytes]) -> Crossing | None:
        """The way of what came from these namespaces into another, if this node is a hub in both."""
        source = min((space for space in namespaces if space in self.served or space in self.admitted), default=None)
        way = self._ways.find(destination, self.served)  # to members only: what crosses goes on to no hub
        if way is None and destination in self.admitted:
            way = self.admitted[destination], destination
        return Crossing(way[0], source, way[1]) if source is not None and way is not None else None

    def other(self, destination: bytes, table: Table, namespaces: Collection[bytes], own: bool) -> bytes | None:
        """Another hub, which takes packets to an address that has no certificate; None if there is none.

        `own`: they are of this node itself, which may use hubs of others. What this node can take across itself goes
        to no other hub.
        """
        hub = table.hub
        if hub is None and own:
            hub = min(self.used, default=None)
        if hub is None and not table.attached:
            return None
        if self.cross(destination, namespaces) or any(self._roster.lists(space, destination) for space in namespaces):
            return None
        return table.attached.get(destination, hub)

    def foreigners(self, namespace: bytes, attached: Iterable[bytes]) -> tuple[bytes, ...]:
        """Which of those that are `attached` the record for a namespace names: the lowest 256 that are not in it."""
        if namespace not in self.served:
            return ()
        foreign = (address for address in attached if not self._roster.lists(namespace, address))
        return tuple(islice(foreign, ATTACHED))

    def attached(self, near: Iterable[tuple[bytes, Collection[bytes]]]) -> list[bytes]:
        """Those of the neighbours, each with the namespaces of its link, that this node connects with others."""
        served = {address for address, namespaces in near if not self.served.isdisjoint(namespaces)}
        return sorted(served | self.admitted.keys())
