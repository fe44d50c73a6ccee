"""What devices do to each other beside pings: bulk that fills the path, and calls at a steady pace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Raw

from firefly.calls import OutgoingCall
from firefly.errors import GlowError
from firefly.messages import Capabilities
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import Conversation
from node.simulator.device import ECHO, PAYLOAD, SINK, Device
from node.simulator.events import Events

PIECE = b"\xc5\xf0\x00" + bytes(61_440)
"""60 KiB as MessagePack: what a copy sends at a time."""
AHEAD = 128
"""Pieces that wait or are under way."""


class Answer(OutgoingCall):
    """Calls `done` when it is answered. One whose session ends is not asked again: then `done` is never called."""

    __slots__ = ("_done",)

    def __init__(self, conversation: Conversation, lane: int, done: Callable[[], None]) -> None:
        self.conversation = conversation
        self.number = conversation.next_number()
        self.lane = lane
        self.credit = 0
        self.window = None
        self._done = done

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        self._done()

    def lost(self, error: GlowError) -> None:
        """The load ends with its session."""


class Bulk:
    """Sends as much as goes through from one device to another. `arrived`: (seconds, bytes) of each piece."""

    def __init__(self, events: Events, source: Device, target: Device) -> None:
        self.arrived: list[tuple[float, int]] = []
        self._events = events
        self._source, self._target = source, target
        source.converse(target.key.address, self._fill)

    def _fill(self, conversation: Conversation) -> None:
        for _ in range(AHEAD):
            self._send(conversation)

    def _send(self, conversation: Conversation) -> None:
        call = Answer(conversation, BULK, partial(self._done, conversation))
        conversation.call(call, self._target.key.address, SINK, PIECE)

    def _done(self, conversation: Conversation) -> None:
        self.arrived.append((self._events.now, len(PIECE)))
        self._send(conversation)

    def rate(self, begin: float, end: float) -> float:
        """Bytes per second that arrived in between."""
        return sum(size for at, size in self.arrived if begin <= at < end) / (end - begin)


class Calls:
    """Calls of 64 B, `pause` seconds apart. `taken`: (when it began, seconds it took)."""

    def __init__(self, events: Events, source: Device, target: Device, pause: float) -> None:
        self.taken: list[tuple[float, float]] = []
        self._events, self._pause = events, pause
        self._source, self._target = source, target
        source.converse(target.key.address, self._call)

    def _call(self, conversation: Conversation) -> None:
        began = self._events.now
        call = Answer(conversation, INTERACTIVE, lambda: self.taken.append((began, self._events.now - began)))
        conversation.call(call, self._target.key.address, ECHO, PAYLOAD)
        self._source.settle()
        self._events.at(began + self._pause, partial(self._call, conversation))

    def percentile(self, share: float, begin: float, end: float) -> float:
        """Seconds that such a share of the calls that began in between took at most."""
        taken = sorted(seconds for at, seconds in self.taken if begin <= at < end)
        return taken[min(int(share * len(taken)), len(taken) - 1)]
