"""What bulk does to calls and to other bulk; `make simulate` measures more cases."""

import pytest

from bench.congestion import JAIN, load, one_link, one_relay
from node.simulator.scenario import LinkEntry


@pytest.mark.parametrize(("mbit", "latency"), [(20.0, 0.5), (20.0, 50.0), (100.0, 10.0)])
def test_calls_are_quick_beside_bulk_that_fills_a_link(mbit: float, latency: float) -> None:
    made = one_link(mbit, latency)
    assert made.calm, made
    assert sum(made.rates.values()) * 8 > 0.9 * mbit * 1e6


@pytest.mark.parametrize(("mbit", "latency"), [(20.0, 10.0), (100.0, 0.5)])
def test_bulk_flows_over_one_relay_get_equal_shares(mbit: float, latency: float) -> None:
    made = one_relay(mbit, latency)
    assert made.jain >= JAIN, made
    assert made.calm, made


def test_a_long_way_gets_its_share_beside_a_short_one() -> None:
    links = [LinkEntry("a", "relay", 20.0, 1000.0), LinkEntry("b", "relay", 1.0, 1000.0)]
    made = load([*links, LinkEntry("relay", "target", 0.5, 50.0)], [("a", "target"), ("b", "target")], [])
    assert made.jain >= JAIN, made
