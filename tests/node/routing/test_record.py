"""The wire form of records, and every way in which one can be wrong."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import open_envelope, sign
from firefly.errors import BadRecord
from node.routing.record import ATTACHED, KIND, NEIGHBOURS, RECORD_SIZE, Record, Relay, read_record, sign_record
from tests.node.routing.network import key_of

KEY = key_of(1)
OTHER = bytes(16)
GOOD: list[Any] = [bytes(32), bytes(8), 1, 1, [[OTHER, 1]], []]

addresses = st.binary(min_size=16, max_size=16).filter(lambda address: address != KEY.address)
records = st.builds(
    Record,
    namespace=st.binary(min_size=32, max_size=32),
    address=st.just(KEY.address),
    instance=st.binary(min_size=8, max_size=8),
    sequence=st.integers(1, 2**63 - 1),
    relay=st.sampled_from(Relay),
    neighbours=st.dictionaries(addresses, st.integers(1, 2**32 - 1), max_size=NEIGHBOURS),
    attached=st.sets(addresses, max_size=20).map(lambda chosen: tuple(sorted(chosen))),
)


def read(body: bytes) -> Record:
    return read_record(open_envelope(sign(KIND, body, KEY)))


@given(records)
def test_what_is_signed_is_read(record: Record) -> None:
    assert read_record(open_envelope(sign_record(record, KEY))) == record


def test_the_biggest_record_fits() -> None:
    many = [number.to_bytes(16, "big") for number in range(1000)]
    record = Record(
        b"\xff" * 32,
        KEY.address,
        b"\xff" * 8,
        2**63 - 1,
        neighbours=dict.fromkeys(many[:NEIGHBOURS], 2**32 - 1),
        attached=tuple(many[:ATTACHED]),
    )
    assert len(sign_record(record, KEY)) <= RECORD_SIZE


ABSURD = {
    "namespace": (0, b"short"),
    "instance": (1, bytes(9)),
    "sequence 0": (2, 0),
    "sequence negative": (2, -1),
    "sequence too big": (2, 2**63),
    "relay unknown": (3, 9),
    "neighbours no list": (4, 5),
    "neighbour short": (4, [[bytes(15), 1]]),
    "cost 0": (4, [[OTHER, 0]]),
    "cost negative": (4, [[OTHER, -1]]),
    "cost too big": (4, [[OTHER, 2**32]]),
    "cost no integer": (4, [[OTHER, 1.5]]),
    "neighbour twice": (4, [[OTHER, 1], [OTHER, 2]]),
    "neighbours out of order": (4, [[b"b" * 16, 1], [b"a" * 16, 1]]),
    "neighbour itself": (4, [[KEY.address, 1]]),
    "too many neighbours": (4, [[number.to_bytes(16, "big"), 1] for number in range(NEIGHBOURS + 1)]),
    "attached itself": (5, [KEY.address]),
    "attached twice": (5, [OTHER, OTHER]),
    "too many attached": (5, [number.to_bytes(16, "big") for number in range(ATTACHED + 1)]),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_records_are_refused(name: str) -> None:
    place, value = ABSURD[name]
    body = [*GOOD[:place], value, *GOOD[place + 1 :]]
    assert read(msgspec.msgpack.encode(GOOD))
    with pytest.raises(BadRecord):
        read(msgspec.msgpack.encode(body))


def test_later_versions_may_append() -> None:
    assert read(msgspec.msgpack.encode([*GOOD, "new"])) == read(msgspec.msgpack.encode(GOOD))


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(body: bytes) -> None:
    with suppress(BadRecord):
        read(body)


@given(st.integers(0, 80), st.integers(0, 255))
def test_mutated_bytes_raise_nothing_else(place: int, value: int) -> None:
    body = bytearray(msgspec.msgpack.encode(GOOD))
    body[place % len(body)] = value
    with suppress(BadRecord):
        read(bytes(body))


def test_we_do_not_sign_what_others_would_refuse() -> None:
    record = Record(bytes(32), KEY.address, bytes(8), 1, neighbours={KEY.address: 1})
    with pytest.raises(ValueError, match="own node"):
        sign_record(record, KEY)


def test_a_refresh_is_told_from_a_change() -> None:
    one = Record(bytes(32), OTHER, bytes(8), 1, neighbours={b"b" * 16: 1, b"a" * 16: 2})
    assert one.same_edges(Record(bytes(32), OTHER, b"restart!", 2, neighbours={b"a" * 16: 2, b"b" * 16: 1}))
    assert not one.same_edges(Record(bytes(32), OTHER, bytes(8), 2, neighbours={b"a" * 16: 2}))
    assert not one.same_edges(Record(bytes(32), OTHER, bytes(8), 2, Relay.NEVER, one.neighbours))
