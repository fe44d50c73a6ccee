"""Room that a receiver gives: for the items of one stream, or the notifications to one resource
(docs/concepts/wire.md, 5 Messages). Counted in bytes of encoded values.
"""

from __future__ import annotations

START = 256 * 2**10
MAX_WINDOW = 4 * 2**20
MAX_WINDOWS = 32 * 2**20
"""Bytes that all windows of one session may hold together beyond their start."""


class Allowance:
    """The sender's side: the bytes that may still be sent. With any `left` one whole message may go."""

    __slots__ = ("left",)

    def __init__(self, left: int = START) -> None:
        self.left = left


class Budget:
    """What the windows of one session may still grow by."""

    __slots__ = ("left",)

    def __init__(self, size: int = MAX_WINDOWS) -> None:
        self.left = size


class Window:
    """The receiver's side of one stream.

    `consumed` is told when the handler is done with bytes; it returns the credit to send, 0 for none yet. Half a
    window that is used up within two round trips doubles the window, so a fast stream is never held up by credit.
    `room` is what the sender may still have under way; below `-size` of one message it has overdrawn.
    """

    __slots__ = ("_budget", "_pending", "_renewed", "room", "size")

    def __init__(self, budget: Budget, now: float, start: int = START) -> None:
        self.size = start
        self.room = start
        self._pending = 0
        self._renewed = now
        self._budget = budget

    def received(self, size: int) -> bool:
        """Counts what came; False if the sender went on without credit."""
        allowed = self.room > 0
        self.room -= size
        return allowed

    def consumed(self, size: int, now: float, round_trip: float) -> int:
        self._pending += size
        if self._pending * 2 < self.size:
            return 0
        credit = self._pending
        if now - self._renewed < 2 * round_trip and self.size < MAX_WINDOW and self._budget.left >= self.size:
            self._budget.left -= self.size
            credit += self.size
            self.size *= 2
        self._pending = 0
        self._renewed = now
        self.room += credit
        return credit

    def close(self) -> None:
        """Gives back what the window grew by."""
        self._budget.left += max(0, self.size - START)
        self.size = START
