"""What a process does beside answering calls."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from firefly.errors import Interrupted

_ENDED = trio.TASK_STATUS_IGNORED


class Background:
    """Tasks of a process, which `close` ends and waits for; so what they use may be closed afterwards.

    They end with the nursery of the process, too, if that comes first. An error in one of them ends the process.
    """

    def __init__(self) -> None:
        self._nursery: trio.Nursery
        self._ended = trio.Event()

    @classmethod
    async def open(cls, nursery: trio.Nursery) -> Background:
        background = cls()
        await nursery.start(background._run)
        return background

    async def _run(self, task_status: trio.TaskStatus[None] = _ENDED) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._ended.set()

    def start_soon(self, task: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Raises Interrupted if the process has stopped."""
        if self._ended.is_set():
            raise Interrupted("the process has stopped", hint="try again")
        self._nursery.start_soon(task, *arguments)

    async def close(self) -> None:
        self._nursery.cancel_scope.cancel()
        await self._ended.wait()


async def run_until_stopped(work: Callable[[], None], stop: threading.Event, limiter: trio.CapacityLimiter) -> None:
    """Runs blocking work in a thread. Cancelled, it sets `stop`, at which the work returns, and waits for that."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_set_when_cancelled, stop)
        await trio.to_thread.run_sync(work, limiter=limiter)
        nursery.cancel_scope.cancel()


async def _set_when_cancelled(stop: threading.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        stop.set()
