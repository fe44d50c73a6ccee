"""A node's key pair, and what it is used for: signatures, and the Diffie-Hellman of handshakes."""

from __future__ import annotations

import os
from collections.abc import Callable

from nacl import bindings
from nacl.exceptions import CryptoError

from firefly.address import address_of
from firefly.errors import BadHandshake

SEED_SIZE = KEY_SIZE = 32
SIGNATURE_SIZE = 64


class NodeKey:
    """An Ed25519 identity. `exchange_*` is the same key converted to X25519, for handshakes."""

    __slots__ = ("_secret", "address", "exchange_private", "exchange_public", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 secret bytes. Raises ValueError for another length."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"a key's seed has {SEED_SIZE} bytes, not {len(seed)}")
        self.seed = seed
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.exchange_private: bytes = bindings.crypto_sign_ed25519_sk_to_curve25519(self._secret)
        self.exchange_public: bytes = bindings.crypto_sign_ed25519_pk_to_curve25519(self.public)
        self.address = address_of(self.public)

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> NodeKey:
        return cls(random(SEED_SIZE))

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        signed: bytes = bindings.crypto_sign(message, self._secret)
        return signed[:SIGNATURE_SIZE]

    def __repr__(self) -> str:
        return f"<NodeKey {self.public.hex()[:8]}>"


def exchange_key_of(public: bytes) -> bytes:
    """The X25519 key of an Ed25519 public key. Raises BadHandshake if it is no point of the curve."""
    try:
        converted: bytes = bindings.crypto_sign_ed25519_pk_to_curve25519(public)
    except (CryptoError, ValueError, TypeError):
        raise BadHandshake("the peer's identity is no Ed25519 key") from None
    return converted


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is `public`'s over `message`; false too for anything malformed."""
    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except (CryptoError, ValueError):
        return False
    return True
