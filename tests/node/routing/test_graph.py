"""Shortest paths against a slow and plain computation, ties, end points, loops and alternates."""

import math
from itertools import combinations, pairwise, permutations

from hypothesis import assume, given
from hypothesis import strategies as st

from node.routing.graph import Graph, broken, graph_of, is_loop_free, shortest_paths
from node.routing.record import Record, Relay

NODES = [bytes([number]) * 16 for number in range(1, 7)]


def record(address: bytes, neighbours: dict[bytes, int], relay: Relay = Relay.ALWAYS) -> Record:
    return Record(bytes(32), address, bytes(8), 1, relay, neighbours)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    edges: dict[bytes, dict[bytes, int]] = {node: {} for node in NODES}
    for one, two in combinations(NODES, 2):
        cost = draw(st.none() | st.integers(1, 4))
        if cost is not None:
            edges[one][two] = edges[two][one] = cost
    return Graph(edges, frozenset(draw(st.sets(st.sampled_from(NODES), max_size=3))))


def every_path(graph: Graph, source: bytes, destination: bytes) -> dict[tuple[bytes, ...], int]:
    """All paths without a repeated node whose inner nodes forward, with their costs."""
    between = [node for node in NODES if node not in (source, destination) and node not in graph.ends]
    found = {}
    for length in range(len(between) + 1):
        for inner in permutations(between, length):
            path = (source, *inner, destination)
            steps = [graph.edges[one].get(two) for one, two in pairwise(path)]
            if None not in steps:
                found[path] = sum(step for step in steps if step is not None)
    return found


@given(graphs())
def test_paths_are_the_shortest(graph: Graph) -> None:
    paths = shortest_paths(graph, NODES[0])
    for destination in NODES[1:]:
        candidates = every_path(graph, NODES[0], destination)
        best = min(candidates.values(), default=None)
        assert paths.distance.get(destination) == best
        path = paths.to(destination)
        assert bool(path) == bool(candidates)
        if path:
            assert candidates[(NODES[0], *path)] == best
            assert paths.first[destination] == path[0]


@given(graphs())
def test_of_equal_paths_the_one_over_the_lower_last_hop_is_taken(graph: Graph) -> None:
    paths = shortest_paths(graph, NODES[0])
    for destination in NODES[1:]:
        candidates = every_path(graph, NODES[0], destination)
        best = min(candidates.values(), default=math.inf)
        last_hops = [path[-2] for path, cost in candidates.items() if cost == best]
        assert paths.parent.get(destination) == min(last_hops, default=None)


@given(graphs(), graphs())
def test_a_way_is_broken_if_one_of_its_edges_is_gone(before: Graph, after: Graph) -> None:
    paths = shortest_paths(before, NODES[0])
    found = broken(paths, after)
    for destination in NODES[1:]:
        steps = pairwise([NODES[0], *paths.to(destination)])
        assert (destination in found) is any(two not in after.edges[one] for one, two in steps)


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(graph: Graph, random: object) -> None:
    shuffled = {node: dict(reversed(graph.edges[node].items())) for node in reversed(NODES)}
    assert shortest_paths(Graph(shuffled, graph.ends), NODES[0]) == shortest_paths(graph, NODES[0])


@given(graphs(), st.sampled_from(NODES), st.sampled_from(NODES))
def test_forwarding_hop_by_hop_does_not_loop(graph: Graph, source: bytes, destination: bytes) -> None:
    assume(destination in shortest_paths(graph, source).first)
    node, distance = source, math.inf
    while node != destination:
        paths = shortest_paths(graph, node)
        assert paths.distance[destination] < distance
        assert node == source or node not in graph.ends
        distance, node = paths.distance[destination], paths.first[destination]


@given(graphs(), st.sampled_from(NODES[1:]), st.sampled_from(NODES[1:]))
def test_a_loop_free_alternate_never_comes_back(graph: Graph, neighbour: bytes, destination: bytes) -> None:
    here, there = shortest_paths(graph, NODES[0]), shortest_paths(graph, neighbour)
    assume(neighbour in graph.edges[NODES[0]] and destination in here.distance)
    assume(neighbour == destination or neighbour not in graph.ends)
    if is_loop_free(here, there, destination):
        node = neighbour
        while node != destination:
            node = shortest_paths(graph, node).first[destination]
            assert node != NODES[0]


def test_an_edge_counts_only_from_both_ends_at_the_larger_cost() -> None:
    one, two, liar = NODES[:3]
    graph = graph_of(
        {
            one: record(one, {two: 7}),
            two: record(two, {one: 9}),
            liar: record(liar, {one: 1, two: 1}),
        }
    )
    assert graph.edges == {one: {two: 9}, two: {one: 9}, liar: {}}
    assert shortest_paths(graph, one).to(liar) == []


def test_who_never_relays_is_reached_but_not_passed() -> None:
    one, end, last = NODES[:3]
    graph = graph_of(
        {
            one: record(one, {end: 1}),
            end: record(end, {one: 1, last: 1}, Relay.NEVER),
            last: record(last, {end: 1}),
        }
    )
    assert shortest_paths(graph, one).to(end) == [end]
    assert shortest_paths(graph, one).to(last) == []
    assert shortest_paths(graph, end).to(last) == [last]


def test_a_source_without_a_record_reaches_nothing() -> None:
    paths = shortest_paths(Graph(), NODES[0])
    assert paths.distance == {NODES[0]: 0}
    assert paths.to(NODES[0]) == paths.to(NODES[1]) == []
