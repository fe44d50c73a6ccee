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
"""Frames of a link under one key. REKEY is Noise's, with ChaCha20-Poly1305, whatever the record cipher is."""

Buffer = bytes | bytearray | memoryview

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
    """Linux says so. Elsewhere every 64-bit processor that the system still runs on has the instructions."""
    if platform.system() != "Linux":
        return platform.machine().lower() in ("arm64", "aarch64", "x86_64", "amd64")
    try:
        return "aes" in Path("/proc/cpuinfo").read_text(errors="replace").split()
    except OSError:
        return False  # a sandbox hides it: ChaCha20 is right everywhere


class Sealer:
    """Seals the frames of one direction of a link."""

    __slots__ = ("_encrypt", "_interval", "_key", "_kind", "_number", "_rekey_at")

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        self._kind, self._key, self._interval = kind, key, interval
        self._number, self._rekey_at = 0, interval
        self._encrypt: Callable[..., bytes] = cipher(kind, key).encrypt

    def seal(self, plaintext: Buffer) -> bytes:
        """The frame, 16 bytes longer."""
        number = self._number
        if number == self._rekey_at:
            self._change_key()
        self._number = number + 1
        return self._encrypt(pack_nonce(0, number), plaintext, None)

    def _change_key(self) -> None:
        self._key, self._rekey_at = rekey(self._key), self._rekey_at + self._interval
        self._encrypt = cipher(self._kind, self._key).encrypt


class Opener:
    """Opens the frames of one direction of a link, in order."""

    __slots__ = ("_decrypt", "_interval", "_key", "_kind", "_number", "_rekey_at")

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        self._kind, self._key, self._interval = kind, key, interval
        self._number, self._rekey_at = 0, interval
        self._decrypt: Callable[..., bytes] = cipher(kind, key).decrypt

    def open(self, ciphertext: Buffer) -> bytes:
        """Raises BadFrame, the peer's fault, which ends the link."""
        number = self._number
        if number == self._rekey_at:
            self._change_key()
        self._number = number + 1
        try:
            return self._decrypt(pack_nonce(0, number), ciphertext, None)
        except (InvalidTag, ValueError):
            raise BadFrame("a frame does not open") from None

    def _change_key(self) -> None:
        self._key, self._rekey_at = rekey(self._key), self._rekey_at + self._interval
        self._decrypt = cipher(self._kind, self._key).decrypt
