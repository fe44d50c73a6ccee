"""One timer for all state machines of a node: they say when they are due, this wakes up for the earliest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import trio


class Timed(Protocol):
    """A state machine that wants to be called at a time of its own."""

    def next_deadline(self) -> float: ...
    def on_timer(self, now: float) -> None: ...


class Timer:
    """Calls `on_timer` of whatever is due. `after` is called when a round is over, to let go what it caused."""

    def __init__(self, after: Callable[[], None]) -> None:
        self._after = after
        self._armed = math.inf
        self._scope = trio.CancelScope()
        self.timed: set[Timed] = set()

    def arm(self, timed: Timed) -> None:
        """To be called when the deadline of `timed` may have come closer. Cheap if it has not."""
        self.arm_at(timed.next_deadline())

    def arm_at(self, deadline: float) -> None:
        """The same for one deadline that is known."""
        if deadline < self._armed:
            self._armed = deadline
            self._scope.deadline = deadline

    async def run(self) -> None:
        while True:
            self._armed = min((timed.next_deadline() for timed in self.timed), default=math.inf)
            with trio.CancelScope(deadline=self._armed) as self._scope:
                await trio.sleep_forever()
            now = trio.current_time()
            for timed in list(self.timed):
                if timed.next_deadline() <= now:
                    timed.on_timer(now)
            self._after()
            await trio.lowlevel.checkpoint()
