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


class Shelf:
    """Values kept for a while, each under a number: with less than `limit` bytes there, one more may come."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._sizes: dict[int, int] = {}

    def put(self, number: int, size: int) -> bool:
        """Counts a value; false, and it is not counted, if there is no room."""
        if self.used >= self.limit:
            return False
        self.used += size
        self._sizes[number] = size
        return True

    def take(self, number: int) -> None:
        """The value is needed no more; harmless if there was none."""
        self.used -= self._sizes.pop(number, 0)

    def clear(self) -> None:
        self._sizes.clear()
        self.used = 0
