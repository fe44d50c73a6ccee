"""Patience follows what was measured, within its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.round_trip import GRACE, MAX_PATIENCE, MIN_PATIENCE, RoundTrip


@given(st.lists(st.floats(-1, 5), min_size=1, max_size=50))
def test_patience_covers_what_was_measured_and_is_never_below_20_ms(samples: list[float]) -> None:
    trip = RoundTrip()
    for sample in samples:
        trip.measure(sample)
    assert trip.smoothed is not None
    assert max(0, min(samples)) <= trip.smoothed <= max(1e-5, *samples)
    assert trip.patience() >= max(MIN_PATIENCE, trip.smoothed)


def test_a_steady_round_trip_is_learnt() -> None:
    trip = RoundTrip()
    assert trip.smoothed is None
    for _ in range(50):
        trip.measure(0.1)
    assert trip.smoothed == pytest.approx(0.1)
    assert trip.expected() == pytest.approx(0.1125 + GRACE, abs=1e-3)


def test_patience_doubles_up_to_2_s_and_comes_back() -> None:
    trip = RoundTrip()
    trip.measure(0.1)
    first = trip.patience()
    trip.back_off()
    assert trip.patience() == 2 * first
    for _ in range(100):
        trip.back_off()
    assert trip.patience() == MAX_PATIENCE
    trip.path_changed()
    assert trip.patience() == first


def test_a_path_slower_than_2_s_is_waited_for() -> None:
    trip = RoundTrip()
    trip.measure(5.0)
    trip.back_off()
    assert trip.patience() > 5.0
