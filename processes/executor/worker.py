"""A worker of an executor: a program that runs one job at a time. `python -m processes.executor.worker MEMORY`.

MEMORY are the most bytes that a job gets.

It is attached to its node as every program is, and only its own executor, in that node, can call it.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from firefly import Context, serve
from firefly.errors import Busy, CallCancelled
from firefly.interfaces.executor import (
    Answer,
    Number,
    Order,
    Output,
    OutputExit,
    OutputStderr,
    OutputStdout,
    WorkerServer,
)
from firefly.runtime import ArgumentStream
from processes.executor.engine import Engine, Loaded
from processes.executor.guest import START, Guest
from processes.executor.output import STDOUT

MAX_OWN_MEMORY = 2 * 2**30
"""Bytes that a worker may use beside the memory of its job, most of it to compile; then it ends, and nothing else."""


class WorkerProcess(WorkerServer):
    """Configuration: `modules`, the folder of what was uploaded; `compiled`, the private one of what was made of it."""

    async def start(self, context: Context) -> None:
        """Raises PermissionError if the folder of compiled code is not private."""
        given = context.configuration
        self._engine = Engine(Path(given["modules"]), Path(given["compiled"]))
        self._nursery = context.nursery
        self._guest: Guest | None = None
        self._loading = trio.Lock()

    async def prepare(self, module: bytes) -> None:
        await self._load(module)

    async def run(self, order: Order, stdin: ArgumentStream[bytes]) -> AsyncIterator[Output]:
        guest = await self._begin(order, START, (), None if stdin.exhausted else stdin)
        try:
            while (pieces := await guest.output.next()) is not None:
                for stream, data in pieces:
                    yield OutputStdout(data) if stream == STDOUT else OutputStderr(data)
            ended = await guest.result()
            yield OutputExit(ended.code, ended.usage)
        finally:
            guest.stop(CallCancelled("nobody waits for the job any more"))

    async def call(self, order: Order, function: str, arguments: list[Number], input: bytes) -> Answer:
        stdin = _one_item(input) if input else None
        guest = await self._begin(order, function, tuple(arguments), stdin)
        written: dict[bool, list[bytes]] = {True: [], False: []}
        try:
            while (pieces := await guest.output.next()) is not None:
                for stream, data in pieces:
                    written[stream == STDOUT].append(data)
            ended = await guest.result()
        finally:
            guest.stop(CallCancelled("nobody waits for the job any more"))
        return Answer(ended.values, b"".join(written[True]), b"".join(written[False]), ended.code, ended.usage)

    async def settle(self) -> None:
        async with self._loading:  # first what is still being loaded, maybe for a caller who has gone
            if self._guest is not None:
                await self._guest.ended.wait()

    async def _begin(
        self, order: Order, function: str, arguments: tuple[Number, ...], stdin: AsyncIterator[bytes] | None
    ) -> Guest:
        if self._guest is not None and not self._guest.ended.is_set():
            raise Busy("the worker runs another job")
        loaded = self._engine.loaded(order.module) or await self._load(order.module)
        guest = self._guest = Guest(self._engine.engine, loaded, order, stdin, function, arguments)
        self._nursery.start_soon(guest.play)
        return guest

    async def _load(self, module: bytes) -> Loaded:
        async with self._loading:
            return await trio.to_thread.run_sync(self._engine.load, module)


async def _one_item(data: bytes) -> AsyncIterator[bytes]:
    yield data


def confine(memory: int) -> None:
    """What the operating system holds a worker to: `memory` bytes that can be written to, no core file.

    Address space cannot be limited: wasmtime reserves 4 GiB of it for each memory, and uses little of that.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main() -> None:
    confine(int(sys.argv[1]) + MAX_OWN_MEMORY)
    serve(WorkerProcess)
    sys.stderr.flush()
    os._exit(0)  # a job may still run: its thread must not meet the end of the interpreter


if __name__ == "__main__":
    main()
