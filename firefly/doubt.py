"""Whether the peer still has a session, after a hint that it has not (docs/concepts/wire.md, 4 Session, Restart)."""

from __future__ import annotations

import math
from collections.abc import Callable

PATIENCE, ASK_AGAIN = 1.0, 0.25
"""Seconds that the peer is asked, and between two PINGs of these."""


class Doubt:
    """`at`: when `confirmed` is to be asked."""

    __slots__ = ("_due", "_ping", "_since", "at")

    def __init__(self, ping: Callable[[], None], due: Callable[[float], None]) -> None:
        self.at = math.inf
        self._since = math.inf
        self._ping = ping
        self._due = due

    def begin(self, heard: float, now: float) -> None:
        """Somebody, maybe a liar, gives reason to doubt. `heard`: when something of the peer came last."""
        if self.at == math.inf:
            self._since = now
            self.confirmed(heard, now)

    def confirmed(self, heard: float, now: float) -> bool:
        """True if the peer was asked for long enough and is silent; else it is asked once more, unless it was heard."""
        silent, asked = heard <= self._since, now >= self._since + PATIENCE
        if silent and not asked:
            self.at = now + ASK_AGAIN
            self._due(self.at)
            self._ping()
        else:
            self.at = math.inf
        return silent and asked
