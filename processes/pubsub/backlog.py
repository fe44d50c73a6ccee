"""The last messages of one topic, encoded as they came, in the batches they came in."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from msgspec import Raw

OVERHEAD = 96
"""Bytes that a message takes beside its own."""
SHARED = 16
"""Messages from which on a batch may keep the whole record alive in which it came; fewer are copied out of it."""
BATCH_SIZE = 32_000
"""Bytes of small batches that are read together."""


class Batch(NamedTuple):
    """Messages `first`, `first` + 1 …; `size` is what they take in memory."""

    first: int
    values: Sequence[Raw]
    size: int


class Read(NamedTuple):
    """Messages up to number `upto`; `lost` were dropped before the first of them was read."""

    values: Sequence[Raw]
    upto: int
    lost: int


class Backlog:
    """Keeps at most about `messages` messages and `size` bytes: the oldest batch goes first, the last one stays.

    Messages are numbered from 1.
    """

    def __init__(self, messages: int, size: int) -> None:
        self.last = 0
        self.size = 0
        self._messages = messages
        self._limit = size
        self._batches: deque[Batch] = deque()

    @property
    def first(self) -> int:
        """Number of the oldest message that is kept; of the next one if there is none."""
        return self._batches[0].first if self._batches else self.last + 1

    @property
    def kept(self) -> int:
        """How many messages are kept."""
        return self.last + 1 - self.first

    def append(self, values: Sequence[Raw]) -> int:
        """Takes messages; what is over a bound goes. Returns by how many bytes the backlog has grown."""
        before = self.size
        if len(values) < SHARED:
            values = [value.copy() for value in values]
        size = sum(map(len, values)) + OVERHEAD * len(values)
        self._batches.append(Batch(self.last + 1, values, size))
        self.last += len(values)
        self.size += size
        while len(self._batches) > 1 and (self.size > self._limit or self._enough_without_oldest()):
            self.drop_oldest()
        return self.size - before

    def _enough_without_oldest(self) -> bool:
        return self.last + 1 - self._batches[1].first >= self._messages

    def drop_oldest(self) -> int:
        """Drops a batch; returns its bytes, 0 if there was none. The numbers go on."""
        if not self._batches:
            return 0
        size = self._batches.popleft().size
        self.size -= size
        return size

    def read(self, number: int) -> Read | None:
        """What follows message `number`: about BATCH_SIZE bytes, or one batch; None if there is nothing yet."""
        if number >= self.last or not self._batches:
            return None
        start = max(number + 1, self.first)
        place = bisect_right(self._batches, start, key=lambda batch: batch.first) - 1
        batch = self._batches[place]
        values = batch.values[start - batch.first :] if start > batch.first else batch.values
        size = batch.size
        if size < BATCH_SIZE and place + 1 < len(self._batches):
            values = list(values)
            for following in islice(self._batches, place + 1, None):
                size += following.size
                if size > BATCH_SIZE:
                    break
                values += following.values
        return Read(values, start + len(values) - 1, start - number - 1)
