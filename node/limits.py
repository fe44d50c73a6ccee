"""What this node gives to others at most: links, handshakes, relayed bytes and idle time (docs/guides/hub.md, Limits).

Values are those of the settings `limits.…`. What is refused is counted, and whoever is refused hears why.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Coroutine, Generator, Iterable
from functools import partial
from time import thread_time
from types import coroutine
from typing import Any, Generic, Protocol, TypeVar

from node.routing.record import NEIGHBOURS

T = TypeVar("T")
BURST = 0.5
"""Seconds of processor time that strangers' handshakes may take in a row."""
HOSTS = 4096
"""Hosts whose handshakes in this second are counted; of more, those are forgotten that began the longest ago."""
LEAST_BURST = 256 * 2**10
"""Bytes that a namespace may send at once, however low its rate: a few packets of any size."""


class Limits:
    """The values, and what is in use of them. `counters` gets what is refused; `known(key)` tells one's own nodes."""

    def __init__(self, counters: Counter[str]) -> None:
        self.links_per_address = 64
        self.neighbours_per_namespace = NEIGHBOURS
        self.handshakes_per_second = 50
        self.relayed_per_second = 16 * 2**20
        self.idle = 0.0
        self.strangers = Allowance()
        self.known: Callable[[bytes], bool] = lambda key: False
        self.budgets: dict[bytes, Budget] = {}
        self._counters = counters
        self._hosts: Counter[str] = Counter()
        self._begun: OrderedDict[str, tuple[float, int]] = OrderedDict()

    # --- links

    def enter(self, host: str) -> str:
        """Counts a link that came from `host` ("" is this device); or why it may not be, and then it is not counted."""
        if host and self._hosts[host] >= self.links_per_address:
            self._counters["links_refused"] += 1
            return f"{host} has {self.links_per_address} links to this node already, as many as limits.address allows"
        self._hosts[host] += 1
        return ""

    def leave(self, host: str) -> None:
        """A link that was counted has ended."""
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def crowded(self, neighbours: Collection[bytes], address: bytes) -> str:
        """Why a node cannot be another one of the `neighbours` of a namespace; empty if it can, or is one."""
        if address in neighbours or len(neighbours) < self.neighbours_per_namespace:
            return ""
        self._counters["links_refused"] += 1
        return (
            f"{len(neighbours)} nodes of the namespace are linked to this node already, as many as limits.namespace "
            "allows"
        )

    # --- handshakes

    def begin(self, host: str, now: float) -> bool:
        """Whether one more handshake may begin from `host` in this second."""
        since, count = self._begun.pop(host, (now, 0))
        if now - since >= 1:
            since, count = now, 0
        allowed = not host or count < self.handshakes_per_second
        self._begun[host] = since, count + 1
        while now - next(iter(self._begun.values()))[0] >= 1 or len(self._begun) > HOSTS:
            self._begun.popitem(last=False)
        self._counters["handshakes_refused"] += not allowed
        return allowed

    # --- relayed bytes

    def budget(self, namespace: bytes) -> Budget:
        """What the nodes of a namespace, or an admitted node, may send over this one."""
        if namespace not in self.budgets:
            self.budgets[namespace] = Budget(self)
        return self.budgets[namespace]


class Allowance:
    """Processor time for handshakes of strangers: `share` of a core on average, and at most BURST ahead of that."""

    def __init__(self) -> None:
        self.share = 0.2
        self._left = BURST
        self._at = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until there is some of it again."""
        self._left = min(self._left + (now - self._at) * self.share, BURST)
        self._at = now
        return max(-self._left / self.share, 0.0)

    def spend(self, seconds: float) -> None:
        """Takes what was used; a negative amount gives it back."""
        self._left -= seconds


class Budget:
    """Bytes per second of one namespace: a bucket that holds what it gets in a second."""

    __slots__ = ("_at", "_left", "_limits", "passed", "refused")

    def __init__(self, limits: Limits) -> None:
        self.passed = self.refused = 0
        self._limits = limits
        self._left = math.inf  # until the first packet: full
        self._at = 0.0

    def take(self, size: int, now: float) -> bool:
        """Whether a packet may go on; it is charged if so."""
        rate = self._limits.relayed_per_second
        left = min(self._left + (now - self._at) * rate, max(rate, LEAST_BURST))
        self._at = now
        fits = size <= left
        if fits:
            left -= size
            self.passed += size
        else:
            self.refused += 1
        self._left = left
        return fits


class Used(Protocol):
    """What is asked of a link: a number that grows with whatever it carries for somebody."""

    @property
    def work(self) -> int: ...


LinkType = TypeVar("LinkType", bound=Used)


class Idling(Generic[LinkType]):
    """Since when links have carried nothing but what keeps them up."""

    def __init__(self) -> None:
        self._seen: dict[LinkType, tuple[int, float]] = {}

    def since(self, links: Iterable[LinkType], idle: float, now: float) -> list[LinkType]:
        """Those of `links` that have not worked for `idle` seconds; to be asked every now and then with all of them."""
        before, self._seen = self._seen, {}
        for link in links:
            work, at = before.get(link, (-1, now))
            self._seen[link] = (work, at) if work == link.work else (link.work, now)
        return [link for link, (_, at) in self._seen.items() if now - at >= idle]


@coroutine
def metered(work: Coroutine[Any, Any, T], spend: Callable[[float], None]) -> Generator[Any, Any, T]:
    """Awaits `work`; `spend` hears how much processor time it took from each of its pauses to the next, in seconds."""
    go_on: Callable[[], Any] = partial(work.send, None)
    while True:
        began = thread_time()
        try:
            pause = go_on()
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            spend(thread_time() - began)
        try:
            go_on = partial(work.send, (yield pause))
        except BaseException as error:  # it is meant for the work
            go_on = partial(work.throw, error)
