"""Two conversations joined in memory: calls of an OS process to its own resources, and tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import Conversation, Dispatcher

RECORD = 65_536
ROUND_TRIP = 0.02
"""Seconds; a few turns of a busy loop. Windows that are used up as fast as that grow, so that a stream inside one OS
process keeps pace with what a link brings."""


class Loopback:
    """`caller` and `owner` are the two ends. What one says the other hears at once, without recursion."""

    def __init__(
        self,
        calling: Dispatcher,
        owning: Dispatcher,
        now: Callable[[], float],
        *,
        caller_is: Any = None,
        owner_is: Any = None,
    ) -> None:
        """`caller_is` is what the owner's dispatcher knows the caller by, `owner_is` the other way round."""
        self.caller = Conversation(calling, odd=True, wake=self._wake, now=now, round_trip=_round_trip, peer=owner_is)
        self.owner = Conversation(owning, odd=False, wake=self._wake, now=now, round_trip=_round_trip, peer=caller_is)
        self._pumping = False

    def _wake(self, _: int) -> None:
        if not self._pumping:
            self._pumping = True
            try:
                while self._carry(self.caller, self.owner) or self._carry(self.owner, self.caller):
                    pass
            finally:
                self._pumping = False

    @staticmethod
    def _carry(source: Conversation, target: Conversation) -> bool:
        carried = False
        for lane in (INTERACTIVE, BULK):
            record = source.outbox.take(lane, RECORD)
            if record is not None:
                target.receive(lane, record)
                carried = True
        return carried

    def close(self) -> None:
        self.caller.close()
        self.owner.close()


def _round_trip() -> float:
    return ROUND_TRIP
