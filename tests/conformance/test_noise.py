"""Noise XX reproduces the public test vectors, messages after the handshake included."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nacl import bindings

from firefly.noise import HandshakeXX

FILE = Path(__file__).parent / "vectors" / "noise-xx-25519-chachapoly-blake2b.json"
VECTORS = json.loads(FILE.read_text())["vectors"]
HANDSHAKE_MESSAGES = 3


class Exchange(NamedTuple):
    """The vectors give X25519 keys, where nodes convert their Ed25519 identity."""

    exchange_private: bytes
    exchange_public: bytes


def _side(vector: dict[str, Any], name: str) -> HandshakeXX:
    private, ephemeral, prologue = (
        bytes.fromhex(vector[f"{name}_{field}"]) for field in ("static", "ephemeral", "prologue")
    )
    static = Exchange(private, bindings.crypto_scalarmult_base(private))
    return HandshakeXX(static, prologue, initiator=name == "init", random=lambda size: ephemeral[:size])


def _messages(vector: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"])) for message in vector["messages"]]


def _shaken(vector: dict[str, Any]) -> tuple[HandshakeXX, HandshakeXX]:
    """(initiator, responder) after a handshake of which every byte was right."""
    writer, reader = _side(vector, "init"), _side(vector, "resp")
    for payload, ciphertext in _messages(vector)[:HANDSHAKE_MESSAGES]:
        assert writer.write(payload) == ciphertext
        assert reader.read(ciphertext) == payload
        writer, reader = reader, writer
    return reader, writer


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 2
    assert all(vector["protocol_name"] == "Noise_XX_25519_ChaChaPoly_BLAKE2b" for vector in VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["from"])
def test_the_handshake_is_the_vectors(vector: dict[str, Any]) -> None:
    initiator, responder = _shaken(vector)
    assert initiator.done
    assert responder.done
    assert initiator.hash == responder.hash
    assert vector.get("handshake_hash", initiator.hash.hex()) == initiator.hash.hex()
    assert initiator.remote_static == bindings.crypto_scalarmult_base(bytes.fromhex(vector["resp_static"]))
    assert responder.remote_static == bindings.crypto_scalarmult_base(bytes.fromhex(vector["init_static"]))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["from"])
def test_the_keys_of_split_seal_the_messages_after_it(vector: dict[str, Any]) -> None:
    initiator, responder = _shaken(vector)
    assert initiator.split() == responder.split()[::-1]
    later = _messages(vector)[HANDSHAKE_MESSAGES:]
    assert later
    for index, (payload, ciphertext) in enumerate(later):
        sender = (
            responder if index % 2 == 0 else initiator
        )  # the responder's turn: the third message was the initiator's
        nonce = bytes(4) + (index // 2).to_bytes(8, "little")
        key = sender.split()[0]
        assert bindings.crypto_aead_chacha20poly1305_ietf_encrypt(payload, b"", nonce, key) == ciphertext
