"""Which of many state machines is due first, whatever their number: a heap. Sans-I/O."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Machine = TypeVar("Machine")
SLACK = 64
"""Entries of the heap that may be out of date before it is made anew, beside as many as there are machines."""


class Deadlines(Generic[Machine]):
    """One deadline for each machine: when to look at it. It may say then that it is due later, and is put in again."""

    def __init__(self) -> None:
        self._at: dict[Machine, float] = {}
        self._heap: list[tuple[float, int, Machine]] = []
        self._count = 0  # of two entries with one deadline the older comes first

    def put(self, machine: Machine, deadline: float) -> None:
        """It is due then, unless it was put in for an earlier time."""
        if deadline < self._at.get(machine, math.inf):
            self._at[machine] = deadline
            self._count += 1
            heappush(self._heap, (deadline, self._count, machine))
            if len(self._heap) > 2 * len(self._at) + SLACK:
                self._heap = [entry for entry in self._heap if self._at.get(entry[2]) == entry[0]]
                heapify(self._heap)

    def replace(self, machine: Machine, deadline: float) -> None:
        """It is due then, whatever was said before."""
        self.discard(machine)
        self.put(machine, deadline)

    def discard(self, machine: Machine) -> None:
        self._at.pop(machine, None)

    def first(self) -> float:
        """The earliest deadline; infinity if there is none."""
        heap = self._heap
        while heap and self._at.get(heap[0][2]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else math.inf

    def take(self, now: float) -> list[Machine]:
        """Those that are due: they have no deadline any more."""
        due: list[Machine] = []
        while self.first() <= now:
            machine = heappop(self._heap)[2]
            del self._at[machine]
            due.append(machine)
        return due
