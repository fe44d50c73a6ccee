"""How soon a session is over a loss: what is resent and when, on paths that lose much, or everything for a while."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firefly.congestion import CongestionWindow
from firefly.lane import Sending
from firefly.packet import INTERACTIVE
from firefly.testing.wire import End, Link, Wire

MANY = 2000


def _opened(seed: int, delay: float) -> tuple[Wire, End, End, Link]:
    wire = Wire(seed)
    one, other = wire.end(), wire.end()
    link = wire.link(one, other, delay=delay)
    one.open(other)
    wire.run_until(lambda: bool(one.opened_sessions and other.opened_sessions))
    wire.run(1.0)
    return wire, one, other, link


def _records(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def _sending(count: int) -> Sending:
    """Record n left at n seconds."""
    sending = Sending(CongestionWindow())
    for number in range(count):
        sending.sent(b"%d" % number, float(number), "link")
    return sending


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), delay=st.sampled_from([0.0, 0.01, 0.1]), loss=st.floats(0, 0.3))
def test_many_records_get_through_a_path_that_loses_a_third(seed: int, delay: float, loss: float) -> None:
    """More gaps than an ACK has ranges for must not make the round trip look long, and the sender wait."""
    wire, one, other, link = _opened(seed, delay)
    link.loss = loss
    one.send(other, INTERACTIVE, *_records(MANY))
    wire.run_until(lambda: len(other.got[INTERACTIVE]) == MANY, 120.0)
    assert other.got[INTERACTIVE] == _records(MANY)
    assert not one.closed_sessions
    assert (one.session(other).srtt or 0.0) < 10 * (delay + 0.01)


@pytest.mark.parametrize("count", [30, 500, MANY])
def test_a_window_that_was_lost_as_a_whole_is_sent_again_in_few_round_trips(count: int) -> None:
    wire, one, other, link = _opened(1, 0.01)
    link.loss = 1.0
    one.send(other, INTERACTIVE, *_records(count))
    wire.run(1.0)
    link.loss = 0.0
    wire.run_until(lambda: len(other.got[INTERACTIVE]) == count, 2.5)


def test_a_dead_path_is_not_flooded() -> None:
    wire, one, other, link = _opened(1, 0.01)
    link.loss = 1.0
    one.send(other, INTERACTIVE, *_records(MANY))
    wire.run(1.0)
    before = len(wire.log)
    wire.run(20.0)
    assert len([sent for sent in wire.log[before:] if sent.source == one.address]) < 20


def test_only_the_highest_that_was_ever_acknowledged_measures_the_round_trip() -> None:
    sending = _sending(10)
    highest = sending.in_flight[7]
    assert sending.acknowledge(1, [(7, 8)]) is highest
    assert sending.acknowledge(6, [(7, 8)]) is None  # they came before, but there was no room to say so
    assert sending.acknowledge(9, []) is not None
    assert sending.acknowledge(9, []) is None


def test_what_was_sent_twice_does_not_measure_the_round_trip() -> None:
    sending = _sending(3)
    assert sending.again(sending.in_flight[2])
    assert sending.next_resent(10.0, "link") == b"2"
    assert sending.acknowledge(3, []) is None
    assert sending.repaired == 1


def test_twice_as_much_of_what_is_late_follows_what_was_repaired() -> None:
    sending = _sending(20)
    for counter in (0, 1):
        sending.again(sending.in_flight[counter])
        sending.next_resent(100.0, "link")
    sending.acknowledge(2, [])
    late = 19.5 + sending.round_trip.expected()
    assert sending.find_late(late)
    assert [record.packet for record in sending.in_flight.values() if record.queued] == [b"2", b"3", b"4", b"5"]
    sending.acknowledge(2, [])
    assert not sending.find_late(late)  # nothing new was told


def test_what_is_not_late_is_left_alone() -> None:
    sending = _sending(4)
    sending.again(sending.in_flight[0])
    sending.next_resent(4.0, "link")
    sending.acknowledge(1, [])
    assert not sending.find_late(sending.round_trip.expected())


def test_who_sends_again_in_vain_learns_that_answers_take_longer() -> None:
    """A round trip far above the first guess: all is sent again before its ACK can come, and that measures nothing."""
    wire, one, other, link = _opened(1, 0.001)
    link.delay = 0.6
    for number in range(400):
        one.send(other, INTERACTIVE, number.to_bytes(4, "big"))
        wire.run(0.01)
    before = one.session(other).counters.resent
    for number in range(400):
        one.send(other, INTERACTIVE, number.to_bytes(4, "big"))
        wire.run(0.01)
    assert one.session(other).counters.resent - before < 20
    assert one.session(other).srtt == pytest.approx(1.2, rel=0.1)
