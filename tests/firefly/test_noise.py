"""The handshake refuses what was tampered with, comes out of turn or proves nothing. Vectors: tests/conformance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from firefly.errors import BadHandshake
from firefly.keys import NodeKey
from firefly.noise import HandshakeXX, rekey
from tests.firefly.mutation import garbage

ANNA, BERT = NodeKey(bytes(32)), NodeKey(bytes([1]) * 32)
PAYLOADS = b"one", b"two", b"three"


def _pair(prologue: bytes = b"test") -> tuple[HandshakeXX, HandshakeXX]:
    initiator = HandshakeXX(ANNA, prologue, True, lambda size: b"\x21" * size)
    return initiator, HandshakeXX(BERT, b"test", False, lambda size: b"\x42" * size)


def _advance(writer: HandshakeXX, reader: HandshakeXX, steps: int) -> tuple[HandshakeXX, HandshakeXX]:
    """Exchanges so many messages; returns (who writes next, who reads it)."""
    for payload in PAYLOADS[:steps]:
        assert reader.read(writer.write(payload)) == payload
        writer, reader = reader, writer
    return writer, reader


@given(st.binary(max_size=64), st.tuples(*[st.binary(max_size=200)] * 3))
def test_any_payloads_arrive_and_both_have_the_same_keys(prologue: bytes, payloads: tuple[bytes, ...]) -> None:
    initiator, responder = HandshakeXX(ANNA, prologue, True), HandshakeXX(BERT, prologue, False)
    writer, reader = initiator, responder
    for payload in payloads:
        assert not writer.done
        assert reader.read(writer.write(payload)) == payload
        writer, reader = reader, writer
    assert initiator.done
    assert responder.done
    assert initiator.hash == responder.hash
    assert len(initiator.hash) == 64
    assert initiator.split() == responder.split()[::-1]
    assert len(set(initiator.split())) == 2
    assert (initiator.remote_static, responder.remote_static) == (BERT.exchange_public, ANNA.exchange_public)


def test_two_handshakes_of_the_same_nodes_have_nothing_in_common() -> None:
    keys = set()
    for _ in range(2):
        initiator, responder = HandshakeXX(ANNA, b"", True), HandshakeXX(BERT, b"", False)
        _advance(initiator, responder, 3)
        keys |= {*initiator.split(), initiator.hash}
    assert len(keys) == 6


@pytest.mark.parametrize("step", [1, 2])
def test_a_changed_bit_anywhere_in_a_sealed_message_is_found(step: int) -> None:
    writer, reader = _advance(*_pair(), step)
    message = writer.write(PAYLOADS[step])
    for index in range(len(message)):
        forged = bytearray(message)
        forged[index] ^= 1
        with pytest.raises(BadHandshake):
            reader.read(bytes(forged))
    assert reader.read(message) == PAYLOADS[step]


def test_a_changed_first_message_is_found_by_its_answer() -> None:
    initiator, responder = _pair()
    message = initiator.write(b"one")
    assert responder.read(message[:-1] + b"!") == b"on!"
    with pytest.raises(BadHandshake, match="does not open"):
        initiator.read(responder.write(b"two"))


def test_another_prologue_is_found() -> None:
    initiator, responder = _pair(prologue=b"another")
    responder.read(initiator.write())
    with pytest.raises(BadHandshake, match="does not open"):
        initiator.read(responder.write())


@given(st.data(), st.integers(0, 2))
def test_garbage_raises_the_typed_error_and_changes_nothing(data: st.DataObject, step: int) -> None:
    writer, reader = _advance(*_pair(), step)
    message = writer.write(PAYLOADS[step])
    forged = data.draw(garbage(message).filter(lambda forged: forged != message))
    try:
        reader.read(forged)
    except BadHandshake:
        assert not reader.done
        assert reader.read(message) == PAYLOADS[step]
    else:
        assert step == 0  # nothing is sealed in the first message yet


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_key_of_low_order_is_refused(point: bytes) -> None:
    _, responder = _pair()
    responder.read(point)
    with pytest.raises(BadHandshake, match="low order"):
        responder.write()


def test_messages_out_of_turn_are_refused() -> None:
    initiator, responder = _pair()
    for action in (lambda: initiator.read(bytes(64)), responder.write, initiator.split):
        with pytest.raises(BadHandshake):
            action()
    _advance(initiator, responder, 3)
    for action in (initiator.write, lambda: initiator.read(bytes(64)), responder.write):
        with pytest.raises(BadHandshake, match="out of turn"):
            action()


def test_rekey_is_the_standards() -> None:
    key = bytes(range(32))
    nonce = bytes(4) + (2**64 - 1).to_bytes(8, "little")
    assert rekey(key) == bindings.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(32), b"", nonce, key)[:32]
    assert len({key, rekey(key), rekey(rekey(key))}) == 3
