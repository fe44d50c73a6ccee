"""Bounds hold, alone and shared."""

from hypothesis import given
from hypothesis import strategies as st

from firefly.room import Room, Shelf


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 60)), max_size=40))
def test_no_room_is_overdrawn_and_all_comes_back(takes: list[tuple[int, int]]) -> None:
    shared = Room(100)
    parts = Room(70, shared), Room(70, shared)
    taken: list[tuple[int, int]] = []
    for which, size in takes:
        fits = parts[which].used + size <= 70 and shared.used + size <= 100
        assert parts[which].take(size) == fits
        if fits:
            taken.append((which, size))
        assert shared.used == parts[0].used + parts[1].used <= 100
    for which, size in taken:
        parts[which].give(size)
    assert shared.used == parts[0].used == parts[1].used == 0


def test_with_less_than_the_limit_on_a_shelf_one_more_value_may_come() -> None:
    shelf = Shelf(10)
    assert shelf.put(1, 9)
    assert shelf.put(2, 100)
    assert not shelf.put(3, 1)
    shelf.take(3)
    assert shelf.used == 109
    shelf.take(2)
    assert shelf.put(3, 1)
    shelf.clear()
    assert shelf.used == 0
