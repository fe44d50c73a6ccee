"""Shortest paths as pure functions of the records: same records, same result, whatever order they came in.

Costs are at least 1 and the same in both directions, so the distance to a destination falls with every hop, and nodes
with the same records forward without loops. Source: docs/concepts/wire.md, section 3; loop-free alternates after
RFC 5286, inequality 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from node.routing.record import Record, Relay


@dataclass(frozen=True, slots=True)
class Graph:
    """The edges of one namespace, each known from both its ends, and the nodes that forward nothing."""

    edges: Mapping[bytes, Mapping[bytes, int]] = field(default_factory=dict)
    ends: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Paths:
    """The shortest paths from `source`: each reachable node's distance (µs), last hop before it and first hop to it."""

    source: bytes
    distance: Mapping[bytes, int]
    parent: Mapping[bytes, bytes]
    first: Mapping[bytes, bytes]

    def to(self, destination: bytes) -> list[bytes]:
        """The nodes on the way, without the source, with the destination; empty if it is unreachable or the source."""
        if destination not in self.parent:
            return []
        path = [destination]
        while (before := self.parent[path[-1]]) != self.source:
            path.append(before)
        return path[::-1]


def graph_of(records: Mapping[bytes, Record]) -> Graph:
    """An edge counts only while both ends list it, at the larger cost: nobody attracts traffic alone."""
    edges: dict[bytes, dict[bytes, int]] = {}
    for address, record in records.items():
        mine = edges[address] = {}
        for neighbour, cost in record.neighbours.items():
            other = records.get(neighbour)
            back = other.neighbours.get(address) if other is not None else None
            if back is not None:
                mine[neighbour] = max(cost, back)
    ends = frozenset(address for address, record in records.items() if record.relay is Relay.NEVER)
    return Graph(edges, ends)


def shortest_paths(graph: Graph, source: bytes) -> Paths:
    """Dijkstra's algorithm. Of two equally short ways to a node, the one over the lower last hop is taken."""
    distance = {source: 0}
    parent: dict[bytes, bytes] = {}
    first: dict[bytes, bytes] = {}
    settled: set[bytes] = set()
    frontier = [(0, source)]
    while frontier:
        far, node = heappop(frontier)
        if node in settled:
            continue
        settled.add(node)
        if node != source:
            first[node] = first.get(parent[node], node)
            if node in graph.ends:
                continue
        for other, cost in graph.edges.get(node, {}).items():
            reach = far + cost
            known = distance.get(other)
            if known is None or reach < known:
                heappush(frontier, (reach, other))
            elif reach > known or other in settled or node > parent[other]:
                continue
            distance[other] = reach
            parent[other] = node
    return Paths(source, distance, parent, first)


def broken(paths: Paths, graph: Graph) -> set[bytes]:
    """The destinations of earlier `paths` whose way has an edge that is no more in `graph`."""
    found: set[bytes] = set()
    for node in paths.first:  # every node comes after those on the way to it
        before = paths.parent[node]
        if before in found or node not in graph.edges.get(before, {}):
            found.add(node)
    return found


def is_loop_free(here: Paths, there: Paths, destination: bytes) -> bool:
    """True if the neighbour that sees `there` reaches the destination without coming back to the source of `here`."""
    onward, back = there.distance.get(destination), there.distance.get(here.source)
    return onward is not None and back is not None and onward < back + here.distance[destination]
