"""TOPOLOGY payloads: what is encoded is decoded, and nothing else is taken."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.errors import BadMessage
from node.routing.messages import DIGESTS, Have, Message, Pair, Signed, Want, decode_message, encode_message

digests = st.lists(st.binary(min_size=32, max_size=32), max_size=5)
messages = st.one_of(
    st.builds(Signed, age=st.integers(0, 2**31 - 1), envelope=st.binary(max_size=50)),
    st.builds(Have, namespace=st.binary(min_size=32, max_size=32), kind=st.text(max_size=20), digests=digests),
    st.builds(Want, ids=digests),
    st.builds(Pair, step=st.integers(0, 255), body=st.binary(max_size=50)),
)

BAD: list[Any] = [
    None,
    [],
    [0],
    [5, b""],
    ["SIGNED", 0, b""],
    [1],
    [1, -1, b""],
    [1, 2**31, b""],
    [1, 0, "text"],
    [1, 0, bytes(64 * 1024 + 1)],
    [2, bytes(31), "link-state", []],
    [2, bytes(32), "x" * 33, []],
    [2, bytes(32), "link-state", [bytes(31)]],
    [2, bytes(32), "link-state", [bytes(32)] * (DIGESTS + 1)],
    [3, [bytes(32)] * (DIGESTS + 1)],
    [3, bytes(32)],
    [4, 256, b""],
    [4, 1, None],
]


@given(messages)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode_message(memoryview(encode_message(message))) == message


def test_the_numbers_on_the_wire() -> None:
    assert msgspec.msgpack.decode(encode_message(Signed(7, b"e"))) == [1, 7, b"e"]
    assert msgspec.msgpack.decode(encode_message(Have(bytes(32), "k", []))) == [2, bytes(32), "k", []]
    assert msgspec.msgpack.decode(encode_message(Want([]))) == [3, []]
    assert msgspec.msgpack.decode(encode_message(Pair(1, b"b"))) == [4, 1, b"b"]


@pytest.mark.parametrize("value", BAD)
def test_what_breaks_a_bound_is_refused(value: Any) -> None:
    with pytest.raises(BadMessage):
        decode_message(msgspec.msgpack.encode(value))


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(payload: bytes) -> None:
    with suppress(BadMessage):
        decode_message(payload)


@pytest.mark.parametrize(
    "payload", [b"\x91" * 100_000, b"\x93\x01\x00\xc4\x00" + b"\x91" * 65_000, b"\x92\xa1\xff\x00"]
)
def test_deep_nesting_and_broken_text_are_refused(payload: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_message(payload)


@given(messages, st.data())
def test_cut_messages_are_refused(message: Message, data: st.DataObject) -> None:
    payload = encode_message(message)
    with pytest.raises(BadMessage):
        decode_message(payload[: data.draw(st.integers(0, len(payload) - 1))])
