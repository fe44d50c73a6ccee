"""One ordered sequence of records, seen from its sender and from its receiver (docs/concepts/wire.md, 4 Session)."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from firefly.congestion import CongestionWindow
from firefly.errors import BadRecord
from firefly.packet import MAX_PAYLOAD
from firefly.room import Room
from firefly.round_trip import RoundTrip

MORE, LAST = b"\xc1\x01", b"\xc1\x00"
"""How the pieces of a record that was cut begin; whole ones are MessagePack, which begins nothing with 0xc1."""
PIECE = MORE[:1]
CUT = 3 / 2
"""How much longer than it should be a record is before it is cut, so that no piece is a crumb."""

Range = tuple[int, int]
"""Counters from the first up to, not including, the second."""

REORDERED = 3
"""Later records that must be acknowledged before an earlier one counts as lost."""
MAX_RANGES = 16
HELD_COST = 256
"""Bytes that a record above a gap counts beside its own, so that many tiny ones are bounded too."""


class InFlight:
    """A record on its way: the packet, sent again as it is, when it left first, and when and by which link last.

    `queued`: it is to leave again; `resent`: it has been so before, and it is not known what an ACK of it answers.
    """

    __slots__ = ("first_at", "link", "packet", "queued", "resent", "sent_at")

    def __init__(self, packet: bytes, sent_at: float, link: object) -> None:
        self.packet = packet
        self.first_at = self.sent_at = sent_at
        self.link = link
        self.queued = False
        self.resent = False


class Sending:
    """The sender's side: `counter` is that of the next new record, `in_flight` what nobody acknowledged, in order.

    `repaired`: how many of those that the last ACK told of had been sent again. `round_trip`: what one takes in this
    lane, whose queues on the way are others than those of the other lane. `rest`: of a record that was cut. `used`:
    bytes that nobody acknowledged.
    """

    __slots__ = ("_highest", "_queue", "_window", "counter", "in_flight", "repaired", "rest", "round_trip", "used")

    def __init__(self, window: CongestionWindow) -> None:
        self._window = window
        self._queue: deque[InFlight] | None = None  # until something is lost
        self._highest = -1
        self.repaired = 0
        self.round_trip = RoundTrip()
        self.rest = b""
        self.used = 0
        self.counter = 0
        self.in_flight: dict[int, InFlight] = {}

    def sent(self, packet: bytes, now: float, link: object) -> None:
        """The next new record has left."""
        self.in_flight[self.counter] = InFlight(packet, now, link)
        self.counter += 1
        self._account(len(packet))

    def _account(self, size: int) -> None:
        self.used += size
        self._window.used += size

    def cut(self, record: bytes, size: int) -> bytes:
        """What leaves of a record when about `size` bytes should: all of it, or a piece. The rest waits in `rest`."""
        if len(record) <= CUT * size:
            return record
        self.rest = record[size:]
        return MORE + record[:size]

    def next_piece(self, size: int) -> bytes:
        """The next piece of what waits in `rest`."""
        rest = self.rest
        if len(rest) <= CUT * size:
            self.rest = b""
            return LAST + rest
        self.rest = rest[size:]
        return MORE + rest[:size]

    def allows(self, wanted: int, ranges: list[Range]) -> bool:
        """Whether an honest receiver could say this: ranges in order, apart, and all of it was sent."""
        end = wanted
        for first, following in ranges:
            if first <= end or following <= first:
                return False
            end = following
        return end <= self.counter

    def acknowledge(self, wanted: int, ranges: list[Range], in_vain: bool = False) -> InFlight | None:
        """Forgets what arrived; returns the record to measure by, if there is one. Only for what `allows` allows.

        That is the highest that was ever acknowledged, when it is so for the first time and was sent only once, or was
        sent again `in_vain`. Lower ones may have come long ago: an ACK that has no room for all ranges leaves out some.
        """
        self.repaired = 0
        covered = self._covered(wanted, ranges)
        record = None
        for counter in covered:
            record = self.in_flight.pop(counter)
            self._account(-len(record.packet))
            record.queued = False
            self.repaired += record.resent
        if record is None or covered[-1] < self._highest:
            return None
        self._highest = covered[-1]
        return None if record.resent and not in_vain else record

    def _covered(self, wanted: int, ranges: list[Range]) -> list[int]:
        """What is in flight and acknowledged, in one walk over what is missing or new."""
        covered: list[int] = []
        first, end, above = 0, wanted, iter(ranges)
        for counter in self.in_flight:
            while counter >= end:
                following = next(above, None)
                if following is None:
                    return covered
                first, end = following
            if counter >= first:
                covered.append(counter)
        return covered

    def find_lost(self, ranges: list[Range], now: float) -> bool:
        """Queues what counts as lost: 3 later ones arrived, a quarter of a round trip after it left.

        What was sent again already is given a whole one: those 3 say nothing about the second time.
        """
        before = _third_from_the_end(ranges)
        patience, expected = (self.round_trip.smoothed or 0.0) / 4, self.round_trip.expected()
        found = False
        for counter, record in self.in_flight.items():
            if counter >= before:
                break
            if now - record.sent_at >= (expected if record.resent else patience):
                found = self.again(record) or found
        return found

    def find_late(self, now: float) -> bool:
        """Queues what should have been acknowledged: twice as much as the last ACK told of what was sent again.

        So a path that lost all that was under way is full again after few round trips, and one that still loses it
        is not flooded.
        """
        left, found, patience = 2 * self.repaired, False, self.round_trip.expected()
        for record in self.in_flight.values():
            if left <= 0:
                break
            if record.sent_at + patience <= now and self.again(record):
                found = True
                left -= 1
        return found

    def again(self, record: InFlight) -> bool:
        """Queues a record to leave again; false if it is queued already."""
        if record.queued:
            return False
        record.queued = record.resent = True
        if self._queue is None:
            self._queue = deque()
        self._queue.append(record)
        return True

    def next_resent(self, now: float, link: object) -> bytes | None:
        """The next packet that leaves again."""
        while self._queue:
            record = self._queue.popleft()
            if record.queued:  # not acknowledged meanwhile
                record.queued = False
                record.sent_at = now
                record.link = link
                return record.packet
        return None

    @property
    def resending(self) -> bool:
        return bool(self._queue)

    def path_lost(self, link: object = None) -> None:
        """Queues all that left by a link, or by any."""
        for record in self.in_flight.values():
            if link is None or record.link is link:
                self.again(record)

    def oldest(self) -> InFlight | None:
        for record in self.in_flight.values():
            return record
        return None

    def is_newest(self, packet: bytes) -> bool:
        """Whether it is the newest record, and was not sent again."""
        record = self.in_flight.get(self.counter - 1)
        return record is not None and record.packet is packet and not record.resent

    def first_missing(self) -> int:
        """The lowest counter that is not acknowledged."""
        for counter in self.in_flight:
            return counter
        return self.counter

    def shrink(self) -> None:
        """Nothing is sent at present: gives up room that is not used."""
        if not self.in_flight:
            self.in_flight = {}  # a dict keeps the room of what it had

    def clear(self) -> None:
        self._account(-self.used)
        self.in_flight.clear()
        self._queue = None
        self.rest = b""


def _third_from_the_end(ranges: list[Range]) -> int:
    """The counter below which everything has 3 acknowledged ones after it."""
    left = REORDERED
    for first, end in reversed(ranges):
        if end - first >= left:
            return end - left
        left -= end - first
    return 0


class Receiving:
    """The receiver's side: `wanted` is the next counter in order, `held` what came above a gap."""

    __slots__ = ("_ends", "_pieces", "_room", "_starts", "held", "wanted")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pieces = b""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.wanted = 0
        self.held: dict[int, bytes] = {}

    def hold(self, counter: int, plaintext: bytes) -> bool:
        """Keeps a record above a gap; false if it came before, or if there is no room (it will be sent again)."""
        if counter < self.wanted or counter in self.held or not self._room.take(len(plaintext) + HELD_COST):
            return False
        self.held[counter] = plaintext
        self._widen(counter)
        return True

    def _widen(self, counter: int) -> None:
        """Puts a counter into the ranges, where it may join the one before, the one after, or both."""
        place = bisect_right(self._starts, counter)
        joins_before = place > 0 and self._ends[place - 1] == counter
        joins_after = place < len(self._starts) and self._starts[place] == counter + 1
        if joins_before and joins_after:
            self._ends[place - 1] = self._ends.pop(place)
            del self._starts[place]
        elif joins_before:
            self._ends[place - 1] = counter + 1
        elif joins_after:
            self._starts[place] = counter
        else:
            self._starts.insert(place, counter)
            self._ends.insert(place, counter + 1)

    def next_held(self) -> bytes | None:
        """The record that is next in order, if it is held."""
        plaintext = self.held.pop(self.wanted, None)
        if plaintext is None:
            return None
        self._room.give(len(plaintext) + HELD_COST)
        self.wanted += 1
        self._starts[0] = self.wanted
        if self.wanted == self._ends[0]:
            del self._starts[0], self._ends[0]
        return plaintext

    def join(self, piece: bytes) -> bytes | None:
        """The whole record, once its last piece has come. Raises BadRecord if it is longer than any packet."""
        whole = self._pieces + piece[len(MORE) :]
        if len(whole) > MAX_PAYLOAD:
            raise BadRecord("the pieces of a record are longer than a packet may be")
        last = piece.startswith(LAST)
        self._pieces = b"" if last else whole
        return whole if last else None

    def ranges(self) -> list[Range]:
        """What is held above the gap: the lowest 15 ranges and the highest."""
        count = len(self._starts)
        chosen = range(count) if count <= MAX_RANGES else (*range(MAX_RANGES - 1), count - 1)
        return [(self._starts[place], self._ends[place]) for place in chosen]

    def clear(self) -> None:
        self._room.give(sum(len(plaintext) + HELD_COST for plaintext in self.held.values()))
        self.held.clear()
        self._pieces = b""
        self._starts.clear()
        self._ends.clear()
