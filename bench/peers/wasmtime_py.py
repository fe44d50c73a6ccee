"""wasmtime without anything around it, in threads of one OS process, with the limits that Glow sets."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
import wasmtime

from bench.client import Place
from bench.wasm import MODULES, Runner, module

LIBRARY = "trio"
FUEL, MEMORY = 10**12, 256 * 10**6


class WasmtimeRunner(Runner):
    """Holds module 0 in memory and reads the others from the disk each time."""

    def __init__(self, folder: Path) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        config.epoch_interruption = True
        self._engine = wasmtime.Engine(config)
        self._linker = wasmtime.Linker(self._engine)
        self._linker.define_wasi()
        self._files = [folder / str(number) for number in range(MODULES)]
        self._threads = trio.CapacityLimiter(2)
        for number, file in enumerate(self._files):
            file.write_bytes(wasmtime.Module(self._engine, module(number)).serialize())
        self._held = self._load(0)

    def _load(self, number: int) -> wasmtime.Module:
        return wasmtime.Module.deserialize_file(self._engine, str(self._files[number]))

    async def run(self, number: int) -> None:
        await trio.to_thread.run_sync(self._run, number, limiter=self._threads)

    def _run(self, number: int) -> None:
        store = wasmtime.Store(self._engine)
        try:
            wasi = wasmtime.WasiConfig()
            written: list[bytes] = []
            wasi.stdout_custom = written.append
            store.set_wasi(wasi)
            store.set_fuel(FUEL)
            store.set_epoch_deadline(1)
            store.set_limits(MEMORY, memories=1)
            instance = self._linker.instantiate(store, self._load(number) if number else self._held)
            start = instance.exports(store)["_start"]
            assert isinstance(start, wasmtime.Func)
            start(store)
        finally:
            store.close()


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    """Nothing: there is no server's end."""
    yield


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[WasmtimeRunner]:
    with tempfile.TemporaryDirectory(prefix="glow-bench-") as folder:
        yield WasmtimeRunner(Path(folder))
