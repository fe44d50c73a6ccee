"""Who of which namespace listens at this hub, and what they leave for each other. No I/O.

A node sees, wakes and hands something to those of its own namespace alone: towards all others nobody is there.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import trio

from firefly.errors import Busy
from firefly.interfaces.signaling import Attached, Knock, NotAttached, NotListening
from firefly.runtime import Caller

MAX_LISTENERS = 10_000
MAX_PER_NAMESPACE = 2_048
"""Nodes of a namespace that listen: as many as have records (docs/concepts/wire.md, 3 Routing)."""
MAX_WAITING = 64
"""Knocks that wait for a listener that does not take them."""
PAGE = 1_024


@dataclass(eq=False, slots=True)
class _Listener:
    attached: Attached
    waiting: list[Knock] = field(default_factory=list)
    told: trio.Event = field(default_factory=trio.Event)
    replaced: bool = False


class Rendezvous:
    """The listeners, by namespace and address; addresses in order, for the pages of `attached`."""

    def __init__(self) -> None:
        self._listeners: dict[bytes, dict[bytes, _Listener]] = {}
        self._order: dict[bytes, list[bytes]] = {}
        self.count = 0

    def attached(self, namespace: bytes, after: bytes | None) -> list[Attached]:
        """A page of those who listen, beginning behind an address."""
        order, listeners = self._order.get(namespace, []), self._listeners.get(namespace, {})
        start = bisect_right(order, after) if after is not None else 0
        return [listeners[address].attached for address in order[start : start + PAGE]]

    def knock(self, caller: Caller, node: bytes, content: bytes) -> None:
        """Raises NotAttached, NotListening."""
        listener = self._listeners.get(caller.namespace, {}).get(node)
        if listener is None:
            raise NotAttached(node)
        if len(listener.waiting) >= MAX_WAITING:
            raise NotListening(node)
        listener.waiting.append(Knock(caller.key, content))
        listener.told.set()

    async def listen(self, caller: Caller) -> AsyncIterator[Knock]:
        """What is left for the caller, until it ends the stream, or another takes its place. Raises Busy."""
        listener = self._enter(caller)
        try:
            while not listener.replaced:
                if listener.waiting:
                    yield listener.waiting.pop(0)
                else:
                    listener.told = trio.Event()
                    await listener.told.wait()
        finally:
            self._leave(caller, listener)

    def _enter(self, caller: Caller) -> _Listener:
        namespace, address = caller.namespace, caller.address
        listeners = self._listeners.setdefault(namespace, {})
        older = listeners.get(address)
        if older is not None:
            older.replaced = True
            older.told.set()
        elif self.count >= MAX_LISTENERS or len(listeners) >= MAX_PER_NAMESPACE:
            raise Busy("too many nodes listen at this hub", cause=f"{self.count} in all, {len(listeners)} of yours")
        else:
            insort(self._order.setdefault(namespace, []), address)
            self.count += 1
        waiting = older.waiting if older is not None else []
        listener = listeners[address] = _Listener(Attached(address, caller.key, datetime.now(UTC)), waiting)
        return listener

    def _leave(self, caller: Caller, listener: _Listener) -> None:
        namespace, address = caller.namespace, caller.address
        if listener.replaced:
            return
        del self._listeners[namespace][address]
        order = self._order[namespace]
        del order[bisect_right(order, address) - 1]
        self.count -= 1
        if not order:
            del self._listeners[namespace], self._order[namespace]
