"""Values that arrive in fragments, and the messages that wait for them (docs/concepts/wire.md, 5 Messages).

A message whose value is still under way keeps its place: it, and whatever follows of the same call or resource, is
held back until the transfer is complete. What belongs to other calls passes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Raw

from firefly.errors import BadMessage
from firefly.messages import FRAGMENT_SIZE, MAX_VALUE, Fragment, Item, Notify, Request, Result, transfer_of

MAX_UNFINISHED = 128 * 2**20
MAX_TRANSFERS = 4096
"""Transfers that are under way, that wait for their message, or that nobody wants any more; of each kind."""
MAX_HELD = 65_536
"""Messages that wait for a transfer, their own or that of a message before them."""

Key = tuple[str, int | bytes]


def key_of(message: Any) -> Key:
    """What a message belongs to: calls of either side are told apart by their parity."""
    return ("notify", message.resource) if isinstance(message, Notify) else ("call", message.call)


class Fragments:
    """Puts transfers together. `limit` is the most bytes of one value, `unfinished` of all that are under way.

    Transfers begin in the order of their numbers, and each brings one value: that tells a late fragment, or a message
    that waits for what never comes, from an honest one. Whatever is wrong raises BadMessage.
    """

    def __init__(self, limit: int = MAX_VALUE, unfinished: int = MAX_UNFINISHED) -> None:
        self._limit = limit
        self._unfinished = unfinished
        self._parts: dict[int, bytearray] = {}
        self._totals: dict[int, int] = {}
        self._complete: dict[int, bytes] = {}
        self._held: dict[Key, deque[tuple[int, Any]]] = {}
        self._waiting: dict[int, Key] = {}
        self._unwanted: dict[int, None] = {}
        self._held_count = 0
        self._last = 0
        self.size = 0

    def hold(self, lane: int, message: Any) -> bool:
        """True if `message` has to wait, and is kept until `receive` hands it out."""
        if self._held:
            queue = self._held.get(key_of(message))
            if queue is not None:
                self._keep(queue, lane, message)
                return True
        if self._settle(message):
            return False
        self._keep(self._held.setdefault(key_of(message), deque()), lane, message)
        return True

    @property
    def active(self) -> bool:
        """Whether any message is held back."""
        return bool(self._held)

    def drop(self, key: Key) -> list[Any]:
        """Forgets, and returns, the messages that are held of a call which has ended."""
        dropped = [message for _, message in self._held.pop(key, ())]
        self._held_count -= len(dropped)
        for message in dropped:
            number = _transfer(message)
            if number is not None:
                self._discard(number)
        return dropped

    def _discard(self, number: int) -> None:
        """Nobody wants a value any more, whether it is here or still to come."""
        self._waiting.pop(number, None)
        data = self._complete.pop(number, None)
        if data is not None:
            self.size -= len(data)
        elif len(self._unwanted) >= MAX_TRANSFERS:
            raise BadMessage(f"over {MAX_TRANSFERS} values were given up before they came")
        else:
            self._unwanted[number] = None

    def receive(self, fragment: Fragment) -> list[tuple[int, Any]]:
        """Takes a fragment; returns the messages, each with its lane, that can go on now, in order.

        Raises BadMessage for a lying one.
        """
        number, total, data = fragment.transfer, fragment.total, fragment.data
        part = self._parts.get(number)
        if part is None:
            part = self._begin(number, total)
        if total != self._totals[number] or not 0 < len(data) <= FRAGMENT_SIZE or len(part) + len(data) > total:
            raise BadMessage(f"transfer {number} does not keep to the size it named")
        part += data
        if len(part) < total:
            return []
        del self._parts[number], self._totals[number]
        if number in self._unwanted:
            del self._unwanted[number]
            self.size -= total
            return []
        self._complete[number] = bytes(part)
        key = self._waiting.pop(number, None)
        return [] if key is None else self._release(key)

    def _begin(self, number: int, total: int) -> bytearray:
        if number <= self._last:
            raise BadMessage(f"transfer {number} comes again, or out of order")
        if total > self._limit:
            raise BadMessage(f"a value of {total} bytes is over the limit of {self._limit}; a stream carries more")
        if self.size + total > self._unfinished or max(len(self._parts), len(self._complete)) >= MAX_TRANSFERS:
            raise BadMessage(f"over {self._unfinished} bytes of unfinished values, or over {MAX_TRANSFERS} of them")
        self._last = number
        self.size += total
        self._totals[number] = total
        return self._parts.setdefault(number, bytearray())

    def _settle(self, message: Any) -> bool:
        """Puts the arrived value into `message`; False if it has not arrived."""
        number = _transfer(message)
        if number is None:
            return True
        data = self._complete.pop(number, None)
        if data is None:
            self._expect(number, key_of(message))
            return False
        self.size -= len(data)
        _put(message, Raw(data))
        return True

    def _expect(self, number: int, key: Key) -> None:
        used_up = number <= self._last and number not in self._parts
        if used_up or number in self._unwanted or self._waiting.setdefault(number, key) != key:
            raise BadMessage(f"a message names transfer {number}, which belongs to another or is used up")

    def _release(self, key: Key) -> list[tuple[int, Any]]:
        queue = self._held[key]
        ready = []
        while queue and self._settle(queue[0][1]):
            ready.append(queue.popleft())
        self._held_count -= len(ready)
        if not queue:
            del self._held[key]
        return ready

    def _keep(self, queue: deque[tuple[int, Any]], lane: int, message: Any) -> None:
        self._held_count += 1
        if self._held_count > MAX_HELD:
            raise BadMessage(f"over {MAX_HELD} messages wait for unfinished values")
        queue.append((lane, message))


def _transfer(message: Any) -> int | None:
    """The transfer that a message waits for; only a value that is alone in its message can be one."""
    kind = type(message)
    if kind is Result:
        return transfer_of(message.value)
    if kind is Item:
        return transfer_of(message.values[0]) if len(message.values) == 1 else None
    if isinstance(message, Request):
        return transfer_of(message.arguments)
    if isinstance(message, Notify) and len(message.arguments) == 1:
        return transfer_of(message.arguments[0])
    return None


def _put(message: Any, value: Raw) -> None:
    """Puts the value that has come in the place of its transfer's mark."""
    if isinstance(message, Result):
        message.value = value
    elif isinstance(message, Item):
        message.values = [value]
    elif isinstance(message, Notify):
        message.arguments = [value]
    else:
        message.arguments = value
