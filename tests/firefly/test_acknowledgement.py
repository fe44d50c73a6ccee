"""What lane 0 says, and when an ACK is due."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.acknowledgement import (
    BYTES,
    DELAY,
    MAX_COUNTER,
    RECORDS,
    Ack,
    Acknowledging,
    Close,
    Control,
    Ping,
    decode_control,
    encode_control,
)
from firefly.errors import BadRecord
from firefly.lane import MAX_RANGES, Receiving
from firefly.packet import BULK, INTERACTIVE
from firefly.room import Room
from tests.firefly.mutation import garbage

counters = st.integers(0, MAX_COUNTER)
acks = st.builds(
    Ack,
    st.lists(
        st.tuples(st.integers(1, 2), counters, st.lists(st.tuples(counters, counters), max_size=MAX_RANGES)), max_size=2
    ),
    st.integers(0, 2**40),
)


@given(acks | st.just(Ping()) | st.builds(Close, st.text(max_size=256)))
def test_what_is_said_is_understood(message: Control) -> None:
    assert decode_control(encode_control(message)) == message


@given(garbage(encode_control(Ack([(1, 5, [(7, 9)]), (2, 0, [])], 100))))
def test_garbage_is_a_bad_record(data: bytes) -> None:
    try:
        message = decode_control(data)
    except BadRecord:
        return
    assert isinstance(message, Control)


@pytest.mark.parametrize(
    "message",
    [
        Ack([(0, 1, [])]),
        Ack([(3, 1, [])]),
        Ack([(1, -1, [])]),
        Ack([(1, MAX_COUNTER + 1, [])]),
        Ack([(1, 1, [(2, 3)] * (MAX_RANGES + 1))]),
        Ack([(1, 1, [])] * 3),
        Ack([], -1),
        Close("x" * 257),
    ],
)
def test_what_is_out_of_bounds_is_a_bad_record(message: Control) -> None:
    with pytest.raises(BadRecord):
        decode_control(encode_control(message))


class _Told:
    """An `Acknowledging`, and what it told."""

    def __init__(self) -> None:
        self.due: list[float] = []
        self.announced = 0
        self.part = Acknowledging(self.due.append, self._announce, 0.0)
        self.receiving = {INTERACTIVE: Receiving(Room(1000)), BULK: Receiving(Room(1000))}

    def _announce(self) -> None:
        self.announced += 1

    def take(self, now: float) -> Ack | None:
        return self.part.take(self.receiving, now)


def test_the_first_record_sets_the_time_and_the_others_do_not() -> None:
    told = _Told()
    for now in (1.0, 1.001, 1.002):
        told.part.count(10, now)
    assert told.due == [told.part.at] == [1.0 + DELAY]
    assert told.take(1.004) is None
    assert told.take(1.006) is not None
    assert told.part.at == math.inf
    assert told.take(2.0) is None


@pytest.mark.parametrize(("size", "count"), [(1, RECORDS), (BYTES // 2, 2), (BYTES, 2)])
def test_enough_records_or_bytes_make_it_due(size: int, count: int) -> None:
    told = _Told()
    for _ in range(count):
        assert told.announced == 0
        told.part.count(size, 1.0)
    assert told.announced == 1
    assert told.take(1.0) is not None
    told.part.count(1, 2.0)
    assert told.announced == 1


def test_it_says_what_came_and_how_long_ago() -> None:
    told = _Told()
    told.receiving[BULK].wanted = 7
    told.receiving[BULK].hold(9, b"")
    told.part.count(1, 1.0)
    told.part.want()
    assert told.take(1.25) == Ack([(BULK, 7, [(9, 10)])], 250_000)
