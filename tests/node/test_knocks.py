"""What a knock holds opens for the one it is for, in the name of who said it, and in no other case."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from firefly.errors import BadHandshake, BadMessage, TooLarge
from firefly.interfaces.core import Meeting
from firefly.keys import NodeKey
from node.knocks import ANSWER, ASK, MAX_CONTENT, Message, seal, unseal
from tests.firefly.mutation import garbage, mutated

ANN, BEA, HUB = (NodeKey(bytes([number]) * 32) for number in (1, 2, 3))
SAID = Message(ASK, 7, Meeting(["tcp://192.0.2.1:4747"], "v=0", behind="a NAT", unrelayed=True))
PLAIN = msgspec.msgpack.encode([1, ANN.public, SAID])
SEALED = seal(ANN, BEA.public, SAID)


def sealed(plaintext: bytes, by: NodeKey = ANN) -> bytes:
    """What the holder of a key may seal for Bea: anything."""
    return bytes(24) + bindings.crypto_box(plaintext, bytes(24), BEA.exchange_public, by.exchange_private)


def test_the_receiver_reads_what_was_said() -> None:
    assert unseal(BEA, ANN.public, SEALED) == SAID
    assert unseal(BEA, ANN.public, sealed(PLAIN)) == SAID
    assert unseal(ANN, BEA.public, seal(BEA, ANN.public, Message(ANSWER, 7, Meeting([])))).step == ANSWER


def test_nobody_else_does_and_nothing_of_it_can_be_seen() -> None:
    assert b"192.0.2.1" not in SEALED
    assert seal(ANN, BEA.public, SAID) != SEALED
    with pytest.raises(BadMessage, match="does not open"):
        unseal(HUB, ANN.public, SEALED)


def test_it_is_not_taken_in_another_name() -> None:
    for other in (HUB.public, BEA.public, bytes(32), b""):
        with pytest.raises(BadMessage):
            unseal(BEA, other, SEALED)
    with pytest.raises(BadMessage, match="does not open"):  # the hub's own work, in Ann's name
        unseal(BEA, ANN.public, sealed(PLAIN, by=HUB))


def test_what_is_sent_back_to_its_sender_is_not_taken_as_the_others() -> None:
    with pytest.raises(BadMessage, match="mirrored"):
        unseal(ANN, BEA.public, SEALED)


@given(mutated(SEALED))
def test_whatever_is_changed_on_the_way_does_not_open(content: bytes) -> None:
    if content != SEALED:
        with pytest.raises(BadMessage):
            unseal(BEA, ANN.public, content)


@given(garbage(PLAIN))
def test_a_member_may_seal_anything_and_breaks_nothing(plaintext: bytes) -> None:
    try:
        found = unseal(BEA, ANN.public, sealed(plaintext))
    except BadMessage:
        return
    assert found.step in (ASK, ANSWER)
    assert 1 <= found.number < 2**63


@pytest.mark.parametrize(
    "content",
    [
        [2, ANN.public, SAID],
        [1, ANN.public[:31], SAID],
        [1, ANN.public, [3, 7, [[]]]],
        [1, ANN.public, [ASK, 0, [[]]]],
        [1, ANN.public, [ASK, 2**63, [[]]]],
        [1, ANN.public, [ASK, 7, []]],
        [1, ANN.public, [ASK, 7, [["tcp://x"] * 9]]],
        [1, ANN.public, [ASK, 7, [["x" * 513]]]],
        [1, ANN.public, [ASK, 7]],
        {},
        None,
    ],
)
def test_what_breaks_a_rule_is_not_taken(content: Any) -> None:
    with pytest.raises(BadMessage):
        unseal(BEA, ANN.public, sealed(msgspec.msgpack.encode(content)))


def test_an_end_that_a_later_version_adds_is_ignored_unless_it_is_a_bomb() -> None:
    extended = b"\x94" + PLAIN[1:]
    assert unseal(BEA, ANN.public, sealed(extended + b"\xc0")) == SAID
    with pytest.raises(BadMessage):
        unseal(BEA, ANN.public, sealed(extended + b"\x91" * 15_000 + b"\xc0"))


@given(st.integers(0, 2 * MAX_CONTENT))
def test_it_fits_a_knock_or_is_refused(size: int) -> None:
    message = Message(ASK, 1, Meeting([], "x" * min(size, 16_384), behind="y" * 500))
    try:
        assert len(seal(ANN, BEA.public, message)) <= MAX_CONTENT
    except TooLarge:
        assert size > MAX_CONTENT - 1000


def test_there_is_nothing_for_a_key_that_is_none() -> None:
    with pytest.raises(BadHandshake):
        seal(ANN, b"\xff" * 32, SAID)
