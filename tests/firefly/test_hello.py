"""A hello proves who speaks, and its lies end the handshake with their reason."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.errors import BadHandshake
from firefly.hello import INSTANCE_SIZE, WIRE_VERSION, choose_cipher, decode_hello, encode_hello
from firefly.keys import NodeKey
from firefly.sealing import AES256, CHACHA20, offered
from tests.firefly.mutation import garbage

KEY, OTHER = NodeKey(bytes(32)), NodeKey(bytes([1]) * 32)
INSTANCE = b"instance"
HELLO = encode_hello(KEY.public, INSTANCE, [AES256, CHACHA20])


def _changed(place: int, value: Any) -> bytes:
    parts = msgspec.msgpack.decode(HELLO)
    parts[place] = value
    return msgspec.msgpack.encode(parts)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=INSTANCE_SIZE, max_size=INSTANCE_SIZE))
def test_a_hello_says_who_speaks(seed: bytes, instance: bytes) -> None:
    key = NodeKey(seed)
    hello = decode_hello(encode_hello(key.public, instance), key.exchange_public, key.public)
    assert (hello.key, hello.instance) == (key.public, instance)
    assert hello.versions == [WIRE_VERSION]
    assert tuple(hello.ciphers) == offered()
    assert hello.limits == {}


def test_a_hello_is_five_things_in_this_order() -> None:
    assert msgspec.msgpack.decode(HELLO) == [KEY.public, INSTANCE, [1], [2, 1], {}]


def test_another_identity_than_the_one_that_shook_hands_is_refused() -> None:
    with pytest.raises(BadHandshake, match="not the key that it shook hands with"):
        decode_hello(HELLO, OTHER.exchange_public)


def test_another_node_than_expected_is_refused_with_both_keys_and_a_hint() -> None:
    with pytest.raises(BadHandshake, match="another node") as caught:
        decode_hello(HELLO, KEY.exchange_public, OTHER.public)
    assert KEY.public.hex()[:16] in caught.value.cause
    assert OTHER.public.hex()[:16] in caught.value.cause
    assert "invite it again" in caught.value.hint
    assert caught.value.fault == "peer"


def test_a_peer_without_a_common_version_is_refused() -> None:
    with pytest.raises(BadHandshake, match=r"versions \[2, 3\]"):
        decode_hello(_changed(2, [2, 3]), KEY.exchange_public)
    assert decode_hello(_changed(2, [2, 1]), KEY.exchange_public).versions == [2, 1]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        msgspec.msgpack.encode(msgspec.msgpack.decode(HELLO)[:2]),
        msgspec.msgpack.encode([*msgspec.msgpack.decode(HELLO), b"a certificate"]),
        HELLO + b"\0",
        _changed(0, bytes(31)),
        _changed(1, bytes(9)),
        _changed(2, [1] * 17),
        _changed(2, ["1"]),
        _changed(3, [1] * 17),
        _changed(3, None),
        _changed(4, {"x" * 33: 1}),
        _changed(4, {"x": -1}),
        _changed(4, {str(number): 1 for number in range(17)}),
    ],
)
def test_a_malformed_hello_is_refused(payload: bytes) -> None:
    with pytest.raises(BadHandshake, match="malformed"):
        decode_hello(payload, KEY.exchange_public)


def test_an_identity_that_is_no_key_is_refused() -> None:
    with pytest.raises(BadHandshake, match="no Ed25519 key"):
        decode_hello(_changed(0, bytes(32)), KEY.exchange_public)


@given(garbage(HELLO))
def test_garbage_is_refused_or_names_the_same_key(payload: bytes) -> None:
    try:
        hello = decode_hello(payload, KEY.exchange_public)
    except BadHandshake:
        return
    assert hello.key == KEY.public


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        ([CHACHA20], [AES256, CHACHA20], CHACHA20),
        ([AES256, CHACHA20], [CHACHA20, AES256], AES256),
        ([AES256, CHACHA20, 9], [9, CHACHA20], CHACHA20),
    ],
)
def test_both_sides_choose_the_same_cipher(ours: list[int], theirs: list[int], chosen: int) -> None:
    assert choose_cipher(ours, theirs) == choose_cipher(theirs, ours) == chosen


@pytest.mark.parametrize("theirs", [[], [9], [AES256]])
def test_without_a_common_cipher_there_is_no_link(theirs: list[int]) -> None:
    with pytest.raises(BadHandshake, match="no record cipher"):
        choose_cipher([CHACHA20], theirs)
