"""Which of several links to a neighbour is in use."""

import math

from hypothesis import given
from hypothesis import strategies as st

from node.routing.neighbour import SETTLE, Neighbour


def test_a_better_link_is_used_after_three_seconds() -> None:
    one = Neighbour("slow", 1000)
    one.add("fast", 800, 5.0)
    assert one.next_deadline() == 5.0 + SETTLE
    assert not one.on_timer(7.9)
    assert one.on_timer(8.0)
    assert (one.link, one.cost) == ("fast", 800)
    assert one.next_deadline() == math.inf


def test_a_gain_below_ten_percent_and_two_milliseconds_is_not_worth_it() -> None:
    small, big = Neighbour("slow", 1000), Neighbour("slow", 100_000)
    small.add("fast", 901, 0.0)
    big.add("fast", 98_001, 0.0)
    assert small.next_deadline() == big.next_deadline() == math.inf
    big.add("fast", 98_000, 0.0)
    assert big.next_deadline() == SETTLE


def test_a_gain_that_does_not_last_changes_nothing() -> None:
    one = Neighbour("a", 1000)
    one.add("b", 500, 0.0)
    one.add("b", 990, 2.0)
    one.add("b", 500, 2.5)
    assert not one.on_timer(3.0)
    assert one.on_timer(5.5)


def test_the_next_best_takes_over_at_once() -> None:
    one = Neighbour("a", 1000)
    one.add("b", 3000, 0.0)
    one.add("c", 2000, 0.0)
    assert not one.remove("a")
    assert one.link == "c"
    assert not one.remove("b")
    assert not one.remove("never there")
    assert one.remove("c")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5000), st.booleans(), st.floats(0, 4))))
def test_the_link_in_use_is_always_one_of_those_that_are_up(steps: list[tuple[str, int, bool, float]]) -> None:
    one, up, now = Neighbour("a", 100), {"a"}, 0.0
    for link, cost, adds, pause in steps:
        now += pause
        if adds:
            up.add(link)
            one.add(link, cost, now)
        elif up != {link}:
            up.discard(link)
            one.remove(link)
        one.on_timer(now)
        assert one.link in up
