"""Configuration of an executor, and the limits of a job within it."""

from __future__ import annotations

import math

import pytest

from firefly.errors import InvalidArgument
from firefly.interfaces.executor import Limits
from processes.executor.configuration import USUAL, BadConfiguration, Ceiling, read_configuration


def test_nothing_configured_gives_two_workers_and_usual_limits() -> None:
    configuration = read_configuration({})
    assert (configuration.workers, configuration.waiting) == (2, 64)
    assert configuration.ceiling.limits(None) == USUAL


def test_everything_can_be_configured() -> None:
    given = {"workers": "4", "waiting": "0", "wall": "1.5", "fuel": "1e6", "memory": "64MB", "output": "10kB"}
    configuration = read_configuration(given)
    assert (configuration.workers, configuration.waiting) == (4, 0)
    assert configuration.ceiling == Ceiling(1.5, 10**6, 64 * 10**6, 10_000)
    assert configuration.ceiling.limits(None) == configuration.ceiling


@pytest.mark.parametrize(
    "given",
    [
        {"colour": "red"},
        {"workers": "0"},
        {"workers": "1000"},
        {"workers": "two"},
        {"waiting": "-1"},
        {"wall": "0"},
        {"wall": "inf"},
        {"fuel": "nan"},
        {"memory": "1e30"},
        {"output": "MB"},
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(given: dict[str, str]) -> None:
    with pytest.raises(BadConfiguration) as caught:
        read_configuration(given)
    assert "glow create executor" in caught.value.hint


def test_a_job_may_ask_for_less_and_for_more_than_usual_up_to_the_ceiling() -> None:
    ceiling = Ceiling()
    assert ceiling.limits(Limits(wall=1.0, memory=10)) == Ceiling(1.0, USUAL.fuel, 10, USUAL.output)
    assert ceiling.limits(Limits(wall=600.0)).wall == 600.0


@pytest.mark.parametrize("wall", [601.0, 0.0, -1.0, math.inf, math.nan])
def test_what_is_over_the_ceiling_is_refused(wall: float) -> None:
    with pytest.raises(InvalidArgument, match="wall"):
        Ceiling().limits(Limits(wall=wall))
