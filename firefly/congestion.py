"""How much a session may have under way (docs/concepts/wire.md, 4 Session). Sans-I/O.

A congestion window that is driven by delay: a round trip that takes longer than the shortest one of late has stood in
queues. Below its aim the window grows, above it shrinks, so that the path is full and its queues are short. All is
decided once per round trip.
"""

from __future__ import annotations

import math

from firefly.packet import BULK, INTERACTIVE
from firefly.round_trip import SHORTEST

START = 32 * 2**10
LEAST = 4 * 2**10
LIMIT = 6 * 2**20
"""Bytes; with what each record counts beside its own they fit the 8 MiB that the receiver keeps above a gap."""
LIMIT_OF_ALL = 256 * 2**20
"""Bytes that all sessions of a node may have under way: if they are many each gets an equal share."""
FIRST_RECORD, LEAST_RECORD, RECORD = 16 * 2**10, 1200, 64 * 2**10
"""Bytes of messages that are joined into one record: at first, on the slowest paths, and at most."""
RECORD_TIME = 0.0025
"""Seconds of what is delivered that one record may take."""
SHORT_QUEUE, LONG_QUEUE = 0.001, 0.020
"""Seconds that packets may queue: the shortest round trip, or what SHARE takes if that is longer, but within these
bounds. Above twice that is too long."""
SHARE = 32 * 2**10
"""Bytes of a session that may queue. Who has less in a queue than others would be starved by them: links hand on
8 KiB at a time, and have as much unsent below themselves (node/links)."""
IMPATIENT = 256 * 2**10
"""Below this many bytes a full window asks for an ACK: the receiver would not send one for so few in time."""
REMEMBERED = 10.0
"""Seconds after which the shortest round trip is looked for anew: the path may have become longer."""
SMALL = 2**10
"""Bytes up to which the time that a link takes for a packet does not count."""


class CongestionWindow:
    """`used`: bytes of packets, of both lanes, that nobody acknowledged. Below `limit` a record may leave.

    `record`: bytes of messages to join into one. `most`: what `limit` may be. `blocked`: a record waits for an ACK.
    """

    __slots__ = (
        "_asked",
        "_delivered",
        "_drain_at",
        "_full",
        "_halved",
        "_of_small",
        "_peak",
        "_per_byte",
        "_queues",
        "_resume",
        "_round_began",
        "_round_ends",
        "_shortest",
        "_slow_start",
        "blocked",
        "limit",
        "most",
        "record",
        "used",
    )

    def __init__(self, now: float = 0.0, most: int = LIMIT) -> None:
        self.used = 0
        self.most = most
        self.record = FIRST_RECORD
        self.blocked = self._asked = False
        self._delivered = self._peak = 0
        self._full = self._halved = False
        self.restart(now)

    def restart(self, now: float) -> None:
        """The path is another one: nothing is known about it."""
        self._shortest, self._of_small, self._per_byte = Shortest(), Shortest(), Shortest()
        self.begin_slowly(now)

    def begin_slowly(self, now: float) -> None:
        """Nothing has come back for long: what the path carries has to be found out again."""
        self.limit = min(START, self.most)
        self.record = FIRST_RECORD
        self._slow_start = True
        self._drain_at = now + REMEMBERED
        self._resume = 0
        self._round_ends = now
        self._begin_round(now, 0.0)

    def takes(self, lane: int, used: int) -> bool:
        """Whether a record may leave of a lane that has `used` bytes under way.

        A quarter of the window belongs to interactive ones, however full of bulk it is.
        """
        return self.used < self.limit or (lane == INTERACTIVE and used < max(self.limit // 4, LEAST))

    def refused(self) -> bool:
        """A record has to wait for the window. Whether to ask for an ACK, which is so once until the next one."""
        self._full = self.blocked = True
        if self._asked or self.limit >= IMPATIENT:
            return False
        self._asked = True
        return True

    # --- what ACKs tell

    def measure(self, sample: float, size: int, lane: int, now: float) -> None:
        """A packet of `size` bytes took a round trip of `sample` seconds, without what the receiver waited."""
        sample = max(sample, SHORTEST)
        self._shortest.add(sample, now)
        if size <= SMALL:
            self._of_small.add(sample, now)
        self._queues[lane] = min(self._queues[lane], sample - self._expected(sample, size, now))

    def _expected(self, sample: float, size: int, now: float) -> float:
        """Seconds that a packet of `size` bytes takes without any queue: long ones take their time on each link."""
        least = self._of_small.seconds
        if least == math.inf:
            return self._shortest.seconds
        if size <= SMALL:
            return least
        self._per_byte.add(max(sample - least, 0.0) / size, now)
        return least + self._per_byte.seconds * size

    def acknowledged(self, size: int, round_trip: float, now: float) -> None:
        """`size` bytes have arrived; `round_trip` in seconds is what one takes at present."""
        self._asked = False
        self._delivered += size
        self._peak = max(self._peak, self.used + size)
        if now >= self._round_ends:
            self._end_round(now)
            self._begin_round(now, round_trip)

    def lost(self) -> None:
        """Records were lost: half of it, once per round trip."""
        if not self._halved:
            self._halved = True
            self._slow_start = False
            self._set(self.limit / 2)

    # --- rounds

    def _begin_round(self, now: float, round_trip: float) -> None:
        self._round_began, self._round_ends = now, now + round_trip
        self._delivered = self._peak = 0
        self._full = self._halved = False
        self._queues = [math.inf] * 3  # by lane

    def _end_round(self, now: float) -> None:
        if self._resume:  # the queue has been drained, and the shortest round trip was seen
            self._set(self._resume)
            self._resume = 0
        elif not self._halved and self._peak >= self.limit / 2:
            rate = max(self._delivered, 1) / max(now - self._round_began, SHORTEST)
            self.record = int(min(max(rate * RECORD_TIME, LEAST_RECORD), RECORD))
            queue = self._queues[INTERACTIVE] if self._queues[BULK] == math.inf else self._queues[BULK]
            if queue < math.inf:
                self._adjust(queue, rate, now)

    def _adjust(self, queue: float, rate: float, now: float) -> None:
        """Much of the window was used for a round, in which packets queued for `queue` seconds at least.

        `rate`: bytes per second that arrived.
        """
        least = self._shortest.seconds
        aim = min(max(least, SHORT_QUEUE, SHARE / rate), LONG_QUEUE)
        fitting = (least + aim) / (least + queue)
        if now >= self._drain_at and queue > aim / 4:
            self._drain_at = now + REMEMBERED
            self._resume = int(self.limit * min(fitting, 1.0))
            self._set(self.limit * min(0.5, 0.9 * least / (least + queue)))
        elif queue < aim:
            if self._full:
                self._grow(queue < aim / 2)
        elif self._slow_start or queue > 2 * aim:
            self._slow_start = False
            self._set(min(self.limit, self._peak) * max(0.5, fitting))

    def _grow(self, much_room: bool) -> None:
        if self._slow_start:
            self._set(self.limit * 2)
        else:
            self._set(self.limit + (max(self.limit / 8, self.record) if much_room else self.record))

    def _set(self, limit: float) -> None:
        self.limit = int(min(max(limit, LEAST), self.most))

    def bound(self, most: int) -> None:
        """`limit` may be at most this from now on."""
        self.most = most
        self.limit = min(self.limit, most)


def share(sessions: int) -> int:
    """What each of so many sessions may have under way at most."""
    return min(LIMIT, LIMIT_OF_ALL // max(sessions, 1))


class Shortest:
    """The shortest of the samples of the last 10 to 20 seconds; infinity if there were none."""

    __slots__ = ("_ends", "_older", "_recent", "seconds")

    def __init__(self) -> None:
        self.seconds = self._older = self._recent = math.inf
        self._ends = 0.0

    def add(self, sample: float, now: float) -> None:
        if now >= self._ends:
            self._older = self._recent if now < self._ends + REMEMBERED else math.inf
            self._recent = math.inf
            self._ends = now + REMEMBERED
        self._recent = min(self._recent, sample)
        self.seconds = min(self._older, self._recent)
