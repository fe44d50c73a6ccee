"""Whatever opens was signed, exactly so, by the key that it names."""

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly import envelope, keys
from firefly.envelope import MAX_SIZE, Envelope, identifier, open_envelope, sign
from firefly.errors import BadEnvelope
from firefly.keys import NodeKey
from tests.firefly.mutation import garbage

KEY, OTHER = NodeKey(bytes(32)), NodeKey(bytes([1]) * 32)
SIGNED = sign("link-state", b"a body", KEY)
kinds = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=32)


def _parts(data: bytes = SIGNED) -> list[Any]:
    parts: list[Any] = msgspec.msgpack.decode(data)
    return parts


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that were really verified, with none remembered from before."""
    calls: list[bytes] = []
    really = keys.verify

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        calls.append(signature)
        return really(public, message, signature)

    monkeypatch.setattr(envelope, "verify", verify)
    envelope._right.clear()
    return calls


@given(kinds, st.binary(max_size=500), st.binary(min_size=32, max_size=32))
def test_what_was_signed_opens(kind: str, body: bytes, seed: bytes) -> None:
    key = NodeKey(seed)
    data = sign(kind, body, key)
    identity = hashlib.blake2b(kind.encode() + b"\0" + key.public + body, digest_size=32).digest()
    assert open_envelope(data) == Envelope(kind, body, key.public, identity)
    assert open_envelope(memoryview(data)).id == identifier(kind, key.public, body) == identity


def test_the_signature_is_over_prefix_kind_and_body() -> None:
    kind, body, signer, signature = _parts()
    assert (kind, body, signer) == ("link-state", b"a body", KEY.public)
    assert signature == KEY.sign(b"glow/1/link-state\0a body")


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, "head"), (1, b"a bodY"), (2, OTHER.public), (2, bytes(32)), (3, bytes(64)), (3, OTHER.sign(b"x"))],
)
def test_a_changed_part_is_found(place: int, value: Any) -> None:
    parts = _parts()
    parts[place] = value
    with pytest.raises(BadEnvelope, match="signature") as caught:
        open_envelope(msgspec.msgpack.encode(parts))
    assert caught.value.fault == "peer"


def test_a_bound_between_kind_and_body_cannot_be_moved() -> None:
    parts = _parts(sign("link", b"-state\0a", KEY))
    parts[0], parts[1] = "link-state", b"a"
    with pytest.raises(BadEnvelope, match="signature"):
        open_envelope(msgspec.msgpack.encode(parts))


@pytest.mark.parametrize(
    "parts",
    [
        [],
        _parts()[:3],
        [*_parts(), b"more"],
        ["", *_parts()[1:]],
        ["Link", *_parts()[1:]],
        ["link\n", *_parts()[1:]],
        ["link\0", *_parts()[1:]],
        ["l" * 33, *_parts()[1:]],
        [b"link-state", *_parts()[1:]],
        [*_parts()[:2], bytes(31), _parts()[3]],
        [*_parts()[:3], bytes(63)],
        {"kind": "link-state"},
        None,
        0,
    ],
)
def test_a_malformed_one_is_refused(parts: Any) -> None:
    with pytest.raises(BadEnvelope, match="malformed"):
        open_envelope(msgspec.msgpack.encode(parts))


@given(garbage(SIGNED))
def test_garbage_is_refused_or_says_the_same(data: bytes) -> None:
    try:
        opened = open_envelope(data)
    except BadEnvelope:
        return
    assert opened == open_envelope(SIGNED)


def test_a_deep_nest_is_refused() -> None:
    with pytest.raises(BadEnvelope, match="malformed"):
        open_envelope(b"\x91" * 60_000)


def test_the_size_is_bounded_on_both_sides() -> None:
    room = MAX_SIZE - len(sign("x", bytes(60_000), KEY)) + 60_000
    assert len(open_envelope(sign("x", bytes(room), KEY)).body) == room
    with pytest.raises(ValueError, match=str(MAX_SIZE)):
        sign("x", bytes(room + 1), KEY)
    with pytest.raises(BadEnvelope, match=str(MAX_SIZE)):
        open_envelope(bytes(MAX_SIZE + 1))


def test_the_same_is_verified_once(verified: list[bytes]) -> None:
    assert open_envelope(SIGNED) == open_envelope(SIGNED)
    assert len(verified) == 1


def test_a_wrong_signature_is_never_remembered(verified: list[bytes]) -> None:
    forged = msgspec.msgpack.encode([*_parts()[:3], bytes(64)])
    open_envelope(SIGNED)
    for _ in range(2):
        with pytest.raises(BadEnvelope, match="signature"):
            open_envelope(forged)
    assert len(verified) == 3


def test_only_so_many_are_remembered_and_the_longest_unused_goes(
    verified: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope, "_REMEMBERED", 2)
    first, second, third = (sign("x", body, KEY) for body in (b"1", b"2", b"3"))
    for data in (first, second, first, third, first):
        open_envelope(data)
    assert len(verified) == 3
    assert len(envelope._right) == 2
    open_envelope(second)
    assert len(verified) == 4
