"""One ordered sequence of records, seen from its sender and from its receiver (docs/concepts/wire.md, 4 Session)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

Range = tuple[int, int]
"""Counters from the first up to, not including, the second."""

REORDERED = 3
"""Later records that must be acknowledged before an earlier one counts as lost."""
MAX_RANGES = 16
MAX_HELD = 8 * 2**20
"""Bytes that the receiver keeps above a gap."""


class InFlight:
    """A record on its way: the packet, sent again as it is, and when and by which link it left."""

    __slots__ = ("link", "packet", "resent", "sent_at")

    def __init__(self, packet: bytes, sent_at: float, link: object) -> None:
        self.packet = packet
        self.sent_at = sent_at
        self.link = link
        self.resent = False


class Sending:
    """The sender's side of a lane."""

    __slots__ = ("counter", "in_flight", "resend", "size")

    def __init__(self) -> None:
        self.counter = 0
        self.in_flight: dict[int, InFlight] = {}
        self.resend: deque[int] = deque()
        self.size = 0

    def sent(self, counter: int, packet: bytes, now: float, link: object) -> None:
        self.counter = counter + 1
        self.in_flight[counter] = InFlight(packet, now, link)
        self.size += len(packet)

    def acknowledge(self, wanted: int, ranges: Iterable[Range]) -> InFlight | None:
        """Forgets what arrived; returns the newest record that was sent only once, to measure by."""
        newest: InFlight | None = None
        gone = []
        for counter in self.in_flight:
            if counter >= wanted:
                break
            gone.append(counter)
        for first, end in ranges:
            gone += [counter for counter in self.in_flight if first <= counter < end]
        for counter in gone:
            record = self.in_flight.pop(counter, None)
            if record is not None:
                self.size -= len(record.packet)
                if not record.resent:
                    newest = record
        return newest

    def lost(self, ranges: list[Range], now: float, patience: float) -> bool:
        """Queues what counts as lost: 3 later ones arrived, and `patience` seconds passed since it left."""
        if not ranges:
            return False
        found = False
        for counter, record in self.in_flight.items():
            later = sum(max(0, end - max(first, counter + 1)) for first, end in ranges)
            if later < REORDERED:
                break
            if now - record.sent_at >= patience:
                found = self.again(counter, record) or found
        return found

    def again(self, counter: int, record: InFlight) -> bool:
        """Queues one record to leave again; false if it is queued already."""
        if counter in self.resend:
            return False
        self.resend.append(counter)
        record.resent = True
        return True

    def next_resent(self, now: float, link: object) -> bytes | None:
        while self.resend:
            record = self.in_flight.get(self.resend.popleft())
            if record is not None:
                record.sent_at = now
                record.link = link
                return record.packet
        return None

    def oldest(self) -> tuple[int, InFlight] | None:
        return next(iter(self.in_flight.items()), None)


class Receiving:
    """The receiver's side of a lane: `wanted` is the next counter in order."""

    __slots__ = ("held", "size", "wanted")

    def __init__(self) -> None:
        self.wanted = 0
        self.held: dict[int, bytes] = {}
        self.size = 0

    def hold(self, counter: int, plaintext: bytes) -> bool:
        """Keeps a record above a gap; false if there is no room, or if it is here already."""
        if counter in self.held or self.size + len(plaintext) > MAX_HELD:
            return False
        self.held[counter] = plaintext
        self.size += len(plaintext)
        return True

    def next_held(self) -> bytes | None:
        """The record that is next in order, if it is held."""
        plaintext = self.held.pop(self.wanted, None)
        if plaintext is not None:
            self.size -= len(plaintext)
            self.wanted += 1
        return plaintext

    def ranges(self) -> list[Range]:
        """What is held above the gap: the lowest 15 ranges and the highest."""
        found: list[Range] = []
        for counter in sorted(self.held):
            if found and found[-1][1] == counter:
                found[-1] = found[-1][0], counter + 1
            else:
                found.append((counter, counter + 1))
        return found if len(found) <= MAX_RANGES else [*found[: MAX_RANGES - 1], found[-1]]
