"""What goes on while a network is mistreated: calls at a steady pace, each of which is timed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise

import trio

Call = Callable[[int], Awaitable[object]]


@dataclass
class Calls:
    """Calls one after another `every` so many seconds, whether or not those before are answered.

    `call(number)` makes one; what it raises ends everything. Times are in the clock of trio.
    """

    call: Call
    every: float
    answered: list[float] = field(default_factory=list)
    round_trips: list[float] = field(default_factory=list)
    _over: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> None:
        """Calls until `stop`, and returns when all are answered."""
        begun, number = trio.current_time(), 0
        async with trio.open_nursery() as nursery:
            while not self._over.is_set():
                nursery.start_soon(self._one, number)
                number += 1
                await trio.sleep_until(begun + number * self.every)

    def stop(self) -> None:
        self._over.set()

    async def _one(self, number: int) -> None:
        begun = trio.current_time()
        await self.call(number)
        now = trio.current_time()
        self.answered.append(now)
        self.round_trips.append(now - begun)

    def longest_pause(self, begun: float, ended: float) -> float:
        """The longest time without an answer that ended within a time; the last answer before counts."""
        before = max((at for at in self.answered if at < begun), default=begun)
        times = [before, *(at for at in self.answered if begun <= at < ended)]
        return max((after - at for at, after in pairwise(times)), default=0.0)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of all are."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def jain(values: list[float]) -> float:
    """How evenly something is shared, 1 being perfect (Jain, Chiu, Hawe 1984)."""
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values) or 1)
