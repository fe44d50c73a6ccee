"""Ways round nodes that swallow packets: which waypoints lead a packet by the nodes that are suspected the least.

Suspicion counts the ways that a node was on when they failed. It outweighs any cost, and nobody is ruled out: a sender
with one neighbour has to go by it. Between two waypoints packets follow the ordinary routes, so these must not lead by
anyone worse. Source: docs/concepts/wire.md, section 4; decision 0010.
"""

from collections.abc import Mapping
from itertools import accumulate

from firefly.detour import MAX_WAYPOINTS, Way
from node.routing.graph import Graph, Paths, shortest_paths

SUSPECTED = 2**44
"""What entering a node costs for each count of suspicion: more than any path of 2,048 nodes without it."""


def find_way(graph: Graph, paths: Paths, destination: bytes, suspicion: Mapping[bytes, int]) -> Way | None:
    """The way from the source of `paths`, which are those of `graph`; None if there is none within 4 waypoints."""
    plain = paths.to(destination)
    if not suspicion or not plain:
        return Way((), plain[:-1]) if plain else None
    path = shortest_paths(_wary(graph, suspicion), paths.source).to(destination)
    if _weight(path, suspicion) >= _weight(plain, suspicion):
        return Way((), plain[:-1])
    waypoints: list[bytes] = []
    nodes: list[bytes] = []
    while True:
        leg = _longest_leg(graph, paths, path, suspicion)
        nodes += leg
        path = path[path.index(leg[-1]) + 1 :]
        if not path:
            return Way(tuple(waypoints), nodes[:-1])
        if len(waypoints) == MAX_WAYPOINTS:
            return None
        waypoints.append(leg[-1])
        paths = shortest_paths(graph, leg[-1])


def _wary(graph: Graph, suspicion: Mapping[bytes, int]) -> Graph:
    """The graph as it looks to one who would rather go anywhere than by a suspect."""
    edges = dict(graph.edges)
    for suspect, count in suspicion.items():
        for neighbour, cost in graph.edges.get(suspect, {}).items():
            edges[neighbour] = {**edges[neighbour], suspect: cost + count * SUSPECTED}
    return Graph(edges, graph.ends)


def _longest_leg(graph: Graph, paths: Paths, path: list[bytes], suspicion: Mapping[bytes, int]) -> list[bytes]:
    """The nodes of an ordinary route as far along the path as it is no worse; to a neighbour the link to it, always."""
    routed = {paths.source: 0}
    for node in paths.first:  # each comes after those on the way to it
        routed[node] = routed[paths.parent[node]] + suspicion.get(node, 0)
    weights = list(accumulate(suspicion.get(node, 0) for node in path))
    for place in range(len(path) - 1, 0, -1):
        if routed[path[place]] <= weights[place]:
            return path[place : place + 1] if path[place] in graph.edges[paths.source] else paths.to(path[place])
    return path[:1]


def _weight(nodes: list[bytes], suspicion: Mapping[bytes, int]) -> int:
    return sum(suspicion.get(node, 0) for node in nodes)
