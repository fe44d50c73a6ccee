"""How long an answer takes, and how long to wait for one (docs/concepts/wire.md, 4 Session; after RFC 6298)."""

from __future__ import annotations

UNMEASURED = 0.1
"""Seconds to assume before the first measurement."""
GRACE = 0.010
"""Seconds beyond it: twice what a receiver may take until it acknowledges."""
MIN_PATIENCE, MAX_PATIENCE = 0.020, 2.0
SHORTEST = 1e-5


class RoundTrip:
    """`smoothed` in seconds, None before the first measurement."""

    __slots__ = ("_factor", "_variation", "smoothed")

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self._variation = 0.0
        self._factor = 1

    def measure(self, sample: float) -> None:
        """`sample`: seconds from a record to its ACK, without what the receiver waited."""
        sample = max(sample, SHORTEST)
        self._factor = 1
        if self.smoothed is None:
            self.smoothed, self._variation = sample, sample / 2
        else:
            self._variation += (abs(self.smoothed - sample) - self._variation) / 4
            self.smoothed += (sample - self.smoothed) / 8

    def expected(self) -> float:
        """Seconds within which nearly every answer comes.

        What was sent again measures nothing: until something is measured the guess grows, or all would be sent again.
        """
        smoothed = UNMEASURED * self._factor if self.smoothed is None else self.smoothed
        return max(MIN_PATIENCE, smoothed + max(4 * self._variation, smoothed / 8) + GRACE)

    def patience(self) -> float:
        """Seconds after which the oldest record leaves again: doubled each time that happens, up to 2 s."""
        expected = self.expected()
        return max(expected, min(expected * self._factor, MAX_PATIENCE))

    def answered(self) -> None:
        """What was sent again arrived: the path works, so the next loss need not wait for long."""
        if self.smoothed is not None:
            self._factor = 1

    def back_off(self) -> None:
        self._factor = min(self._factor * 2, 128)

    @property
    def silent(self) -> bool:
        """Nothing came of sending again, twice in a row."""
        return self._factor >= 4

    def path_changed(self) -> None:
        """What was waited so far says nothing about the path that is used now."""
        self._factor = 1
