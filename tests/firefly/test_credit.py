"""A sender never has more under way than it was given, a fast reader is given more, and no room is ever lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.credit import MAX_WINDOW, MAX_WINDOWS, START, Budget, Window

SLOW = 10.0
"""Seconds between two renewals that are not fast, the round trip being one."""


def test_it_starts_with_room_and_is_renewed_when_half_is_consumed() -> None:
    window = Window(Budget(), now=0)
    assert window.room == START
    assert window.received(START // 2)
    assert window.consumed(START // 2 - 1, SLOW, 1) == 0
    assert window.consumed(1, SLOW, 1) == START // 2
    assert window.room == START


def test_half_a_window_within_two_round_trips_doubles_it() -> None:
    window = Window(Budget(), now=0)
    assert window.received(START // 2)
    assert window.consumed(START // 2, 1.9, 1) == START // 2 + START
    assert (window.size, window.room) == (2 * START, 2 * START)


def test_a_slow_reader_keeps_its_window() -> None:
    window = Window(Budget(), now=0)
    for turn in range(1, 20):
        assert window.received(START // 2)
        assert window.consumed(START // 2, turn * 2.0, 1) == START // 2
    assert window.size == START


def test_with_any_room_left_one_whole_message_may_come() -> None:
    window = Window(Budget(), now=0)
    assert window.received(START - 1)
    assert window.received(64 * 2**20)
    assert not window.received(1)


def test_a_window_grows_to_its_limit_only() -> None:
    window = Window(Budget(), now=0)
    for _ in range(20):
        window.received(window.size)
        window.consumed(window.size, 0, 1)
    assert window.size == window.room == MAX_WINDOW


def test_the_windows_of_a_session_share_what_they_grow_by_and_give_it_back() -> None:
    budget = Budget()
    windows = [Window(budget, now=0) for _ in range(20)]
    for window in windows:
        for _ in range(6):
            window.received(window.size)
            window.consumed(window.size, 0, 1)
    assert 0 <= budget.left < MAX_WINDOW
    assert sum(window.size - START for window in windows) == MAX_WINDOWS - budget.left
    for window in windows:
        window.close()
    assert budget.left == MAX_WINDOWS


@pytest.mark.parametrize("fast", [False, True])
@given(sizes=st.lists(st.integers(1, 2 * START), max_size=60))
def test_what_the_sender_may_send_is_what_the_receiver_has_room_for(fast: bool, sizes: list[int]) -> None:
    window = Window(Budget(), now=0)
    credit, now = START, 0.0
    for size in sizes:
        assert (credit > 0) == (window.room > 0)
        if credit <= 0:
            break
        credit -= size
        assert window.received(size)
        now += 0 if fast else SLOW
        credit += window.consumed(size, now, 1)
        assert credit == window.room


@given(st.lists(st.integers(1, START), min_size=1, max_size=60))
def test_a_sender_whose_reader_keeps_up_is_never_stuck(sizes: list[int]) -> None:
    window = Window(Budget(), now=0)
    for size in sizes:
        assert window.received(size)
        window.consumed(size, SLOW, 1)
    assert window.room > 0
