from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from idl.graphs import explore

GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4))


def test_depths_are_the_longest_ways() -> None:
    edges = {"a": ["b", "c"], "b": ["c"], "c": ["d"], "d": []}
    circles, depths = explore(edges, edges.__getitem__)
    assert circles == []
    assert depths == {"a": 3, "b": 2, "c": 1, "d": 0}


def test_a_circle_begins_where_it_was_entered() -> None:
    edges = {"a": ["b"], "b": ["c"], "c": ["b", "c"]}
    assert explore(edges, edges.__getitem__)[0] == [["b", "c"], ["c"]]


@given(GRAPHS)
def test_circles_are_found_exactly_where_there_are_some(graph: dict[str, list[str]]) -> None:
    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        waiting = list(graph.get(start, []))
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, [])
        return goal in seen

    circles, depths = explore("abcdef", lambda node: graph.get(node, []))
    assert set(depths) == set("abcdef")
    assert bool(circles) is any(reaches(node, node) for node in "abcdef")
    for circle in circles:
        for node, following in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert following in graph[node]
