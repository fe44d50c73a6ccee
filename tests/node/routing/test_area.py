"""One namespace: what makes it compute, how often, and what bridges a loss."""

import math

from node.routing.area import EAGER_NODES, PACE, Area
from node.routing.record import Record

OWN, TWO, THREE, FOUR = (bytes([number]) * 16 for number in range(1, 5))


def record(address: bytes, **neighbours: int) -> Record:
    names = {"own": OWN, "two": TWO, "three": THREE, "four": FOUR}
    return Record(bytes(32), address, bytes(8), 1, neighbours={names[name]: cost for name, cost in neighbours.items()})


def square() -> Area:
    """Own and four are opposite corners; the way over two is the shorter one."""
    area = Area(bytes(32), OWN)
    area.link_up("to two", TWO, 1, 0.0)
    area.link_up("to three", THREE, 2, 0.0)
    area.put(record(OWN, two=1, three=2), 0.0)
    area.put(record(TWO, own=1, four=1), 0.0)
    area.put(record(THREE, own=2, four=1), 0.0)
    area.put(record(FOUR, two=1, three=1), 0.0)
    area.compute(0.0)
    return area


def test_routes_lead_by_live_links() -> None:
    assert square().routes() == {TWO: (1, "to two"), THREE: (2, "to three"), FOUR: (2, "to two")}


def test_a_lost_neighbour_is_bridged_by_who_will_not_send_it_back() -> None:
    area = square()
    assert area.link_down("to two", TWO)
    assert area.routes() == {THREE: (2, "to three"), FOUR: (3, "to three"), TWO: (4, "to three")}
    area = square()
    assert area.link_down("to three", THREE)
    assert area.routes() == {TWO: (1, "to two"), FOUR: (2, "to two"), THREE: (3, "to two")}
    assert area.link_down("to two", TWO)
    assert area.routes() == {}


def test_a_link_that_was_not_there_takes_nothing_with_it() -> None:
    area = square()
    assert not area.link_down("other", FOUR)
    assert not area.link_down("other", TWO)


def test_only_a_change_of_edges_asks_for_a_computation() -> None:
    area = square()
    area.put(record(FOUR, two=1, three=1), 5.0)
    assert area.due == math.inf
    area.put(record(FOUR, two=1), 5.0)
    assert area.due == 5.0
    area.compute(5.0)
    area.discard(b"unknown", 6.0)
    assert area.due == math.inf
    area.discard(FOUR, 6.0)
    assert area.due == 6.0


def test_a_big_area_computes_in_proportion_to_its_size() -> None:
    area = Area(bytes(32), OWN)
    nodes = EAGER_NODES + 36
    for number in range(nodes - 1):
        area.put(record(number.to_bytes(16, "big")), 0.0)
    area.compute(10.0)
    area.put(record(FOUR, own=1), 10.0)
    assert area.due == 10.0 + PACE * nodes
    area.compute(10.0)
    area.put(record(FOUR, own=2), 11.0)
    assert area.due == 11.0
