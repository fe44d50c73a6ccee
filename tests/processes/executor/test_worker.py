"""A worker, its jobs and every way in which these end. It is served here as its program serves it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

pytest.importorskip("wasmtime", reason="wasmtime has no wheel for this machine")

from firefly.errors import GlowError, InvalidArgument
from firefly.interfaces.executor import (
    LimitReached,
    Mount,
    NoSuchFunction,
    NoSuchModule,
    NotWasm,
    NumberFloat,
    NumberInteger,
    Order,
    OutputExit,
    OutputStderr,
    OutputStdout,
    Trap,
    UnknownImport,
    Worker,
)
from firefly.testing import serving
from processes.executor.guest import BRIEF, NICE
from processes.executor.output import MAX_WAITING
from processes.executor.worker import WorkerProcess
from tests.processes.executor import programs
from tests.processes.executor.programs import digest, order
from tests.processes.running import started


@dataclass
class Bench:
    """A worker and the folder from which it takes modules."""

    worker: Worker
    process: WorkerProcess
    modules: Path

    def put(self, module: bytes) -> bytes:
        (self.modules / digest(module).hex()).write_bytes(module)
        return module

    async def run(self, module: bytes, *arguments: str, stdin: Any = (), **given: Any) -> tuple[bytes, bytes, int]:
        """(standard output, standard error, exit code)."""
        return await self.obey(order(self.put(module), *arguments, **given), stdin)

    async def obey(self, given: Order, stdin: Any = ()) -> tuple[bytes, bytes, int]:
        written: dict[type, bytes] = {OutputStdout: b"", OutputStderr: b""}
        async with self.worker.run(given, stdin) as outputs:
            async for item in outputs:
                if isinstance(item, OutputExit):
                    return written[OutputStdout], written[OutputStderr], item.code
                assert isinstance(item, OutputStdout | OutputStderr)
                written[type(item)] += item.value
        raise AssertionError("the stream ended without an exit")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Bench]:
    modules, compiled = folder / "modules", folder / "compiled"
    modules.mkdir()
    compiled.mkdir(mode=0o700)
    process = WorkerProcess()
    process.stop = no_stop  # type: ignore[attr-defined]
    async with (
        started(process, folder, modules=str(modules), compiled=str(compiled)),
        serving(process, Worker) as worker,
    ):
        yield Bench(worker, process, modules)


async def no_stop() -> None:
    """A worker has nothing to put away."""


# --- programs


async def test_an_empty_program_ends_with_0(bench: Bench) -> None:
    assert await bench.run(programs.EMPTY) == (b"", b"", 0)


async def test_output_errors_and_the_exit_code_come_back(bench: Bench) -> None:
    assert await bench.run(programs.says("hello", 7)) == (b"hello", b"", 7)
    assert await bench.run(programs.says("oh", 0, descriptor=2)) == (b"", b"oh", 0)


async def test_arguments_and_environment_are_what_was_given(bench: Bench) -> None:
    written, _, _ = await bench.run(programs.ARGUMENTS, "ä b", "")
    assert written == "program\0ä b\0\0".encode()
    written, _, _ = await bench.run(programs.ENVIRONMENT, environment={"COLOUR": "grün"})
    assert written == "COLOUR=grün\0".encode()


async def test_nothing_of_the_workers_environment_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_SECRET", "s3cret")
    assert (await bench.run(programs.ENVIRONMENT))[0] == b""


async def test_standard_input_goes_in_and_comes_out_byte_for_byte(bench: Bench) -> None:
    data = os.urandom(3_000_000)
    pieces = [data[start : start + 60_000] for start in range(0, len(data), 60_000)]
    written, _, code = await bench.run(programs.ECHO, stdin=pieces)
    assert (written, code) == (data, 0)


async def test_input_and_output_are_streamed(bench: Bench) -> None:
    """The second word is given only when the first has come back."""
    send, receive = trio.open_memory_channel[bytes](0)
    async with bench.worker.run(order(bench.put(programs.ECHO)), receive) as outputs:
        for word in (b"one", b"two"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send.send, word)
                item = await anext(outputs)
            assert item == OutputStdout(word)
        await send.aclose()
        assert isinstance(await anext(outputs), OutputExit)


async def test_a_program_may_leave_its_input_unread(bench: Bench) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(60_000)

    assert await bench.run(programs.EMPTY, stdin=endless()) == (b"", b"", 0)


async def test_what_breaks_the_input_ends_the_job(bench: Bench) -> None:
    """Half of the input must not look like all of it."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise InvalidArgument("the disk is gone")

    with pytest.raises(InvalidArgument, match="the disk is gone"):
        await bench.run(programs.ECHO, stdin=broken())
    await settled(bench)


async def test_the_usage_tells_fuel_time_and_memory(bench: Bench) -> None:
    async with bench.worker.run(order(bench.put(programs.says("x"))), ()) as outputs:
        *_, last = [item async for item in outputs]
    assert isinstance(last, OutputExit)
    assert 0 < last.usage.fuel < 1000
    assert last.usage.wall > 0
    assert last.usage.memory == 2 * 65536


# --- what is bad

NOT_WASM = {
    "text": b"hello",
    "nothing": b"",
    "compiled code": b"\x7fELF" + bytes(100),
    "bad text": b"(module (func",
    "cut": b"\0asm\1\0\0\0\x05",
    "component": programs.COMPONENT,
    "another type": programs.OTHER_TYPE,
    "binary dirt": b"\xff\xfe" * 50,
}


@pytest.mark.parametrize("data", NOT_WASM.values(), ids=NOT_WASM)
async def test_what_is_no_module_is_refused(bench: Bench, data: bytes) -> None:
    with pytest.raises(NotWasm) as caught:
        await bench.worker.prepare(digest(bench.put(data)))
    assert caught.value.reason
    assert await bench.run(programs.EMPTY) == (b"", b"", 0)


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        (programs.UNKNOWN, ("env", "teleport")),
        (programs.UNKNOWN_WASI, ("wasi_snapshot_preview1", "beam_up")),
    ],
)
async def test_an_unknown_import_is_named(bench: Bench, module: bytes, needs: tuple[str, str]) -> None:
    with pytest.raises(UnknownImport) as caught:
        await bench.worker.prepare(digest(bench.put(module)))
    assert (caught.value.module, caught.value.name_) == needs


LIMITS = {
    "loops, wall": (programs.LOOP, {"wall": 0.05}, "wall"),
    "loops, fuel": (programs.LOOP, {"fuel": 10_000}, "fuel"),
    "floods": (programs.FLOOD, {"output": 100_000}, "output"),
    "wants much memory": (programs.GREEDY, {}, "memory"),
    "wants two memories": (programs.TWO_MEMORIES, {}, "memory"),
    "wants a large table": (programs.MANY_ELEMENTS, {}, "memory"),
}


@pytest.mark.parametrize(("module", "given", "limit"), LIMITS.values(), ids=LIMITS)
async def test_limits_end_a_job_and_the_worker_goes_on(
    bench: Bench, module: bytes, given: dict[str, Any], limit: str
) -> None:
    with pytest.raises(LimitReached) as caught:
        await bench.run(module, **given)
    assert caught.value.limit == limit
    await settled(bench)
    assert await bench.run(programs.says("next")) == (b"next", b"", 0)


async def test_what_was_written_before_the_limit_arrives(bench: Bench) -> None:
    written: list[bytes] = []

    async def read() -> None:
        async with bench.worker.run(order(bench.put(programs.FLOOD), output=100_001), ()) as outputs:
            async for item in outputs:
                assert isinstance(item, OutputStdout)
                written.append(item.value)

    with pytest.raises(LimitReached):
        await read()
    assert sum(map(len, written)) == 100_001


async def test_memory_stops_growing_and_a_trap_tells_how_full_it_was(bench: Bench) -> None:
    with pytest.raises(Trap) as caught:
        await bench.run(programs.GROW, memory=2**20)
    assert (caught.value.reason, caught.value.memory, caught.value.allowed) == ("unreachable", 2**20, 2**20)


async def test_a_trap_tells_why_and_where(bench: Bench) -> None:
    with pytest.raises(Trap) as caught:
        await bench.run(programs.TRAP)
    assert (caught.value.reason, caught.value.backtrace) == ("unreachable", ["deep", "start"])
    with pytest.raises(Trap) as caught:
        await bench.run(programs.RECURSION)
    assert caught.value.reason == "stack overflow"
    assert 0 < len(caught.value.backtrace) <= 20
    assert await bench.run(programs.EMPTY) == (b"", b"", 0)


async def test_a_program_that_waits_for_input_ends_when_its_time_is_over(bench: Bench) -> None:
    async def silent() -> AsyncIterator[bytes]:
        await trio.sleep_forever()
        yield b""

    with pytest.raises(LimitReached):
        await bench.run(programs.ECHO, stdin=silent(), wall=0.05)
    await settled(bench)


async def test_a_slow_reader_stops_the_program_not_the_worker(bench: Bench) -> None:
    """A program whose output nobody reads waits in its write; what it costs is bounded."""
    async with bench.worker.run(order(bench.put(programs.FLOOD), output=2**30), ()) as outputs:
        assert isinstance(await anext(outputs), OutputStdout)
        guest = bench.process._guest
        assert guest is not None
        with trio.fail_after(20):
            while guest.output._waiting < MAX_WAITING:  # noqa: ASYNC110 (it is filled by a thread)
                await trio.sleep(0.01)
        assert guest.output._waiting < 2 * MAX_WAITING
    await settled(bench)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere priorities are not those of threads")
async def test_a_job_that_goes_on_computes_at_low_priority(bench: Bench) -> None:
    async def compute() -> None:
        with pytest.raises(LimitReached):
            await bench.run(programs.LOOP, wall=BRIEF + 0.1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(compute)
        with trio.fail_after(20):
            while bench.process._guest is None or not bench.process._guest._thread:  # noqa: ASYNC110 (a thread)
                await trio.sleep(0.001)
            thread = bench.process._guest._thread
            while os.getpriority(os.PRIO_PROCESS, thread) != NICE:  # noqa: ASYNC110 (the system tells nobody)
                await trio.sleep(0.001)


async def test_a_job_whose_caller_goes_ends(bench: Bench) -> None:
    async with bench.worker.run(order(bench.put(programs.FLOOD), output=2**30), ()) as outputs:
        await anext(outputs)
    await settled(bench)
    assert await bench.run(programs.EMPTY) == (b"", b"", 0)


async def test_it_runs_one_job_at_a_time(bench: Bench) -> None:
    send, receive = trio.open_memory_channel[bytes](1)
    await send.send(b"first")
    async with bench.worker.run(order(bench.put(programs.ECHO)), receive) as outputs:
        await anext(outputs)
        with pytest.raises(GlowError, match="another job"):
            await bench.run(programs.EMPTY)
        await send.aclose()
        assert [type(item) async for item in outputs] == [OutputExit]


async def settled(bench: Bench) -> None:
    with trio.fail_after(20):
        await bench.worker.settle()


# --- folders


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    share.mkdir()
    (share / "inside.txt").write_text("inside")
    (tmp_path / "secret.txt").write_text("secret")
    (share / "link").symlink_to(tmp_path / "secret.txt")
    (share / "up").symlink_to("../secret.txt")
    return share


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "link", "up", "x/../../secret.txt"])
@pytest.mark.parametrize("writable", [False, True])
async def test_nothing_outside_of_a_folder_is_reached(bench: Bench, share: Path, path: str, writable: bool) -> None:
    mounts = (Mount(str(share), "/data", writable),)
    for flags, rights in ((programs.NO_FLAGS, programs.READ), (programs.CREATE, programs.READ | programs.WRITE)):
        _, _, code = await bench.run(programs.opens(path, flags, rights), mounts=mounts)
        assert code in (programs.NOT_PERMITTED, programs.DOES_NOT_EXIST)
    assert (share.parent / "secret.txt").read_text() == "secret"


async def test_a_folder_is_read_and_written_only_as_it_was_given(bench: Bench, share: Path) -> None:
    read = programs.opens("inside.txt", programs.NO_FLAGS, programs.READ)
    create = programs.opens("new.txt", programs.CREATE, programs.READ | programs.WRITE)
    read_only, writable = (Mount(str(share), "/data", way) for way in (False, True))
    assert await bench.run(read, mounts=(read_only,)) == (b"", b"", 0)
    assert await bench.run(create, mounts=(read_only,)) == (b"", b"", programs.NOT_PERMITTED)
    assert not (share / "new.txt").exists()
    assert await bench.run(create, mounts=(writable,)) == (b"", b"", 0)
    assert (share / "new.txt").exists()


async def test_a_folder_that_is_gone_is_said(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="/data cannot be opened"):
        await bench.run(programs.EMPTY, mounts=(Mount(str(tmp_path / "none"), "/data", False),))


# --- functions


async def call(bench: Bench, function: str, *numbers: float, data: bytes = b"") -> Any:
    arguments = [NumberInteger(n) if isinstance(n, int) else NumberFloat(n) for n in numbers]
    return await bench.worker.call(order(bench.put(programs.REACTOR)), function, arguments, data)  # type: ignore[arg-type]


async def test_a_function_takes_and_gives_numbers(bench: Bench) -> None:
    answer = await call(bench, "add", -1, 2**40, 0.5, 1)
    assert (answer.values, answer.code, answer.output) == ([NumberFloat(2.0**40 + 0.5)], 0, b"")
    answer = await call(bench, "ready", 2**32 - 1)
    assert answer.values == [NumberInteger(39), NumberInteger(-1)]


async def test_a_function_takes_bytes_by_its_standard_input(bench: Bench) -> None:
    answer = await call(bench, "copy", data=b"some bytes")
    assert (answer.values, answer.output, answer.errors) == ([], b"some bytes", b"")


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        ("add", (1, 2, 3)),
        ("add", (1.5, 2, 3, 4)),
        ("ready", (2**32,)),
        ("ready", (-(2**31) - 1,)),
        ("opaque", (1,)),
    ],
)
async def test_numbers_that_do_not_fit_are_refused(bench: Bench, function: str, numbers: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgument):
        await call(bench, function, *numbers)


async def test_a_function_that_is_not_there_is_named_with_those_that_are(bench: Bench) -> None:
    with pytest.raises(NoSuchFunction) as caught:
        await call(bench, "subtract")
    assert (caught.value.name_, caught.value.known[:2]) == ("subtract", ["_initialize", "add"])
    with pytest.raises(NoSuchFunction) as caught:
        await bench.run(programs.REACTOR)
    assert caught.value.name_ == "_start"


async def test_a_module_that_is_not_there_is_said(bench: Bench) -> None:
    with pytest.raises(NoSuchModule):
        await bench.obey(order(b"never uploaded"))


async def test_no_thread_is_left(bench: Bench) -> None:
    for _ in range(50):
        assert await bench.run(programs.says("word")) == (b"word", b"", 0)
    assert threading.active_count() < 10
