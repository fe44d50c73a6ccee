"""Times as a person writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.5s", 1.5), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0s", 0), ("1e-07s", 1e-7)],
)
def test_both_ways(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("1.5", 1.5), ("0.5h", 1800), ("120s", 120), ("1e3", 1000)])
def test_other_spellings(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "5 minutes", "--1", "1:30"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="float"):
        parse_duration(text)


@given(st.floats(min_value=0, max_value=1e12))
def test_every_time_reads_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
