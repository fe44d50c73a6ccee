"""The record cipher of links and sessions, and the sealed frames of a link (docs/concepts/wire.md, 1 Link)."""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from firefly.errors import BadFrame
from firefly.noise import rekey

CHACHA20, AES256 = 1, 2
KINDS: dict[int, type[ChaCha20Poly1305] | type[AESGCM]] = {CHACHA20: ChaCha20Poly1305, AES256: AESGCM}
REKEY_INTERVAL = 2**20
"""Frames of a link under one key."""

pack_nonce = struct.Struct(">IQ").pack
"""`pack_nonce(0, number)`: 4 zero bytes and the number."""


def cipher(kind: int, key: bytes) -> ChaCha20Poly1305 | AESGCM:
    """The AEAD of that kind: `encrypt(nonce, data, associated)` and `decrypt`."""
    return KINDS[kind](key)


@cache
def offered() -> tuple[int, ...]:
    """The ciphers that this machine offers, the preferred first: AES-256-GCM only where the processor does it."""
    return (AES256, CHACHA20) if _has_aes() else (CHACHA20,)


def _has_aes() -> bool:
    machine = platform.machine().lower()
    if platform.system() == "Linux":
        words = Path("/proc/cpuinfo").read_text(errors="replace").split() if Path("/proc/cpuinfo").exists() else []
        return "aes" in words
    return machine in ("arm64", "aarch64", "x86_64", "amd64")


class Sealer:
    """Seals the frames of one direction of a link."""

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        self._kind, self._key, self._interval = kind, key, interval
        self._number = 0
        self._encrypt: Callable[..., bytes] = cipher(kind, key).encrypt

    def seal(self, plaintext: bytes) -> bytes:
        number = self._number
        self._number = number + 1
        if number and not number % self._interval:
            self._key = rekey(self._key)
            self._encrypt = cipher(self._kind, self._key).encrypt
        return self._encrypt(pack_nonce(0, number), plaintext, None)


class Opener:
    """Opens the frames of one direction of a link, in order."""

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        self._kind, self._key, self._interval = kind, key, interval
        self._number = 0
        self._decrypt: Callable[..., bytes] = cipher(kind, key).decrypt

    def open(self, ciphertext: bytes) -> bytes:
        """Raises BadFrame, which ends the link."""
        number = self._number
        self._number = number + 1
        if number and not number % self._interval:
            self._key = rekey(self._key)
            self._decrypt = cipher(self._kind, self._key).decrypt
        try:
            return self._decrypt(pack_nonce(0, number), ciphertext, None)
        except (InvalidTag, ValueError):
            raise BadFrame("a frame does not open") from None
