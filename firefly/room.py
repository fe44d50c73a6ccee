"""How much may be kept: a bound of bytes, inside a larger one that several share."""

from __future__ import annotations


class Room:
    """At most `limit` bytes here, and no more than what is left of `shared`."""

    __slots__ = ("limit", "shared", "used")

    def __init__(self, limit: int, shared: Room | None = None) -> None:
        self.limit = limit
        self.shared = shared
        self.used = 0

    def take(self, size: int) -> bool:
        """Takes `size` bytes of it; false, and nothing is taken, if there is not that much."""
        if self.used + size > self.limit or (self.shared is not None and not self.shared.take(size)):
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """Gives `size` bytes back."""
        self.used -= size
        if self.shared is not None:
            self.shared.give(size)
