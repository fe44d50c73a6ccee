"""The workers of an executor: each runs one job at a time; jobs for which none is free wait in order, up to a bound.

A worker that a job left in doubt is asked whether it is done; one that does not say so in time is killed. Either way
it takes the next job only when it is known to be idle.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import trio

from firefly import Context
from firefly.errors import Busy, GlowError
from firefly.interfaces.executor import Crashed, Worker
from firefly.programs import OwnedProgram
from processes.background import Background
from processes.executor.configuration import Configuration

COMMAND = [sys.executable, "-P", "-m", "processes.executor.worker"]
SETTLE_TIME = 2.0
"""Seconds that a worker has to end a job that was stopped."""
MAX_LABEL = 63


class PooledWorker:
    """A worker program and the client of its resource."""

    def __init__(self, program: OwnedProgram, stub: Worker) -> None:
        self.program = program
        self.stub = stub

    async def gone(self) -> bool:
        """Whether it is found to have ended, for which its node takes a moment."""
        with trio.move_on_after(SETTLE_TIME):
            await self.program.ended()
        return not self.program.serves

    async def crashed(self) -> Crashed:
        """What the caller of a job is told when its worker cannot be reached any more."""
        return Crashed(self.program.reason if await self.gone() else "it could not be reached")


class Turn:
    """A job that waits for a worker."""

    def __init__(self) -> None:
        self.came = trio.Event()
        self.worker: PooledWorker | None = None


class Pool:
    """Made by `open`; its programs end with the process."""

    def __init__(self, background: Background, waiting: int) -> None:
        self.workers: list[PooledWorker] = []
        self._background = background
        self._idle: deque[PooledWorker] = deque()
        self._queue: deque[Turn] = deque()
        self._max_waiting = waiting

    @classmethod
    async def open(
        cls, context: Context, background: Background, configuration: Configuration, settings: Mapping[str, str]
    ) -> Pool:
        """Starts the workers; returns when one serves or all have failed once."""
        assert context.programs is not None
        assert context.node is not None
        pool = cls(background, configuration.waiting)
        command = [*COMMAND, str(configuration.ceiling.memory)]
        for number in range(1, configuration.workers + 1):
            suffix = f"-{number}"
            label = context.label[: MAX_LABEL - len(suffix)] + suffix
            program = context.programs.start(label, command, settings)
            stub = context.node.at(context.node.address, program.id, Worker)
            pool.workers.append(PooledWorker(program, stub))
        for worker in pool.workers:
            background.start_soon(pool._revive, worker)
        for worker in pool.workers:
            await worker.program.settled()
            if worker.program.serves:
                break
        return pool

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[PooledWorker]:
        """A worker for the time of the block. Raises Busy if too many wait, or if no worker can be started."""
        worker = await self.take()
        clean = False
        try:
            yield worker
            clean = True
        finally:
            self.give_back(worker, clean)

    async def take(self) -> PooledWorker:
        while self._idle:
            worker = self._idle.popleft()
            if worker.program.serves:
                return worker
            self._background.start_soon(self._revive, worker)
        if all(worker.program.failing for worker in self.workers):
            raise Busy(
                "no worker of the executor runs", cause=self.workers[0].program.reason, hint="`glow ps` shows them"
            )
        if len(self._queue) >= self._max_waiting:
            raise Busy(
                f"{len(self._queue)} jobs wait for a worker already",
                hint="try again in a while, or make an executor with more workers",
            )
        return await self._wait()

    async def _wait(self) -> PooledWorker:
        turn = Turn()
        self._queue.append(turn)
        try:
            await turn.came.wait()
        except BaseException:
            if turn.worker is None:
                self._queue.remove(turn)
            else:
                self._put(turn.worker)
            raise
        assert turn.worker is not None
        return turn.worker

    def give_back(self, worker: PooledWorker, clean: bool) -> None:
        """`clean`: its job has ended by itself, so nothing of it can be left."""
        if clean:
            self._put(worker)
        else:
            self._background.start_soon(self._settle, worker)

    def _put(self, worker: PooledWorker) -> None:
        if self._queue:
            turn = self._queue.popleft()
            turn.worker = worker
            turn.came.set()
        else:
            self._idle.append(worker)

    async def _settle(self, worker: PooledWorker) -> None:
        try:
            with trio.fail_after(SETTLE_TIME):
                await worker.stub.settle()
        except trio.TooSlowError:
            worker.program.restart("a job did not stop when it had to")
        except GlowError as error:
            if not await worker.gone():
                worker.program.restart(f"it cannot be asked: {error.message}")
        else:
            self._put(worker)
            return
        await self._revive(worker)

    async def _revive(self, worker: PooledWorker) -> None:
        """Waits until the worker serves, then lets it work."""
        await worker.program.serving()
        self._put(worker)
