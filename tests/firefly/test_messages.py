"""What one side says the other side reads, whatever a peer sends; only malformed records are refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from firefly.errors import BadMessage
from firefly.messages import (
    ARGUMENTS,
    MAX_CAPABILITIES,
    RESULTS,
    Cancel,
    Credit,
    End,
    Error,
    Fragment,
    Grant,
    Item,
    Message,
    Notify,
    Release,
    Request,
    Result,
    Signed,
    check_capabilities,
    decode_record,
    encode,
    join,
    transfer_mark,
    transfer_of,
)
from tests.firefly.mutation import garbage

ID, NODE = bytes(16), bytes([1]) * 16
NIL = Raw(b"\xc0")
PASSED = [(ID, NODE)]
EVERY: list[Message] = [
    Request(1, ID, 7, 1_000_000, None, NIL),
    Request(3, ID, 7, None, 9, Raw(msgspec.msgpack.encode(["text", 5])), PASSED),
    Result(1, NIL, PASSED),
    Error(3, 4, b"body"),
    Notify(ID, 8, [NIL, Raw(b"\x01")]),
    Cancel(5),
    Item(5, RESULTS, [NIL], PASSED),
    End(5, ARGUMENTS),
    End(5, ARGUMENTS, (9, b"why")),
    Credit(5, RESULTS, 100),
    Credit(ID, ARGUMENTS, 100),
    Fragment(1, 3, b"abc"),
    Grant(1, [b"envelope"]),
    Release(ID, 2),
    Signed([b"envelope"]),
]


@pytest.mark.parametrize("message", EVERY)
def test_a_message_comes_as_it_was_sent(message: Message) -> None:
    assert decode_record(encode([message])) == [message]


def test_a_record_holds_many_messages_in_order() -> None:
    assert decode_record(memoryview(encode(EVERY))) == EVERY


def test_the_tail_of_a_newer_peer_is_ignored_and_one_that_an_older_peer_lacks_is_filled() -> None:
    record = encode([[1, 1, ID, 7, None, None, None, None, "newer", 5], [2, 1, None]])
    assert decode_record(record) == [Request(1, ID, 7, None, None, NIL), Result(1, NIL)]


@pytest.mark.parametrize(
    "record",
    [b"", b"\xc1", encode(5), encode([5]), encode([[]]), encode([[99, 1]]), encode([[1, 1, ID]]), encode([[5, "1"]])],
)
def test_what_is_no_list_of_messages_is_refused(record: bytes) -> None:
    with pytest.raises(BadMessage, match="no list of messages") as caught:
        decode_record(record)
    assert caught.value.fault == "peer"


@given(garbage(encode(EVERY)))
def test_garbage_is_refused_or_read(data: bytes) -> None:
    try:
        messages = decode_record(data)
    except BadMessage:
        return
    assert all(isinstance(message, Message) for message in messages)


@pytest.mark.parametrize("deep", [b"\x91" * 60_000, b"\x81\xa0" * 60_000])
def test_a_deep_nest_is_refused(deep: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_record(deep)


@given(st.lists(st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(), max_size=40))
def test_values_that_are_encoded_join_to_a_list(values: list[Any]) -> None:
    encoded = [msgspec.msgpack.encode(value) for value in values]
    assert msgspec.msgpack.decode(join(encoded)) == values


@given(st.integers(0, 2**32 - 1))
def test_a_mark_names_its_transfer(number: int) -> None:
    assert transfer_of(Raw(transfer_mark(number))) == number


@given(st.binary(max_size=8))
def test_nothing_that_a_codec_writes_is_a_mark(text: bytes) -> None:
    assert transfer_of(Raw(msgspec.msgpack.encode(text))) is None
    assert transfer_of(Raw(msgspec.msgpack.encode(text.hex()))) is None


@pytest.mark.parametrize(
    "message",
    [
        Result(1, NIL, PASSED * (MAX_CAPABILITIES + 1)),
        Result(1, NIL, [(bytes(15), NODE)]),
        Request(1, ID, 7, None, None, NIL, [(ID, bytes(17))]),
        Item(1, RESULTS, [NIL, NIL], PASSED),
        Notify(ID, 8, [NIL, NIL], PASSED),
    ],
)
def test_capabilities_are_few_and_of_one_value(message: Any) -> None:
    with pytest.raises(BadMessage):
        check_capabilities(message)


@pytest.mark.parametrize("message", [message for message in EVERY if getattr(message, "capabilities", None)])
def test_honest_capabilities_pass(message: Any) -> None:
    check_capabilities(message)
    message.capabilities = PASSED * MAX_CAPABILITIES
    check_capabilities(message)
