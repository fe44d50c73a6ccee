"""Full collections of Python's garbage collector, spread: each stops a hub of 2,000 links for 0.4 s.

Most garbage never gets that far: only what has survived two smaller collections does.
"""

from __future__ import annotations

import gc
from time import perf_counter
from typing import Any

import trio

SHARE = 0.002
"""Of the time, that full collections take at most; one of 0.4 s is followed by none for 200 s."""
CHECK = 1.0
"""Seconds between two looks whether the next may come."""
NEVER = 10**9


class FullCollections:
    """Hears of collections; after a full one the next has to wait until `due`, by `perf_counter`."""

    def __init__(self) -> None:
        self.due = 0.0
        self._usual = gc.get_threshold()
        self._began = 0.0

    def heard(self, phase: str, info: dict[str, Any]) -> None:
        """For `gc.callbacks`: called in whatever thread the collection happens to run."""
        if info["generation"] < 2:
            return
        now = perf_counter()
        if phase == "start":
            self._began = now
        else:
            self.due = now + (now - self._began) / SHARE
            gc.set_threshold(*self._usual[:2], NEVER)

    def allow(self) -> None:
        """Python decides by itself again."""
        gc.set_threshold(*self._usual)


async def spread() -> None:
    """Keeps full collections apart, until it is cancelled: for OS processes that are a node and nothing else."""
    full = FullCollections()
    gc.callbacks.append(full.heard)
    try:
        while True:
            await trio.sleep(CHECK)
            if perf_counter() >= full.due:
                full.allow()
    finally:
        gc.callbacks.remove(full.heard)
        full.allow()
