"""The executor process: runs WebAssembly in worker programs of its own, within limits that are always on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec

import trio

from firefly import Context
from firefly.errors import GlowError, Interrupted, InvalidArgument, NoSuchResource
from firefly.interfaces.executor import (
    Answer,
    ExecutorServer,
    Job,
    LimitReached,
    NoSuchModule,
    NotWasm,
    Number,
    Order,
    Output,
    OutputExit,
    UnknownImport,
)
from firefly.runtime import ArgumentStream, current_call
from processes.background import Background
from processes.configuration import BadConfiguration
from processes.executor.configuration import read_configuration
from processes.executor.folders import find_mounts
from processes.executor.modules import ModuleStore
from processes.executor.pool import Pool, PooledWorker

COMPILE_TIME = 60.0
"""Seconds that the compilation of a module may take."""
MARGIN = 5.0
"""Seconds after a job's time at which a worker that says nothing is given up."""
MAX_ANSWER = 16 * 10**6
"""Bytes that a called function may write: they travel as one value."""
MAX_ENVIRONMENT = 256 * 1024
MAX_ARGUMENTS = 2**20
INSTALL = "pip install 'glow[wasm]'"
GONE = Interrupted, NoSuchResource


class Executor(ExecutorServer):
    """Configuration: how many `workers` (2) and `waiting` jobs (64), and what a job gets at most: `wall` seconds (600),
    `fuel` (10¹³), bytes of `memory` (1 GB) and `output` (1 GB)."""

    async def start(self, context: Context) -> None:
        """Raises BadConfiguration, also if wasmtime is not installed; GlowError if no worker serves."""
        configuration = read_configuration(context.configuration)
        if context.programs is None or context.node is None:
            raise BadConfiguration("an executor runs inside a node", hint="glow create executor")
        if find_spec("wasmtime") is None:
            raise BadConfiguration("the executor needs wasmtime", "it is not installed with that node", INSTALL)
        self._ceiling = configuration.ceiling
        self._glow = context.node
        self._store = await trio.to_thread.run_sync(ModuleStore, context.folder)
        self._background = await Background.open(context.nursery)
        settings = {
            "modules": str(self._store.modules),
            "compiled": str(self._store.compiled),
        }
        self._pool = await Pool.open(context, self._background, configuration, settings)
        programs = [worker.program for worker in self._pool.workers]
        if not any(program.serves for program in programs):
            raise GlowError("the workers cannot be started", programs[0].reason, f"{INSTALL} brings wasmtime")

    async def stop(self) -> None:
        await self._background.close()

    # --- modules

    def has(self, module: bytes) -> bool:
        return self._store.use(module)

    async def upload(self, data: ArgumentStream[bytes]) -> bytes:
        digest = await self._store.receive(data)
        async with self._pool.worker() as worker:
            await self._prepare(worker, digest)
        return digest

    async def _prepare(self, worker: PooledWorker, digest: bytes) -> None:
        """Has the module compiled, if that was not done since the start. Raises what `upload` does, NoSuchModule."""
        if digest in self._store.prepared:
            return
        try:
            with trio.fail_after(COMPILE_TIME):
                await worker.stub.prepare(digest)
        except trio.TooSlowError:
            await self._store.remove(digest)
            raise LimitReached("compile", f"{COMPILE_TIME:g} s") from None
        except (NotWasm, UnknownImport, NoSuchModule):
            await self._store.remove(digest)
            raise
        except GONE:
            await self._store.remove(digest)
            raise await worker.crashed() from None
        await self._store.compiled_now(digest)

    # --- jobs

    async def run(self, job: Job, stdin: ArgumentStream[bytes]) -> AsyncIterator[Output]:
        order = await self._order(job)
        worker = await self._pool.take()
        clean, last = False, None
        try:
            await self._prepare(worker, order.module)
            end = trio.current_time() + order.wall + MARGIN
            async with worker.stub.run(order, () if stdin.exhausted else stdin) as outputs:
                batches = outputs.batches()
                while batch := await next_batch(batches, order, end):
                    for item in batch:
                        if isinstance(item, OutputExit):
                            last = item
                        else:
                            yield item
            clean = True
        except GONE:
            raise await worker.crashed() from None
        finally:
            self._pool.give_back(worker, clean)
        if last is not None:  # said when the worker is free: the caller may ask for the next job at once
            yield last

    async def call(self, job: Job, function: str, arguments: list[Number], input: bytes) -> Answer:
        order = await self._order(job, MAX_ANSWER)
        async with self._pool.worker() as worker:
            await self._prepare(worker, order.module)
            try:
                with trio.fail_after(order.wall + MARGIN):
                    return await worker.stub.call(order, function, arguments, input)
            except trio.TooSlowError:
                raise LimitReached("wall", f"{order.wall:g} s") from None
            except GONE:
                raise await worker.crashed() from None

    async def _order(self, job: Job, most_output: int | None = None) -> Order:
        """A job, checked, with its folders. Raises NoSuchModule, NoSuchFolder, Denied, InvalidArgument."""
        if not self._store.use(job.module):
            raise NoSuchModule(job.module)
        limits = self._ceiling.limits(job.limits)
        arguments = [job.name, *job.arguments]
        check_texts("arguments", arguments, MAX_ARGUMENTS)
        check_texts("environment", [*job.environment, *job.environment.values()], MAX_ENVIRONMENT)
        if any("=" in name or not name for name in job.environment):
            raise InvalidArgument("the name of a variable is not empty, and has no =")
        return Order(
            job.module,
            arguments,
            job.environment,
            await find_mounts(self._glow, current_call().caller, job.folders),
            limits.wall,
            limits.fuel,
            limits.memory,
            limits.output if most_output is None else min(limits.output, most_output),
        )


async def next_batch(batches: AsyncIterator[list[Output]], order: Order, end: float) -> list[Output]:
    """What the worker says next, nothing after its last word. Raises LimitReached for one that says nothing any more.

    A caller may read slowly, long after the job has ended.
    """
    with trio.CancelScope(deadline=max(end, trio.current_time() + MARGIN)):
        return await anext(batches, [])
    raise LimitReached("wall", f"{order.wall:g} s")


def check_texts(what: str, texts: list[str], most: int) -> None:
    """Raises InvalidArgument for what a program cannot be given."""
    if any("\0" in text for text in texts):
        raise InvalidArgument(f"the {what} hold a NUL, which no program can be given")
    if sum(len(text.encode()) for text in texts) > most:
        raise InvalidArgument(f"the {what} have over {most} bytes", hint="give it by standard input")
