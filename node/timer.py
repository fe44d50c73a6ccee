"""One timer for all state machines of a node: they say when they are due, this wakes up for the earliest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import trio

from firefly.deadlines import Deadlines


class Timed(Protocol):
    """A state machine that wants to be called at a time of its own."""

    def next_deadline(self) -> float: ...
    def on_timer(self, now: float) -> None: ...


class Timer:
    """Calls `on_timer` of whatever is due. `after` is called when a round is over, to let go what it caused."""

    def __init__(self, after: Callable[[], None]) -> None:
        self._after = after
        self._timed: set[Timed] = set()
        self._deadlines: Deadlines[Timed] = Deadlines()
        self._armed = math.inf
        self._scope = trio.CancelScope()

    def add(self, timed: Timed) -> None:
        """It is called from now on, when it is due."""
        self._timed.add(timed)
        self.arm(timed)

    def discard(self, timed: Timed) -> None:
        self._timed.discard(timed)
        self._deadlines.discard(timed)

    def arm(self, timed: Timed) -> None:
        """To be called when the deadline of `timed` may have come closer. Cheap if it has not."""
        self.arm_at(timed, timed.next_deadline())

    def arm_at(self, timed: Timed, deadline: float) -> None:
        """The same where the deadline is known."""
        if timed in self._timed:
            self._deadlines.put(timed, deadline)
            if deadline < self._armed:
                self._armed = deadline
                self._scope.deadline = deadline

    async def run(self) -> None:
        while True:
            self._armed = self._deadlines.first()
            with trio.CancelScope(deadline=self._armed) as self._scope:
                await trio.sleep_forever()
            now = trio.current_time()
            for timed in self._deadlines.take(now):
                if timed.next_deadline() <= now:
                    timed.on_timer(now)
                if timed in self._timed:
                    self._deadlines.replace(timed, timed.next_deadline())
            self._after()
            await trio.lowlevel.checkpoint()
