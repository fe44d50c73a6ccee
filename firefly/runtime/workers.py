"""Reused tasks for asynchronous handlers: waking one costs a third of starting one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context

import outcome
import trio

MAX_IDLE = 256


class Job:
    """Work for a worker's task. `run` gets the cancel scope that it may use as its own while it runs."""

    __slots__ = ()

    async def run(self, scope: trio.CancelScope) -> None:
        """Does the work. It must not raise but Cancelled."""
        raise NotImplementedError

    def cut_off(self, own: bool) -> None:
        """`run` was cancelled: by its own scope, or because the workers end."""


class Errand(Job):
    """A job that is just a function to be awaited."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work

    async def run(self, scope: trio.CancelScope) -> None:
        await self._work()


class Workers:
    """Runs jobs, each on a task of its own, as many as are given. Tasks and their cancel scopes are used again."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._context = copy_context()  # a task must not inherit what the caller of its first job has set
        self._idle: list[trio.lowlevel.Task] = []

    def run(self, job: Job) -> None:
        if self._idle:
            trio.lowlevel.reschedule(self._idle.pop(), outcome.Value(job))
        else:
            self._context.copy().run(self._nursery.start_soon, self._work, job)

    async def _work(self, job: Job | None) -> None:
        while job is not None:
            with trio.CancelScope() as scope:
                while job is not None and not scope.cancel_called:
                    try:
                        await job.run(scope)
                    except BaseException:  # Cancelled, maybe in groups
                        job.cut_off(own=scope.cancel_called)
                        raise
                    job = None if scope.cancel_called else await self._next_job()
            if scope.cancel_called:
                job = await self._next_job()

    async def _next_job(self) -> Job | None:
        """Waits for the next job; None if enough others wait."""
        if len(self._idle) >= MAX_IDLE:
            return None
        task = trio.lowlevel.current_task()
        self._idle.append(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            if task in self._idle:
                self._idle.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        job: Job = await trio.lowlevel.wait_task_rescheduled(abort)
        return job


@asynccontextmanager
async def open_workers() -> AsyncIterator[Workers]:
    """Workers for the time of the block; its end cancels what still runs."""
    async with trio.open_nursery() as nursery:
        yield Workers(nursery)
        nursery.cancel_scope.cancel()
