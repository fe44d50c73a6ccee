"""What waits to be sent to one peer: messages by lane, not yet encoded (docs/concepts/wire.md, 5 Messages).

The transport pulls: `take` joins what fits one record. Consecutive notifications of one method and consecutive items
of one stream become one message. Values too big for a message leave as fragments, transfers taking turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, cast

from firefly.messages import (
    FRAGMENT_SIZE,
    INLINE_LIMIT,
    Fragment,
    Item,
    Notify,
    encode,
    join,
    transfer_mark,
)
from firefly.packet import BULK, INTERACTIVE

MAX_MESSAGES = 1024
MAX_BYTES = 4 * 2**20
RUN_LIMIT = 60_000
"""Bytes after which a run of notifications or items starts a new message, so that a run always fits one record."""
OVERHEAD = 64
"""Bytes that a message takes beside its values, at most (capabilities counted apart)."""


class Run:
    """Notifications of one method, or items of one stream, that will be one message."""

    __slots__ = ("key", "size", "values")

    def __init__(self, key: Hashable, value: bytes) -> None:
        self.key = key
        self.values = [value]
        self.size = len(value) + OVERHEAD

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
    """Messages for one peer. `room` is called when a full outbox has room again."""

    def __init__(self, room: Callable[[], None] = lambda: None) -> None:
        self._queues: dict[int, deque[tuple[Any, int]]] = {INTERACTIVE: deque(), BULK: deque()}
        self._transfers: deque[Transfer] = deque()
        self._last_transfer = 0
        self._room = room
        self.count = 0
        self.size = 0
        self.full = False

    def waiting(self, lane: int) -> bool:
        return bool(self._queues.get(lane)) or (lane == BULK and bool(self._transfers))

    def append(self, lane: int, message: Any, size: int) -> None:
        """Queues one message whose values have `size` bytes."""
        self._queues[lane].append((message, size + OVERHEAD))
        self._count(size + OVERHEAD)

    def append_to_run(
        self, lane: int, kind: Callable[..., Notify | Item], target: Any, detail: int, value: bytes
    ) -> None:
        """Queues a notification (`target` resource, `detail` selector) or an item (call, direction)."""
        queue = self._queues[lane]
        key = (kind, target, detail)
        if queue:
            run, size = queue[-1]
            if size == 0 and run.key == key and run.size + len(value) <= RUN_LIMIT:
                run.values.append(value)
                run.size += len(value)
                self._count(len(value))
                return
        queue.append((Run(key, value), 0))
        self._count(len(value) + OVERHEAD)

    def _count(self, size: int) -> None:
        self.count += 1
        self.size += size
        if self.count >= MAX_MESSAGES or self.size >= MAX_BYTES:
            self.full = True

    def stow(self, value: bytes) -> bytes:
        """`value`, or, if it is too big for a message, the mark of the transfer that brings it."""
        if len(value) <= INLINE_LIMIT:
            return value
        self._last_transfer += 1
        self._transfers.append(Transfer(self._last_transfer, value))
        self.size += len(value)
        self.full = self.full or self.size >= MAX_BYTES
        return transfer_mark(self._last_transfer)

    def take(self, lane: int, budget: int) -> bytes | None:
        """One record of at most `budget` bytes, or of one message if that is bigger; None if nothing waits."""
        queue = self._queues.get(lane)
        if queue is None:
            return None
        messages: list[Any] = []
        left = budget
        if lane == BULK and self._transfers:
            left -= self._take_fragment(messages)
        count = size = 0
        while queue:
            message, need = queue[0]
            run = need == 0
            if run:
                need = message.size
            if need > left and messages:
                break
            queue.popleft()
            left -= need
            size += need
            if run:
                count += len(message.values)
                message = message.message()
            else:
                count += 1
            messages.append(message)
        if not messages:
            return None
        self.count -= count
        self.size -= size
        if self.full:
            self._make_room()
        return encode(messages)

    def _take_fragment(self, messages: list[Any]) -> int:
        transfer = self._transfers.popleft()
        fragment = transfer.next_fragment()
        size = len(fragment.data)
        self.size -= size
        messages.append(fragment)
        if transfer.offset < len(transfer.data):
            self._transfers.append(transfer)
        return size + OVERHEAD

    def _make_room(self) -> None:
        if self.count < MAX_MESSAGES // 2 and self.size < MAX_BYTES // 2:
            self.full = False
            self._room()
