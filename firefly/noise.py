"""`Noise_XX_25519_ChaChaPoly_BLAKE2b`, as links and sessions shake hands (noiseprotocol.org, revision 34).

-> e
<- e, ee, s, es
-> s, se
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Protocol

from nacl import bindings
from nacl.exceptions import CryptoError

from firefly.errors import BadHandshake

PROTOCOL = b"Noise_XX_25519_ChaChaPoly_BLAKE2b"
DH_SIZE = 32
TAG_SIZE = 16
_PATTERN = (("e",), ("e", "ee", "s", "es"), ("s", "se"))


class ExchangeKey(Protocol):
    """An X25519 key pair: a NodeKey is one."""

    @property
    def exchange_private(self) -> bytes: ...
    @property
    def exchange_public(self) -> bytes: ...


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.blake2b).digest()


def _derive(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Noise HKDF with two outputs."""
    secret = _hmac(chaining_key, material)
    first = _hmac(secret, b"\x01")
    return first, _hmac(secret, first + b"\x02")


def rekey(key: bytes) -> bytes:
    """Noise REKEY: the first 32 bytes of an all-zero message under the highest nonce."""
    nonce = bytes(4) + b"\xff" * 8
    sealed: bytes = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(32), b"", nonce, key)
    return sealed[:32]


class HandshakeXX:
    """One side of a handshake: `write` and `read` in turn until `done`.

    `hash` then binds to this very handshake, `remote_static` is the peer's X25519 key, and `split` gives the keys.
    """

    def __init__(
        self,
        static: ExchangeKey,
        prologue: bytes,
        initiator: bool,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.done = False
        self.remote_static = b""
        self._static = static
        self._initiator = initiator
        self._random = random
        self._ephemeral = b""
        self._remote_ephemeral = b""
        self._step = 0
        self._key: bytes | None = None
        self._nonce = 0
        self.hash = PROTOCOL.ljust(64, b"\0")
        self._chaining_key = self.hash
        self._mix_hash(prologue)

    def write(self, payload: bytes = b"") -> bytes:
        """The next message, with `payload` inside: in the clear in the first, sealed in the others."""
        message = b""
        for token in self._next(mine=True):
            if token == "e":
                self._ephemeral = self._random(DH_SIZE)
                public: bytes = bindings.crypto_scalarmult_base(self._ephemeral)
                self._mix_hash(public)
                message += public
            elif token == "s":
                message += self._seal(self._static.exchange_public)
            else:
                self._mix_dh(token)
        return message + self._seal(payload)

    def read(self, message: bytes) -> bytes:
        """Takes the peer's next message; returns its payload.

        Raises BadHandshake, and then all is as before: whoever throws in a forged message ends no handshake.
        """
        before = self.__dict__.copy()
        try:
            return self._read(message)
        except BadHandshake:
            self.__dict__ = before
            raise

    def _read(self, message: bytes) -> bytes:
        offset = 0
        for token in self._next(mine=False):
            if token == "e":
                self._remote_ephemeral = self._part(message, offset, DH_SIZE)
                self._mix_hash(self._remote_ephemeral)
                offset += DH_SIZE
            elif token == "s":
                self.remote_static = self._open(self._part(message, offset, DH_SIZE + TAG_SIZE))
                offset += DH_SIZE + TAG_SIZE
            else:
                self._mix_dh(token)
        return self._open(message[offset:])

    def split(self) -> tuple[bytes, bytes]:
        """(key to send with, key to receive with)."""
        if not self.done:
            raise BadHandshake("the handshake is not done")
        first, second = (key[:32] for key in _derive(self._chaining_key, b""))
        return (first, second) if self._initiator else (second, first)

    def _next(self, mine: bool) -> tuple[str, ...]:
        if self.done or (self._step % 2 == 0) != (mine == self._initiator):
            raise BadHandshake("a handshake message out of turn")
        tokens = _PATTERN[self._step]
        self._step += 1
        self.done = self._step == len(_PATTERN)
        return tokens

    @staticmethod
    def _part(message: bytes, offset: int, size: int) -> bytes:
        part = bytes(message[offset : offset + size])
        if len(part) != size:
            raise BadHandshake("a handshake message is too short")
        return part

    def _mix_hash(self, data: bytes) -> None:
        self.hash = _hash(self.hash + data)

    def _mix_dh(self, token: str) -> None:
        """`ee`, `es` or `se`: the initiator's key first."""
        mine = token[0] if self._initiator else token[1]
        theirs = token[1] if self._initiator else token[0]
        private = self._ephemeral if mine == "e" else self._static.exchange_private
        public = self._remote_ephemeral if theirs == "e" else self.remote_static
        try:
            shared: bytes = bindings.crypto_scalarmult(private, public)
        except (CryptoError, RuntimeError):
            raise BadHandshake("the peer sent a key of low order") from None
        self._chaining_key, key = _derive(self._chaining_key, shared)
        self._key, self._nonce = key[:32], 0

    def _seal(self, plaintext: bytes) -> bytes:
        sealed = plaintext
        if self._key is not None:
            sealed = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
                plaintext, self.hash, self._next_nonce(), self._key
            )
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        opened = sealed
        if self._key is not None:
            try:
                opened = bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
                    sealed, self.hash, self._next_nonce(), self._key
                )
            except (CryptoError, ValueError):
                raise BadHandshake("a handshake message does not open") from None
        self._mix_hash(sealed)
        return opened

    def _next_nonce(self) -> bytes:
        nonce = bytes(4) + self._nonce.to_bytes(8, "little")
        self._nonce += 1
        return nonce
