"""What waits to be sent to one peer: messages by lane, not yet encoded (docs/concepts/wire.md, 5 Messages).

The transport pulls: `take` joins what fits one record. Consecutive notifications of one method and consecutive items
of one stream become one message. Values too big for a message leave as fragments, transfers taking turns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, cast

from firefly.credit import Allowance
from firefly.messages import (
    FRAGMENT_SIZE,
    INLINE_LIMIT,
    Credit,
    Error,
    Fragment,
    Item,
    Notify,
    Release,
    Result,
    encode,
    join,
    transfer_mark,
)
from firefly.packet import BULK

MAX_MESSAGES = 1024
MAX_BYTES = 4 * 2**20
BATCH = 24
"""Answers that are worth a packet of their own: the caller works on them while the next ones are made."""
RUN_LIMIT = 60_000
"""Bytes after which a run of notifications or items starts a new message, so that a run always fits one record."""
VALUE_OVERHEAD = 16
"""Bytes that a value in a run counts beside its own, so that many tiny ones do not make an endless run."""
OVERHEAD = 160
"""Bytes that a message takes beside its values, at most: an attached request names its caller. Capabilities are
counted apart."""
OWED = frozenset((Result, Error, Credit, Release))
"""What is said because the peer said something first."""
MAX_STARTED = 64 * 2**20
"""Bytes of values under way as fragments at a time, unless it is one alone; half of what the peer has room for."""


class Run:
    """Notifications of one method, or items of one stream, that will be one message.

    While `room` lasts, whoever holds the run may append to `values` and take `len(value) + VALUE_OVERHEAD` from
    `room`; it is 0 as soon as the run has left, or something else stands behind it.
    """

    __slots__ = ("_start", "allowance", "key", "room", "size", "values")

    def __init__(self, key: Hashable, room: int, allowance: Allowance | None) -> None:
        self.key = key
        self.values: list[bytes] = []
        self.room = self._start = room
        self.size = 0
        self.allowance = allowance

    def close(self) -> None:
        """Nothing more may be appended; what its values took is taken from the allowance."""
        if self.size == 0:
            self.size = self._start - self.room + OVERHEAD
            self.room = 0
            if self.allowance is not None:
                self.allowance.left -= self.size - OVERHEAD - VALUE_OVERHEAD * len(self.values)

    def message(self) -> Notify | Item:
        kind, target, detail = cast(tuple[Any, Any, Any], self.key)
        return cast(Notify | Item, kind(target, detail, join(self.values)))


class Transfer:
    """A value on its way as fragments."""

    __slots__ = ("data", "number", "offset")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = memoryview(data)
        self.offset = 0

    def next_fragment(self) -> Fragment:
        piece = self.data[self.offset : self.offset + FRAGMENT_SIZE]
        self.offset += len(piece)
        return Fragment(self.number, len(self.data), bytes(piece))


class Outbox:
    """Messages for one peer. `room` is called when a full outbox has room again.

    `owed` counts those that wait because of what the peer itself has said.
    """

    def __init__(self, room: Callable[[], None] = lambda: None) -> None:
        self._queues: tuple[list[tuple[Any, int]], ...] = ([], [], [])  # by lane; none waits for lane 0
        self._transfers: list[Transfer] = []
        self._unstarted: list[Transfer] = []
        self._started_size = 0
        self._last_transfer = 0
        self._room = room
        self.count = 0
        self.size = 0
        self.owed = 0
        self.full = False

    def waiting(self, lane: int) -> bool:
        return bool(self._queues[lane]) or (lane == BULK and bool(self._transfers))

    def append(self, lane: int, message: Any, size: int) -> int:
        """Queues one message whose values have `size` bytes; returns how many wait now."""
        queue = self._queues[lane]
        if queue and queue[-1][1] == 0:
            self._close(queue[-1][0])
        queue.append((message, size + OVERHEAD))
        self.owed += type(message) in OWED
        self._count(1, size + OVERHEAD)
        return len(queue)

    def append_to_run(
        self,
        lane: int,
        kind: Callable[..., Notify | Item],
        target: Any,
        detail: int,
        value: bytes,
        allowance: Allowance | None = None,
    ) -> Run:
        """Queues a notification (`target` resource, `detail` selector) or an item (call, direction).

        Returns the run it became part of, to which more may be added directly, as far as the `allowance` goes.
        """
        queue = self._queues[lane]
        key = (kind, target, detail)
        need = len(value) + VALUE_OVERHEAD
        run: Run | None = queue[-1][0] if queue and queue[-1][1] == 0 else None
        if run is None or run.key != key or need > run.room:
            if run is not None:
                self._close(run)
            room = RUN_LIMIT if allowance is None else min(allowance.left, RUN_LIMIT)
            run = Run(key, max(need, room), allowance)
            queue.append((run, 0))
        run.values.append(value)
        run.room -= need
        if run.room <= 0:
            self._close(run)
        return run

    def _close(self, run: Run) -> None:
        if run.size == 0:
            run.close()
            self._count(len(run.values), run.size)

    def close(self) -> None:
        """Nothing of what waits will be taken any more."""
        for queue in self._queues:
            if queue and queue[-1][1] == 0:
                self._close(queue[-1][0])

    def _count(self, count: int, size: int) -> None:
        self.count += count
        self.size += size
        if self.count >= MAX_MESSAGES or self.size >= MAX_BYTES:
            self.full = True

    def stow(self, value: bytes) -> bytes:
        """`value`, or, if it is too big for a message, the mark of the transfer that brings it."""
        if len(value) <= INLINE_LIMIT:
            return value
        self._last_transfer += 1
        self._unstarted.append(Transfer(self._last_transfer, value))
        self._start_transfers()
        self.size += len(value)
        self.full = self.full or self.size >= MAX_BYTES
        return transfer_mark(self._last_transfer)

    def take(self, lane: int, budget: int) -> bytes | None:
        """One record of at most `budget` bytes, or of one message if that is bigger; None if nothing waits."""
        queue = self._queues[lane]
        messages: list[Any] = []
        left = budget
        if lane == BULK and self._transfers:
            left -= self._take_fragment(messages)
        count = size = taken = 0
        for message, need in queue:
            run = need == 0
            if run:
                if message.size == 0:
                    self._close(message)
                need = message.size
            if need > left and messages:
                break
            taken += 1
            left -= need
            size += need
            if run:
                count += len(message.values)
                message = message.message()
            else:
                count += 1
                self.owed -= type(message) in OWED
            messages.append(message)
        if not messages:
            return None
        del queue[:taken]
        self.count -= count
        self.size -= size
        if self.full:
            self._make_room()
        return encode(messages)

    def _start_transfers(self) -> None:
        """Lets values begin in their order, as far as the peer has room to put them together."""
        waiting = self._unstarted
        while waiting and (not self._transfers or self._started_size + len(waiting[0].data) <= MAX_STARTED):
            self._started_size += len(waiting[0].data)
            self._transfers.append(waiting.pop(0))

    def _take_fragment(self, messages: list[Any]) -> int:
        transfer = self._transfers.pop(0)
        fragment = transfer.next_fragment()
        size = len(fragment.data)
        self.size -= size
        messages.append(fragment)
        if transfer.offset < len(transfer.data):
            self._transfers.append(transfer)
        else:
            self._started_size -= len(transfer.data)
            self._start_transfers()
        return size + OVERHEAD

    def _make_room(self) -> None:
        if self.count < MAX_MESSAGES // 2 and self.size < MAX_BYTES // 2:
            self.full = False
            self._room()
