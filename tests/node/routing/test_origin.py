"""When our own record goes out, and how a clone of our identity gives itself away."""

import math
from itertools import pairwise

from node.routing.origin import BURST, COALESCE, COST_SETTLE, REFRESH, Origin
from node.routing.record import SEQUENCE_MAX, Record
from tests.node.routing.network import key_of

PEER = bytes(16)


def origin(random: float = 0.5) -> Origin:
    return Origin(1000, b"instance", 0.0, lambda: random)


def heard(sequence: int, instance: bytes) -> Record:
    return Record(bytes(32), key_of(1).address, instance, sequence)


def test_nothing_is_said_before_there_is_a_link() -> None:
    assert origin().next_deadline() == math.inf


def test_changes_within_20_ms_are_one_record() -> None:
    one = origin()
    one.touch(1.0)
    one.touch(1.01)
    assert one.next_deadline() == 1.0 + COALESCE
    assert one.publish({}, 1.02) == 1000
    assert one.next_deadline() == 1.02 + REFRESH


def test_refreshes_are_jittered() -> None:
    early, late = origin(0.0), origin(0.999)
    for one in (early, late):
        one.publish({}, 0.0)
    assert 0.89 * REFRESH < early.next_deadline() < 0.91 * REFRESH < 1.09 * REFRESH < late.next_deadline()


def test_a_bucket_of_ten_and_then_two_per_second() -> None:
    one, now, times = origin(), 0.0, []
    while now < 10.0:
        one.touch(now)
        now = one.next_deadline()
        one.publish({}, now)
        times.append(now)
    assert times[BURST - 1] < 0.3
    later = [time for time in times if time > 1.0]
    assert all(0.49 < after - before < 0.51 for before, after in pairwise(later))


def test_sequences_rise_by_one() -> None:
    one = origin()
    assert [one.publish({}, 0.0) for _ in range(3)] == [1000, 1001, 1002]


def test_a_cost_must_be_off_by_a_quarter_for_five_seconds() -> None:
    one = origin()
    one.publish({PEER: 100}, 0.0)
    one.costs_moved({PEER: 124}, 1.0)
    assert one.next_deadline() == REFRESH
    one.costs_moved({PEER: 75}, 2.0)
    one.costs_moved({PEER: 50}, 4.0)
    assert one.next_deadline() == 2.0 + COST_SETTLE
    one.costs_moved({PEER: 110}, 6.0)
    assert one.next_deadline() == REFRESH


def test_a_neighbour_not_published_yet_is_not_a_moved_cost() -> None:
    one = origin()
    one.publish({}, 0.0)
    one.costs_moved({PEER: 5}, 1.0)
    assert one.next_deadline() == REFRESH


def test_our_own_echo_is_nothing() -> None:
    one = origin()
    one.publish({}, 0.0)
    assert not one.heard(heard(1000, b"instance"), 1.0)
    assert not one.heard(heard(999, b"instance"), 1.0)
    assert one.next_deadline() == REFRESH


def test_an_earlier_life_is_outbid() -> None:
    one = origin()
    one.publish({}, 0.0)
    assert not one.heard(heard(5000, b"earlier!"), 1.0)
    assert not one.heard(heard(5000, b"earlier!"), 1.01)
    assert not one.heard(heard(4000, b"earlier!"), 1.01)
    assert one.next_deadline() == 1.0 + COALESCE
    assert one.publish({}, 1.02) == 5001


def test_an_earlier_life_with_our_very_sequence_is_outbid_too() -> None:
    one = origin()
    one.publish({}, 0.0)
    assert not one.heard(heard(1000, b"earlier!"), 1.0)
    assert one.publish({}, 1.02) == 1001


def test_who_bids_again_is_a_clone() -> None:
    one = origin()
    one.publish({}, 0.0)
    assert not one.heard(heard(5000, b"the twin"), 1.0)
    one.publish({}, 1.02)
    assert one.heard(heard(5002, b"the twin"), 2.0)


def test_our_own_instance_above_what_we_said_is_a_clone() -> None:
    one = origin()
    one.publish({}, 0.0)
    assert one.heard(heard(1001, b"instance"), 1.0)


def test_the_highest_sequence_cannot_be_outbid_and_harms_nothing() -> None:
    one = origin()
    one.publish({}, 0.0)
    one.heard(heard(SEQUENCE_MAX, b"the twin"), 1.0)
    assert one.publish({}, 2.0) == 1001


def test_rivals_are_bounded() -> None:
    one = origin()
    for number in range(100):
        one.heard(heard(2000 + number, number.to_bytes(8, "big")), 0.0)
    assert len(one._rivals) == 8
