"""When this node says something new about itself in one namespace, and under which sequence number.

Source: docs/concepts/wire.md, section 3.
"""

import math
from collections.abc import Callable, Mapping

from node.routing.record import SEQUENCE_MAX, Record

COALESCE = 0.02  # seconds between a change and the record that tells it
BURST = 10
TOKEN_INTERVAL = 0.5
REFRESH = 30 * 60.0
REFRESH_JITTER = 0.1
COST_SHARE = 0.25  # a smaller move of a cost is not told
COST_SETTLE = 5.0
RIVALS = 8  # instances of our own identity that are remembered


class Origin:
    """The clockwork behind our own record.

    `sequence`: the first one to use, the greater of the last one stored + 1 and Unix time in ms. `random` returns
    floats in [0, 1).
    """

    def __init__(self, sequence: int, instance: bytes, now: float, random: Callable[[], float]) -> None:
        self.sequence = sequence - 1  # the last one used, by us or by an earlier life
        self._published = 0
        self._instance = instance
        self._random = random
        self._tokens = float(BURST)
        self._counted = now  # when `_tokens` was right
        self._wanted = math.inf
        self._refresh = math.inf
        self._costs: Mapping[bytes, int] = {}  # as published
        self._moved_since: float | None = None
        self._rivals: dict[bytes, int] = {}  # instance -> the sequence of ours that was to outbid it

    def touch(self, now: float) -> None:
        """A link came or went: publish soon."""
        self._wanted = min(self._wanted, now + COALESCE)

    def costs_moved(self, costs: Mapping[bytes, int], now: float) -> None:
        """The present costs, per neighbour in µs: publish if one stays off by a quarter."""
        if all(self._is_near(cost, self._costs.get(address)) for address, cost in costs.items()):
            self._moved_since = None
        elif self._moved_since is None:
            self._moved_since = now

    def next_deadline(self) -> float:
        moved = math.inf if self._moved_since is None else self._moved_since + COST_SETTLE
        due = min(self._wanted, moved, self._refresh)
        return due if math.isinf(due) else max(due, self._next_token())

    def publish(self, costs: Mapping[bytes, int], now: float) -> int:
        """Account for a record with these costs being published now; return its sequence."""
        self._tokens = min(float(BURST), self._tokens + (now - self._counted) / TOKEN_INTERVAL) - 1
        self._counted = now
        self._wanted = math.inf
        self._moved_since = None
        self._refresh = now + REFRESH * (1 + REFRESH_JITTER * (2 * self._random() - 1))
        self._costs = dict(costs)
        self.sequence += 1
        self._published = self.sequence
        return self.sequence

    def heard(self, record: Record, now: float) -> bool:
        """A record signed by our own key came in; True if it shows that somebody else lives under our identity.

        An earlier life of ours is outbid once and has nothing to answer. Who bids again is alive.
        """
        ours = record.instance == self._instance
        if record.sequence < self.sequence or (ours and record.sequence <= self._published):
            return False
        outbid = self._rivals.get(record.instance, SEQUENCE_MAX)
        if record.instance not in self._rivals and len(self._rivals) < RIVALS:
            self._rivals[record.instance] = record.sequence + 1
        if record.sequence < SEQUENCE_MAX:
            self.sequence = record.sequence
            self.touch(now)
        return ours or record.sequence > self._published >= outbid

    def _next_token(self) -> float:
        return self._counted + max(0.0, 1 - self._tokens) * TOKEN_INTERVAL

    @staticmethod
    def _is_near(cost: int, published: int | None) -> bool:
        return published is None or abs(cost - published) < COST_SHARE * published
