"""The keys of a session's two directions, which change on the way (docs/concepts/wire.md, 4 Session).

Each direction counts its epochs; the next key is Noise's REKEY of the last. A record's number names its epoch.
"""

from __future__ import annotations

from collections.abc import Callable

from firefly.noise import rekey
from firefly.sealing import Keyed, cipher

COUNTER_BITS, EPOCH_BITS = 48, 14
EPOCH_MASK = (1 << EPOCH_BITS) - 1
EPOCH_TIME, EPOCH_RECORDS = 3600.0, 2**32
"""Seconds and records after which a sender changes its key."""

Crypt = Callable[[bytes, bytes | memoryview, bytes], bytes]
"""(nonce, data, associated data) -> sealed or opened."""


class Sealing(Keyed):
    """The key to send with. A record may be sealed while `now` < `until` and `left` > 0; then `next` is due."""

    __slots__ = ("bits", "encrypt", "left", "until")
    _method = "encrypt"
    encrypt: Crypt

    def __init__(self, kind: int, key: bytes, now: float) -> None:
        super().__init__(kind, key)
        self._begin(0, key, now)

    def _begin(self, epoch: int, key: bytes, now: float) -> None:
        self._key = key
        self.rest()
        self.bits = epoch << COUNTER_BITS
        self.left, self.until = EPOCH_RECORDS, now + EPOCH_TIME

    def next(self, now: float) -> None:
        """Begins the next epoch. The caller has made sure that of those before this one all is acknowledged."""
        self._begin((self.bits >> COUNTER_BITS) + 1 & EPOCH_MASK, rekey(self._key), now)


class Opening(Keyed):
    """The keys to receive with: that of the newest epoch seen, the one before, and the one that must come next."""

    __slots__ = ("_before", "_next", "decrypt", "epoch")
    _method = "decrypt"
    decrypt: Crypt

    def __init__(self, kind: int, key: bytes) -> None:
        super().__init__(kind, key)
        self.epoch = 0
        self._before: Crypt | None = None
        self._next: Crypt | None = None

    def rest(self) -> None:
        """The same, and the next key is derived again when it is needed."""
        super().rest()
        self._next = None

    def other(self, epoch: int) -> Crypt | None:
        """How to open a record that is not of `self.epoch`; None if it can be none of ours."""
        if epoch == self.epoch - 1 & EPOCH_MASK:
            return self._before
        if epoch != self.epoch + 1 & EPOCH_MASK:
            return None
        if self._next is None:  # kept, so that whoever sends forged ones costs us one derivation only
            self._next = cipher(self._kind, rekey(self._key)).decrypt
        return self._next

    def opened(self, epoch: int) -> None:
        """A record of another epoch has opened. The next one is then ours; the one before last is forgotten.

        The sender begins an epoch only when all before the last one is acknowledged.
        """
        if epoch == self.epoch + 1 & EPOCH_MASK and self._next is not None:
            self._before, self.decrypt, self._next = self.decrypt, self._next, None
            self._key = rekey(self._key)
            self.epoch = epoch
