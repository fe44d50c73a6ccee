"""One job in a worker: a fresh instance of a module, its standard streams, its limits, and how it ended.

The instance runs in a thread of its own. What stops it early is the epoch of the engine, which every loop and call of
the module looks at; a read of standard input ends because its pipe is closed, a write because its buffer is. Only a
sleep cannot be ended: then `over` is set while `ended` is not, and the executor kills the worker.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import trio
import wasmtime

from firefly.errors import GlowError, InvalidArgument
from firefly.interfaces.executor import LimitReached, NoSuchFunction, Number, Order, Trap, Usage
from processes.executor.engine import Loaded
from processes.executor.numbers import from_wasm, to_wasm
from processes.executor.output import STDERR, STDOUT, OutputBuffer

BRIEF, NICE = 0.1, 10
"""Seconds after which a job computes at low priority, so that it does not slow its node down."""
GRACE = 1.0
"""Seconds that a stopped program has to notice it."""
MAX_TABLES, MAX_TABLE_ELEMENTS = 16, 1_000_000
MAX_FRAMES = 20
START, INITIALIZE = "_start", "_initialize"


@dataclass
class Ended:
    """How a job ended by itself; `error` is anything else than an exit."""

    code: int = 0
    values: list[Number] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(0, 0.0, 0))
    error: Exception | None = None


class Guest:
    """`play` runs the job, `stop` ends it early, `result` tells how it ended; `output` is what it writes."""

    def __init__(
        self,
        engine: wasmtime.Engine,
        loaded: Loaded,
        order: Order,
        stdin: AsyncIterable[bytes] | None,
        function: str = START,
        arguments: tuple[Number, ...] = (),
    ) -> None:
        self.output = OutputBuffer(order.output)
        self.over = trio.Event()
        self.ended = trio.Event()
        self._engine = engine
        self._loaded = loaded
        self._order = order
        self._stdin = stdin
        self._function = function
        self._arguments = arguments
        self._stopped: GlowError | None = None
        self._writing: trio.lowlevel.FdStream | None = None
        self._outcome = Ended()
        self._thread = 0

    # --- on trio's thread

    async def play(self) -> None:
        """Runs the job until its thread has ended. Never raises for its sake."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_clock)
                reading = -1
                if self._stdin is not None:
                    reading, writing = os.pipe()
                    self._writing = trio.lowlevel.FdStream(writing)
                    nursery.start_soon(self._feed, self._stdin, self._writing)
                await trio.to_thread.run_sync(self._run, reading, abandon_on_cancel=True)
                nursery.cancel_scope.cancel()
        finally:
            self._close()
            self.over.set()
            self.ended.set()

    def stop(self, why: GlowError) -> None:
        """Has the job end; `why` is what `result` raises then, unless something else stopped it before."""
        if not self.ended.is_set():
            self._stopped = self._stopped or why
            self._engine.increment_epoch()
            self._close()

    def _close(self) -> None:
        self.output.close()
        if self._writing is not None:
            self._writing.close()

    async def _watch_clock(self) -> None:
        brief = min(BRIEF, self._order.wall)
        await trio.sleep(brief)
        if self._thread and sys.platform == "linux":  # elsewhere priorities are not those of threads
            os.setpriority(os.PRIO_PROCESS, self._thread, NICE)
        await trio.sleep(self._order.wall - brief)
        self.stop(LimitReached("wall", f"{self._order.wall:g} s"))
        await trio.sleep(GRACE)
        self.over.set()

    async def _feed(self, stdin: AsyncIterable[bytes], writing: trio.lowlevel.FdStream) -> None:
        """Standard input, until it ends or the program reads no more of it."""
        try:
            async for data in stdin:
                await writing.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except GlowError as error:
            self.stop(error)
        writing.close()

    async def result(self) -> Ended:
        """Waits for the end. Raises LimitReached, Trap, NoSuchFunction, InvalidArgument, or what broke the input."""
        if self.output.exceeded:
            self.stop(LimitReached("output", f"{self._order.output} bytes"))
            with trio.move_on_after(GRACE):
                await self.over.wait()
            self.over.set()
        await self.over.wait()
        if self._stopped is not None:
            raise self._stopped
        if self._outcome.error is not None:
            raise self._outcome.error
        return self._outcome

    # --- on the job's thread

    def _run(self, reading: int) -> None:
        outcome, order = self._outcome, self._order
        self._thread = threading.get_native_id()
        store = wasmtime.Store(self._engine)
        began = perf_counter()
        try:
            self._furnish(store, reading)
            self._enter(store)
        except wasmtime.ExitTrap as trap:
            outcome.code = trap.code
        except wasmtime.Trap as trap:
            outcome.error = self._explain(trap)
        except Exception as error:
            outcome.error = error
        finally:
            used = order.fuel - store.get_fuel()
            outcome.usage = Usage(used, perf_counter() - began, outcome.usage.memory)
            store.close()

    def _furnish(self, store: wasmtime.Store, reading: int) -> None:
        """Gives the job what it was given, and its limits."""
        order = self._order
        wasi = wasmtime.WasiConfig()
        wasi.argv = order.arguments
        wasi.env = order.environment.items()
        wasi.stdout_custom = partial(self.output.write, STDOUT)
        wasi.stderr_custom = partial(self.output.write, STDERR)
        if reading >= 0:
            try:
                wasi.stdin_file = f"/dev/fd/{reading}"
            finally:
                os.close(reading)
        for mount in order.mounts:
            try:
                wasi.preopen_dir(mount.host, mount.guest, mount.writable)
            except wasmtime.WasmtimeError:
                raise InvalidArgument(
                    f"the folder at {mount.guest} cannot be opened", hint="`glow ps` shows whether its process runs"
                ) from None
        store.set_wasi(wasi)
        store.set_fuel(order.fuel)
        store.set_epoch_deadline(1)
        store.set_limits(order.memory, MAX_TABLE_ELEMENTS, instances=1, tables=MAX_TABLES, memories=1)

    def _enter(self, store: wasmtime.Store) -> None:
        try:
            instance = self._loaded.ready.instantiate(store)
        except wasmtime.ExitTrap:
            raise
        except wasmtime.WasmtimeError as error:  # imports are known: what is left are the limits of the store
            raise LimitReached("memory", f"{self._order.memory} bytes; {error}") from None
        exports = instance.exports(store)
        function = exports.get(self._function)
        if not isinstance(function, wasmtime.Func):
            raise NoSuchFunction(self._function, sorted(self._loaded.functions())[:100])
        kind = function.type(store)
        arguments = to_wasm(self._function, kind, self._arguments)
        initialize = exports.get(INITIALIZE) if self._function != START else None
        try:
            if isinstance(initialize, wasmtime.Func):
                initialize(store)
            self._outcome.values = from_wasm(function(store, *arguments))
        finally:
            memory: Any = exports.get("memory")
            if isinstance(memory, wasmtime.Memory):
                self._outcome.usage = Usage(0, 0.0, memory.data_len(store))

    def _explain(self, trap: wasmtime.Trap) -> Exception:
        code = trap.trap_code
        if code is wasmtime.TrapCode.OUT_OF_FUEL:
            return LimitReached("fuel", str(self._order.fuel))
        reason = trap.message.partition("\n")[0] if code is None else code.name.lower().replace("_", " ")
        frames = [f"{frame.func_name or f'function {frame.func_index}'}"[:200] for frame in trap.frames[:MAX_FRAMES]]
        return Trap(reason[:500], frames, self._outcome.usage.memory, self._order.memory)
