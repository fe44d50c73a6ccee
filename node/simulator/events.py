"""What happens when, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Events:
    """A calendar. Of two events at one time the one that was entered first comes first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._entered = 0
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Enters an action; what lies in the past happens next."""
        self._entered += 1
        heappush(self._calendar, (max(time, self.now), self._entered, action))

    def run(self, until: float) -> None:
        """Lets everything happen up to a time, that time included."""
        calendar = self._calendar
        while calendar and calendar[0][0] <= until:
            self.now, _, action = heappop(calendar)
            action()
        self.now = until
