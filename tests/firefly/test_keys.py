"""Keys sign, convert and name as libsodium and the standards say."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from firefly.address import address_of
from firefly.errors import BadHandshake
from firefly.keys import NodeKey, exchange_key_of, verify

seeds = st.binary(min_size=32, max_size=32)
KEY = NodeKey(bytes(range(32)))


def test_a_key_is_the_one_of_rfc_8032() -> None:
    """RFC 8032, 7.1, test 1."""
    key = NodeKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )


@given(seeds)
def test_the_converted_halves_belong_together(seed: bytes) -> None:
    key = NodeKey(seed)
    assert bindings.crypto_scalarmult_base(key.exchange_private) == key.exchange_public
    assert exchange_key_of(key.public) == key.exchange_public
    assert key.address == address_of(key.public)


@given(seeds, st.binary(max_size=300), st.integers(0, 63), st.integers(0, 7))
def test_only_the_right_signature_verifies(seed: bytes, message: bytes, index: int, bit: int) -> None:
    key = NodeKey(seed)
    signature = key.sign(message)
    assert verify(key.public, message, signature)
    forged = bytearray(signature)
    forged[index] ^= 1 << bit
    assert not verify(key.public, message, bytes(forged))
    assert not verify(key.public, message + b"x", signature)
    assert not verify(NodeKey(bytes([*seed[:-1], seed[-1] ^ 1])).public, message, signature)


@given(st.binary(max_size=40), st.binary(max_size=70))
def test_garbage_never_verifies_and_never_raises(public: bytes, signature: bytes) -> None:
    assert not verify(public, b"message", signature)
    assert not verify(KEY.public, b"message", signature)


@given(st.binary(max_size=40) | st.binary(min_size=32, max_size=32))
def test_garbage_is_a_key_or_raises_the_typed_error(public: bytes) -> None:
    with suppress(BadHandshake):
        assert len(exchange_key_of(public)) == len(public) == 32


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"", bytes(31), bytes(33)])
def test_a_bad_point_is_no_identity(public: bytes) -> None:
    with pytest.raises(BadHandshake, match="no Ed25519 key"):
        exchange_key_of(public)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        NodeKey(bytes(size))


def test_generated_keys_use_the_given_randomness() -> None:
    assert NodeKey.generate(lambda size: b"\7" * size).seed == b"\7" * 32
    assert NodeKey.generate().seed != NodeKey.generate().seed


def test_a_key_does_not_print_its_secret() -> None:
    assert KEY.seed.hex()[:8] not in repr(KEY)
    assert repr(KEY) == f"<NodeKey {KEY.public.hex()[:8]}>"
