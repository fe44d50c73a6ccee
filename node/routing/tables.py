"""Which link a packet leaves by: tables made of the routes of one or several namespaces, as pure functions.

A member of a namespace is reached by its shortest path. An address that has no certificate there goes to the hub that
names it as attached, else to the nearest hub. Distances fall with every hop for all three.
Source: docs/concepts/wire.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from node.routing.area import Area, Routes

Nearest = dict[bytes, tuple[int, bytes, Hashable]]  # address -> distance in µs, namespace or hub, link


class Roster(Protocol):
    """What the certificates say of a namespace."""

    def hubs(self, namespace: bytes) -> Collection[bytes]:
        """The addresses of those that connect it with others."""

    def lists(self, namespace: bytes, address: bytes) -> bool:
        """Whether a node has, or had, a certificate."""


@dataclass(frozen=True, slots=True)
class Table:
    """The way on from one node in some namespaces: links to members, hubs of foreigners, and the nearest hub."""

    members: Mapping[bytes, Hashable] = field(default_factory=dict)
    attached: Mapping[bytes, bytes] = field(default_factory=dict)
    hub: bytes | None = None


class Tables:
    """The tables of the sets of namespaces that links share, each made by `make` when it is first asked for."""

    def __init__(self, make: Callable[[frozenset[bytes]], Table]) -> None:
        self._make = make
        self._made: dict[frozenset[bytes], Table] = {}

    def of(self, namespaces: frozenset[bytes]) -> Table:
        table = self._made.get(namespaces)
        if table is None:
            table = self._made[namespaces] = self._make(namespaces)
        return table

    def forget(self, namespaces: Iterable[bytes]) -> None:
        """Something has changed in these."""
        gone = set(namespaces)
        self._made = {shared: table for shared, table in self._made.items() if gone.isdisjoint(shared)}


class Ways:
    """The routes of all namespaces by destination, kept up as they change."""

    def __init__(self) -> None:
        self._known: dict[bytes, Routes] = {}
        self._by_destination: dict[bytes, dict[bytes, tuple[int, Hashable]]] = {}

    def update(self, namespace: bytes, routes: Routes) -> None:
        """The routes of a namespace are now these."""
        before, self._known[namespace] = self._known.get(namespace, {}), routes
        for destination in before.keys() - routes.keys():
            left = self._by_destination[destination]
            del left[namespace]
            if not left:
                del self._by_destination[destination]
        for destination, route in routes.items():
            self._by_destination.setdefault(destination, {})[namespace] = route

    def find(self, destination: bytes, within: Container[bytes] | None = None) -> tuple[Hashable, bytes] | None:
        """The link to a destination and its namespace: the nearest of those `within`, or of all."""
        nearest: Nearest = {}
        for namespace, (distance, link) in self._by_destination.get(destination, {}).items():
            if within is None or namespace in within:
                add_nearest(nearest, destination, distance, namespace, link)
        if not nearest:
            return None
        _, namespace, link = nearest[destination]
        return link, namespace


def make_table(own: bytes, areas: Iterable[tuple[Area, Routes]], roster: Roster) -> Table:
    """Of several namespaces that reach a node the one with the shorter way counts, then the lower namespace.

    The distance still falls with every hop: a packet that leaves in a namespace may be looked up in it on arrival.
    """
    members: Nearest = {}
    attached: Nearest = {}
    hub: Nearest = {}
    for area, routes in areas:
        for destination, (distance, link) in routes.items():
            add_nearest(members, destination, distance, area.namespace, link)
        hubs = roster.hubs(area.namespace)
        for address in hubs:
            if address in routes:
                distance, link = routes[address]
                if own not in hubs:
                    add_nearest(hub, b"", distance, address, link)
                for foreigner in area.records[address].attached:
                    if not roster.lists(area.namespace, foreigner):
                        add_nearest(attached, foreigner, distance, address, link)
    by_hub = {foreigner: address for foreigner, (_, address, _) in attached.items()}
    return Table({node: link for node, (_, _, link) in members.items()}, by_hub, hub[b""][1] if hub else None)


def add_nearest(nearest: Nearest, destination: bytes, distance: int, tie: bytes, link: Hashable) -> None:
    known = nearest.get(destination)
    if known is None or (distance, tie) < known[:2]:
        nearest[destination] = (distance, tie, link)
