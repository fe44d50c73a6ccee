"""Blocking work of a process, in threads of its own: a slow disk does not hold up the rest of the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from processes.filesystem.failures import explained

T = TypeVar("T")


class Hops:
    """Runs blocking work for one call; what goes wrong with `path` is raised as callers of `method` know it."""

    def __init__(self, limiter: trio.CapacityLimiter, method: str, path: str) -> None:
        self._limiter = limiter
        self._method = method
        self._path = path

    async def __call__(self, work: Callable[[], T]) -> T:
        """Raises GlowError. Once begun, the work is waited for."""

        def run() -> T:
            with explained(self._method, self._path):
                return work()

        return await trio.to_thread.run_sync(run, limiter=self._limiter)
