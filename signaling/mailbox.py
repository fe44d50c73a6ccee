"""Slots in which two who do not know each other leave messages: single-use, expiring, and few. Time is trio's.

opened ── the first message of somebody else ──> taken ── closed by either side, or the time is over ──> gone
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import trio

from firefly.interfaces.signaling import Full, NoSuchSlot

LIFETIME = 600.0
"""Seconds that a slot has at most."""
SLOTS, MAX_SLOTS = 1_000, 10_000
"""Slots of a mailbox if nothing else is said, and at most: whoever opens one looks for the lowest that is free."""
MAX_PER_OPENER = 4
MAX_WAITING = 2
"""Messages in one direction that are not taken yet."""


@dataclass(eq=False)
class _Slot:
    opener: bytes
    expires: float
    other: bytes | None = None
    boxes: tuple[deque[bytes], deque[bytes]] = field(default_factory=lambda: (deque(), deque()))
    """What waits for the opener, and for the other side."""
    changed: trio.Event = field(default_factory=trio.Event)
    gone: bool = False

    def tell(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


class Mailbox:
    """The slots of a hub. Who calls is known by its key."""

    def __init__(self, size: int = SLOTS) -> None:
        self._size = size
        self._slots: dict[int, _Slot] = {}
        self._opened: Counter[bytes] = Counter()

    def open(self, caller: bytes, lifetime: float) -> int:
        """The lowest number that is free: people may have to type it. Raises Full."""
        self._expire()
        if self._opened[caller] >= MAX_PER_OPENER:
            raise Full(f"you have {MAX_PER_OPENER} slots already")
        if len(self._slots) >= self._size:
            raise Full(f"all {self._size} slots of this hub are taken")
        number = next(number for number in range(1, self._size + 1) if number not in self._slots)
        seconds = min(lifetime, LIFETIME) if lifetime > 0 else LIFETIME
        self._slots[number] = _Slot(caller, trio.current_time() + seconds)
        self._opened[caller] += 1
        return number

    def put(self, caller: bytes, number: int, content: bytes) -> None:
        """Raises NoSuchSlot, Full."""
        slot = self._find(caller, number)
        if caller != slot.opener:
            slot.other = caller
        box = slot.boxes[1 if caller == slot.opener else 0]
        if len(box) >= MAX_WAITING:
            raise Full(f"{MAX_WAITING} messages wait for the other side already")
        box.append(content)
        slot.tell()

    async def take(self, caller: bytes, number: int) -> bytes:
        """Waits for a message of the other side. Raises NoSuchSlot."""
        while True:
            slot = self._find(caller, number)
            box = slot.boxes[0 if caller == slot.opener else 1]
            if box and caller in (slot.opener, slot.other):
                return box.popleft()
            with trio.move_on_at(slot.expires):
                await slot.changed.wait()
            if slot.gone or slot.expires <= trio.current_time():
                raise NoSuchSlot(number)

    def close(self, caller: bytes, number: int) -> None:
        """By either side; by anybody else it is as if there were no such slot."""
        slot = self._slots.get(number)
        if slot is not None and caller in (slot.opener, slot.other):
            self._remove(number)

    def _find(self, caller: bytes, number: int) -> _Slot:
        """A slot in which the caller may be one of the two."""
        self._expire()
        slot = self._slots.get(number)
        if slot is None or (slot.other not in (None, caller) and caller != slot.opener):
            raise NoSuchSlot(number)
        return slot

    def _expire(self) -> None:
        now = trio.current_time()
        for number in [number for number, slot in self._slots.items() if slot.expires <= now]:
            self._remove(number)

    def _remove(self, number: int) -> None:
        slot = self._slots.pop(number)
        slot.gone = True
        slot.tell()
        self._opened[slot.opener] -= 1
        if not self._opened[slot.opener]:
            del self._opened[slot.opener]
