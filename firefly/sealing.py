"""The record cipher of links and sessions, and the sealed frames of a link (docs/concepts/wire.md, 1 Link)."""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from firefly.errors import BadFrame
from firefly.noise import rekey

CHACHA20, AES256 = 1, 2
KINDS: dict[int, type[ChaCha20Poly1305] | type[AESGCM]] = {CHACHA20: ChaCha20Poly1305, AES256: AESGCM}
REKEY_INTERVAL = 2**20
"""Frames of a link under one key. REKEY is Noise's, with ChaCha20-Poly1305, whatever the record cipher is."""

SELDOM = 4
"""Uses of a key until its cipher is kept: an idle link has two or three every 15 s."""

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


class Keyed:
    """A key, and the cipher under it while that is in use: it takes 2.4 kB, and a hub has thousands of them.

    Whoever inherits it names the one method of the cipher that it uses as a slot, and in `_method`. It is made when it
    is asked for, which takes 3 µs, kept once it was asked for SELDOM times, and given up by `rest`.
    """

    __slots__ = ("_key", "_kind", "_made")
    _method: ClassVar[str]

    def __init__(self, kind: int, key: bytes) -> None:
        self._kind, self._key = kind, key
        self._made = 0

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            raise AttributeError(name)
        method = getattr(cipher(self._kind, self._key), name)
        self._made += 1
        if self._made >= SELDOM:
            setattr(self, name, method)
        return method

    def rest(self) -> None:
        """The cipher is not needed for a while."""
        self._made = 0
        with suppress(AttributeError):  # it is not there
            delattr(self, self._method)


class Sealer(Keyed):
    """Seals the frames of one direction of a link; `number` is that of the next one."""

    __slots__ = ("_interval", "_rekey_at", "encrypt", "number")
    _method = "encrypt"
    encrypt: Callable[..., bytes]

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        super().__init__(kind, key)
        self._interval = self._rekey_at = interval
        self.number = 0

    def seal(self, plaintext: Buffer) -> bytes:
        """The frame, 16 bytes longer."""
        number = self.number
        if number == self._rekey_at:
            self._change_key()
        self.number = number + 1
        return self.encrypt(pack_nonce(0, number), plaintext, None)

    def _change_key(self) -> None:
        self._key, self._rekey_at = rekey(self._key), self._rekey_at + self._interval
        self.rest()


class Opener(Keyed):
    """Opens the frames of one direction of a link, in order; `number` is that of the next one."""

    __slots__ = ("_interval", "_rekey_at", "decrypt", "number")
    _method = "decrypt"
    decrypt: Callable[..., bytes]

    def __init__(self, kind: int, key: bytes, interval: int = REKEY_INTERVAL) -> None:
        super().__init__(kind, key)
        self._interval = self._rekey_at = interval
        self.number = 0

    def open(self, ciphertext: Buffer) -> bytes:
        """Raises BadFrame, the peer's fault, which ends the link."""
        number = self.number
        if number == self._rekey_at:
            self._change_key()
        self.number = number + 1
        try:
            return self.decrypt(pack_nonce(0, number), ciphertext, None)
        except (InvalidTag, ValueError):
            raise BadFrame("a frame does not open") from None

    def _change_key(self) -> None:
        self._key, self._rekey_at = rekey(self._key), self._rekey_at + self._interval
        self.rest()
