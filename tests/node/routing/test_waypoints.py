"""Ways by waypoints, against a slow and plain computation on small graphs."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from firefly.detour import MAX_WAYPOINTS, Way
from node.routing.graph import Graph, shortest_paths
from node.routing.waypoints import find_way
from tests.node.routing.test_graph import NODES, every_path, graphs

START, END = NODES[0], NODES[-1]
SUSPICION = st.dictionaries(st.sampled_from(NODES[1:-1]), st.integers(1, 3))


def found(graph: Graph, suspicion: Mapping[bytes, int]) -> Way | None:
    return find_way(graph, shortest_paths(graph, START), END, suspicion)


def walked(graph: Graph, way: Way) -> list[bytes]:
    """Where a packet comes by: a leg to a neighbour is the link to it, others follow the ordinary routes."""
    nodes, here = [], START
    for leg_end in (*way.waypoints, END):
        route = shortest_paths(graph, here).to(leg_end)
        nodes += [leg_end] if leg_end in graph.edges[here] else route
        here = leg_end
    return nodes[:-1]


def weight(nodes: object, suspicion: Mapping[bytes, int]) -> int:
    return sum(suspicion.get(node, 0) for node in nodes)  # type: ignore[attr-defined]


@given(graphs(), SUSPICION)
def test_a_way_leads_by_the_least_suspected_nodes(graph: Graph, suspicion: dict[bytes, int]) -> None:
    paths = every_path(graph, START, END)
    way = found(graph, suspicion)
    if not paths:
        assert way is None
        return
    assert way is not None
    assert weight(way.nodes, suspicion) == min(weight(path, suspicion) for path in paths)


@given(graphs(), SUSPICION)
def test_its_nodes_are_those_that_packets_visit(graph: Graph, suspicion: dict[bytes, int]) -> None:
    way = found(graph, suspicion)
    plain = found(graph, {})
    if way is None or way == plain:
        return
    assert len(way.waypoints) <= MAX_WAYPOINTS
    assert not set(way.waypoints) & {START, END} - set(way.nodes)
    assert list(way.nodes) == walked(graph, way)


@given(graphs())
def test_whoever_suspects_nobody_takes_the_plain_way(graph: Graph) -> None:
    plain = shortest_paths(graph, START).to(END)
    assert found(graph, {}) == (Way((), plain[:-1]) if plain else None)


@given(graphs(), st.sampled_from(NODES[1:-1]))
def test_nobody_is_ruled_out(graph: Graph, only: bytes) -> None:
    """Where all ways lead by a suspect there is a way all the same."""
    assert (found(graph, {only: 9}) is None) == (not every_path(graph, START, END))
