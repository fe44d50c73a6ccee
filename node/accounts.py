"""What may cross a hub from one namespace into another (docs/concepts/wire.md, 3 Routing, Hubs). Sans-I/O.

Nobody has to have asked for what crosses, so it gets room as it is answered: a pair of source and destination may send
64 KiB before anything comes back, and then 8 MiB ahead of the last answer. All pairs of a namespace share its budget.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass

UNANSWERED = 64 * 2**10
AHEAD = 8 * 2**20
"""Bytes of one pair before and after its first answer."""
BUDGET = 64 * 2**20
"""Bytes of all pairs of a namespace that have no answer yet."""
PAIRS = 4096
"""Pairs of a namespace; of more the new ones are refused."""
FORGET = 60.0
"""Seconds after which a silent pair begins anew."""


@dataclass(slots=True)
class _Pair:
    at: float
    ahead: int = 0
    answered: bool = False


class Accounts:
    """Those of all namespaces that a hub serves. `counters` gets the bytes that crossed and the packets refused."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._pairs: OrderedDict[tuple[bytes, bytes, bytes], _Pair] = OrderedDict()  # the one silent the longest first
        self._ahead: Counter[bytes] = Counter()
        self._count: Counter[bytes] = Counter()

    def allow(self, source: bytes, target: bytes, sender: bytes, receiver: bytes, size: int, now: float) -> bool:
        """Whether a packet may cross from the namespace `source` into `target`; it is charged to `source` if so.

        It also answers what the receiver has sent to its sender.
        """
        self._forget(now)
        key = source, sender, receiver
        pair = self._pairs.get(key)
        if not self._fits(source, pair, size):
            self._counters["crossing_refused"] += 1
            return False
        if pair is None:
            pair = self._pairs[key] = _Pair(now)
            self._count[source] += 1
        pair.at = now
        pair.ahead += size
        self._ahead[source] += size
        self._pairs.move_to_end(key)
        self._counters["crossed_bytes"] += size
        self._answer((target, receiver, sender))
        return True

    def _fits(self, namespace: bytes, pair: _Pair | None, size: int) -> bool:
        if pair is None and self._count[namespace] >= PAIRS:
            return False
        ahead, limit = (pair.ahead, AHEAD if pair.answered else UNANSWERED) if pair is not None else (0, UNANSWERED)
        return ahead + size <= limit and self._ahead[namespace] + size <= BUDGET

    def _answer(self, key: tuple[bytes, bytes, bytes]) -> None:
        pair = self._pairs.get(key)
        if pair is not None:
            self._ahead[key[0]] -= pair.ahead
            pair.ahead, pair.answered = 0, True

    def _forget(self, now: float) -> None:
        while self._pairs:
            key, pair = next(iter(self._pairs.items()))
            if now - pair.at < FORGET:
                return
            del self._pairs[key]
            self._ahead[key[0]] -= pair.ahead
            self._count[key[0]] -= 1
