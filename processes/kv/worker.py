"""Work for one thread: all that waits while a batch runs goes in the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import trio

from firefly.errors import Busy, GlowError, Interrupted

T = TypeVar("T")
MAX_WAITING, MAX_WAITING_BYTES = 4096, 64 * 2**20
MAX_BATCH, MAX_BATCH_BYTES = 1024, 16 * 2**20


class Job:
    """Something to be done by the thread, and what came of it."""

    __slots__ = ("done", "error", "result", "size", "work")

    def __init__(self, work: Callable[[], Any], size: int) -> None:
        self.work = work
        self.size = size
        self.done = trio.Event()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Any error is the job's own."""
        try:
            self.result = self.work()
        except Exception as error:
            self.error = error


class Worker:
    """Runs jobs in batches, one after another.

    `run_batch` blocks and leaves each job with a result or an error; what it raises itself becomes the error of all.
    `ran` is called after each batch.
    """

    def __init__(self, run_batch: Callable[[list[Job]], None], ran: Callable[[], None] = lambda: None) -> None:
        self._run_batch = run_batch
        self._ran = ran
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: deque[Job] = deque()
        self._bytes = 0
        self._arrived = trio.Event()
        self._stopped: GlowError | None = None

    async def do(self, work: Callable[[], T], size: int = 0) -> T:
        """What the work returns, or raises. `size`: bytes that it keeps in memory while it waits.

        Raises Busy if too much waits already, Interrupted if the worker ends. A job of a cancelled caller may run.
        """
        if self._stopped is not None:
            raise self._stopped
        if len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
            raise Busy(f"{len(self._waiting)} others wait for the disk", retry_after=0.1)
        job = Job(work, size)
        self._waiting.append(job)
        self._bytes += size
        self._arrived.set()
        await job.done.wait()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    async def serve(self) -> None:
        """Runs jobs until it is cancelled; a batch that has begun is finished."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived = trio.Event()
                while self._waiting:
                    await self._serve(self._next_batch())
        finally:
            self._stopped = Interrupted("the store has stopped", hint="try again")
            self._fail(list(self._waiting), self._stopped)

    def _next_batch(self) -> list[Job]:
        batch: list[Job] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._bytes -= size
        return batch

    async def _serve(self, batch: list[Job]) -> None:
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(self._run_batch, batch, limiter=self._limiter)
            except Exception as error:
                self._fail(batch, error)
        for job in batch:
            job.done.set()
        self._ran()
        await trio.lowlevel.checkpoint()

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        for job in jobs:
            job.error = error
            job.done.set()
