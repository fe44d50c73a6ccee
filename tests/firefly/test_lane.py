"""A lane against a model of it: what is acknowledged, lost, held, and said about it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.congestion import CongestionWindow
from firefly.errors import BadRecord
from firefly.lane import CUT, HELD_COST, MAX_RANGES, MORE, Range, Receiving, Sending
from firefly.room import Room


def _sending(count: int, now: float = 0.0, link: object = "old") -> Sending:
    sending = Sending(CongestionWindow())
    for number in range(count):
        sending.sent(bytes((number % 256,)) * 10, now, link)
    return sending


def _receiving(room: int = 10**6) -> Receiving:
    return Receiving(Room(room))


def _spans(counters: set[int]) -> list[Range]:
    """The ranges of a set, the simple way."""
    starts = sorted(counter for counter in counters if counter - 1 not in counters)
    ends = sorted(counter + 1 for counter in counters if counter + 1 not in counters)
    return list(zip(starts, ends, strict=True))


# --- sending


@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 40))), max_size=6))
def test_what_is_acknowledged_is_forgotten_whatever_came_before(acks: list[tuple[int, set[int]]]) -> None:
    sending = _sending(40)
    missing = set(range(40))
    for wanted, above in acks:
        ranges = _spans({counter for counter in above if wanted < counter < 40})
        assert sending.allows(wanted, ranges)
        sending.acknowledge(wanted, ranges)
        missing -= {counter for counter in missing if counter < wanted}
        missing -= {counter for first, end in ranges for counter in range(first, end)}
        assert list(sending.in_flight) == sorted(missing)
    assert sending._window.used == 10 * len(missing)


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=4))
def test_only_what_a_receiver_can_have_is_allowed(wanted: int, ranges: list[Range]) -> None:
    bounds = [wanted, *(bound for span in ranges for bound in span)]
    honest = all(earlier < later for earlier, later in pairwise(bounds)) and bounds[-1] <= 10
    assert _sending(10).allows(wanted, ranges) == honest


@given(st.integers(0, 20), st.sets(st.integers(0, 29)))
def test_lost_is_what_3_later_ones_overtook(wanted: int, above: set[int]) -> None:
    sending = _sending(30)
    arrived = {counter for counter in above if counter > wanted}
    sending.acknowledge(wanted, _spans(arrived))
    sending.find_lost(_spans(arrived), 1.0)
    queued = {counter for counter, record in sending.in_flight.items() if record.queued}
    missing = set(range(wanted, 30)) - arrived
    assert queued == {counter for counter in missing if sum(later > counter for later in arrived) >= 3}


def test_what_left_too_lately_is_not_lost_yet() -> None:
    sending = _sending(5, now=1.0)
    sending.round_trip.measure(2.0)
    sending.acknowledge(0, [(1, 5)])
    assert not sending.find_lost([(1, 5)], 1.4)
    assert sending.find_lost([(1, 5)], 1.5)
    assert sending.next_resent(1.5, None) is not None
    expected = sending.round_trip.expected()
    assert not sending.find_lost([(1, 5)], 1.4 + expected)
    assert sending.find_lost([(1, 5)], 1.6 + expected)


def test_a_record_is_queued_once_and_not_when_it_has_arrived() -> None:
    sending = _sending(3)
    for _ in range(2):
        sending.path_lost("old")
    sending.acknowledge(2, [])
    assert sending.next_resent(1.0, "new") == bytes((2,)) * 10
    assert sending.next_resent(1.0, "new") is None
    assert sending.in_flight[2].link == "new"
    sending.path_lost("old")
    assert not sending.resending


def test_the_end_gives_the_window_back() -> None:
    sending = _sending(3)
    sending.clear()
    assert sending._window.used == 0
    assert sending.oldest() is None
    assert sending.first_missing() == 3


# --- receiving


@given(st.lists(st.integers(0, 60), max_size=120))
def test_any_order_becomes_the_right_one(counters: list[int]) -> None:
    receiving = _receiving()
    taken: list[int] = []
    for counter in counters:
        if counter == receiving.wanted:
            taken.append(counter)
            receiving.wanted += 1
            while (held := receiving.next_held()) is not None:
                taken.append(int.from_bytes(held, "big"))
        else:
            new = counter > receiving.wanted and counter not in receiving.held
            assert receiving.hold(counter, counter.to_bytes(1, "big")) == new
        spans = _spans(set(receiving.held))
        said = receiving.ranges()
        assert said == (spans if len(spans) <= MAX_RANGES else [*spans[: MAX_RANGES - 1], spans[-1]])
    assert taken == list(range(len(taken)))
    assert set(receiving.held) == {counter for counter in counters if counter > receiving.wanted}
    assert receiving._room.used == len(receiving.held) * (HELD_COST + 1)


def test_without_room_nothing_more_is_held() -> None:
    receiving = _receiving(2 * HELD_COST + 10)
    assert [receiving.hold(counter, b"12345") for counter in (2, 4, 6)] == [True, True, False]
    assert receiving.ranges() == [(2, 3), (4, 5)]
    receiving.clear()
    assert receiving._room.used == 0
    assert receiving.hold(6, b"12345")


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 3000))
def test_a_record_that_is_cut_is_whole_again_at_the_other_end(record: bytes, size: int) -> None:
    sending, receiving = Sending(CongestionWindow()), Receiving(Room(2**20))
    piece = sending.cut(record, size)
    if not sending.rest:
        assert piece == record
        assert len(record) <= CUT * size
        return
    whole = receiving.join(piece)
    while whole is None:
        assert len(piece) <= CUT * size + len(MORE)
        piece = sending.next_piece(size)
        whole = receiving.join(piece)
    assert whole == record
    assert sending.rest == b""


def test_pieces_of_more_than_a_packet_are_refused() -> None:
    receiving = Receiving(Room(2**20))
    for _ in range(69):
        assert receiving.join(MORE + bytes(1000)) is None
    with pytest.raises(BadRecord):
        receiving.join(MORE + bytes(1000))
