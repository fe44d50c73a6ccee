"""Which nodes each packet has visited, to find those that visit one twice.

A packet is known again by everything behind its hop limit. A sender may send the same packet again, which is another
one here: each is followed from hop to hop, in the order in which the wire between two nodes keeps them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from firefly.packet import HOP_LIMIT

if TYPE_CHECKING:
    from node.simulator.device import Device

_KEPT = 20.0
"""Seconds after which a packet that did not arrive is forgotten."""


class Trails:
    """`twice` are the times at which a packet left a node that it had left before."""

    def __init__(self) -> None:
        self.twice: list[float] = []
        self._under_way: defaultdict[tuple[int, int, int], deque[tuple[float, tuple[int, ...]]]] = defaultdict(deque)
        self._swept = 0.0

    def left(self, packet: bytes, device: Device, towards: Device, now: float) -> None:
        """A packet leaves a device."""
        identity, hops = hash(packet[2:]), packet[1]
        visited: tuple[int, ...] = ()
        if hops != HOP_LIMIT:
            waiting = self._under_way.get((identity, device.number, hops + 1))
            if waiting:
                _, visited = waiting.popleft()
                if not waiting:
                    del self._under_way[identity, device.number, hops + 1]
            if device.number in visited:
                self.twice.append(now)
        if packet[8:24] != towards.key.address:
            self._under_way[identity, towards.number, hops].append((now, (*visited, device.number)))
        if now > self._swept + _KEPT:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        self._swept = now
        for key in [key for key, waiting in self._under_way.items() if waiting[-1][0] < now - _KEPT]:
            del self._under_way[key]
