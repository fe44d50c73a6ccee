"""Scenarios as they are written, and graphs to order."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.simulator import generators
from node.simulator.named import find
from node.simulator.scenario import BadScenario, LinkEntry, load, parse


def degrees(links: list[LinkEntry]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for link in links:
        for end in link.pair:
            found[end] += 1
    return found


def test_the_whole_form() -> None:
    scenario = parse(
        b"""{"nodes": [{"id": 1, "x": 0.5}], "links": [{"source": 1, "target": "b", "latency_ms": 2.5,
        "bandwidth_mbit": 10, "quality": 3}], "duration": 20, "silent": true, "changes": [
        {"at": 5, "remove": {"nodes": [{"id": "b"}]}}, {"at": 6, "add": {"links": [{"source": "c", "target": 1}]}},
        {"at": 7, "graph": {"links": []}}]}"""
    )
    assert scenario.links == [LinkEntry(1, "b", 2.5, 10)]
    assert [change.at for change in scenario.changes] == [5, 6, 7]


def test_bare_links_are_a_scenario() -> None:
    scenario = parse(b'{"links": [{"source": "a", "target": "b"}]}')
    assert (scenario.duration, scenario.silent, scenario.links[0].latency_ms) == (60, False, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no scenario"),
        ("[]", "no scenario"),
        ("{}", "links"),
        ('{"links": [{"source": "a"}]}', "target"),
        ('{"links": [{"source": "a", "target": "a"}]}', "itself"),
        ('{"links": [{"source": "a", "target": "b", "latency_ms": -1}]}', "latency"),
        ('{"links": [{"source": "a", "target": "b", "bandwidth_mbit": -1}]}', "bandwidth"),
        ('{"links": [], "duration": 0}', "lasts 0"),
        ('{"links": [], "duration": 1e9}', "lasts"),
        ('{"links": [], "changes": [{"at": 61}]}', "a change at 61"),
        ('{"links": [], "silent": "yes"}', "silent"),
        ("[" * 100_000, "no scenario"),
        (msgspec.json.encode({"links": [{"source": 0, "target": n} for n in range(1, 4098)]}).decode(), "too big"),
    ],
)
def test_what_cannot_be_run_says_why(text: str, reason: str) -> None:
    with pytest.raises(BadScenario) as caught:
        parse(text.encode())
    assert reason in f"{caught.value.message} {caught.value.cause}"
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_a_scenario_or_say_why_not(data: bytes) -> None:
    with suppress(BadScenario):
        assert parse(data).duration > 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match="cannot be read"):
        load(tmp_path / "none.json")
    with pytest.raises(BadScenario, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "nodes", "links"),
    [("line:10", 10, 9), ("ring:10", 10, 10), ("star:10", 10, 9), ("tree:15", 15, 14), ("grid:4x3", 12, 17)],
)
def test_graphs_by_name(name: str, nodes: int, links: int) -> None:
    scenario = find(name, 1)
    assert (len(degrees(scenario.links)), len(scenario.links)) == (nodes, links)


@pytest.mark.parametrize("name", ["grid:4", "ring:3x3", "moebius:9", "line:1", "grid:99x99", "line:99999"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadScenario) as caught:
        find(name, 1)
    assert "grid:7x7" in caught.value.hint


def test_random_graphs_are_the_same_for_the_same_seed() -> None:
    assert find("mobility:20", 5) == find("mobility:20", 5) != find("mobility:20", 6)
    assert find("random:20", 5) == find("random:20", 5) != find("random:20", 6)
    assert min(degrees(generators.biconnected(30, 15, Random(1))).values()) >= 2
    near = generators.geometric(40, 1000.0, 200.0, Random(1))
    assert 0 < len(near) < 40 * 39 / 2


def test_mobility_moves_and_churn_replaces() -> None:
    moving = generators.mobility(50, 150, 60.0, 10.0, 60.0, Random(2))
    assert len(moving.links) == 150
    graphs = [change.graph for change in moving.changes if change.graph is not None]
    assert len(graphs) == 5
    assert all(graph.links != moving.links for graph in graphs)
    dying = generators.churn(100, 0.02, 10.0, Random(3))
    assert len(dying.changes) == 9
    for change in dying.changes:
        assert change.remove is not None
        assert change.add is not None
        assert len(change.remove.nodes) == 2
        assert len(change.add.links) == 8
