"""Reused tasks for asynchronous handlers: waking one costs a third of starting one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import outcome
import trio

Job = Callable[[], Awaitable[None]]
MAX_IDLE = 256


class Workers:
    """Runs jobs, each on a task of its own, as many as are given. A job must not raise."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._idle: list[trio.lowlevel.Task] = []

    def run(self, job: Job) -> None:
        if self._idle:
            trio.lowlevel.reschedule(self._idle.pop(), outcome.Value(job))
        else:
            self._nursery.start_soon(self._work, job)

    async def _work(self, job: Job) -> None:
        while True:
            await job()
            if len(self._idle) >= MAX_IDLE:
                return
            task = trio.lowlevel.current_task()
            self._idle.append(task)

            def abort(_: object, task: trio.lowlevel.Task = task) -> trio.lowlevel.Abort:
                if task in self._idle:
                    self._idle.remove(task)
                return trio.lowlevel.Abort.SUCCEEDED

            job = await trio.lowlevel.wait_task_rescheduled(abort)


@asynccontextmanager
async def open_workers() -> AsyncIterator[Workers]:
    """Workers for the time of the block; its end cancels what still runs."""
    async with trio.open_nursery() as nursery:
        yield Workers(nursery)
        nursery.cancel_scope.cancel()
