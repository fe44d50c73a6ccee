"""The executor in a real node, with workers as OS processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

pytest.importorskip("wasmtime", reason="wasmtime has no wheel for this machine")

import node
from firefly.errors import Busy, Denied, InvalidArgument
from firefly.interfaces.core import BadSpecification, ProcessKind, ProcessState, ProcessStatus, Role, Specification
from firefly.interfaces.executor import (
    Crashed,
    Executor,
    Folder,
    Job,
    LimitReached,
    Limits,
    NoSuchFolder,
    NoSuchModule,
    NotWasm,
    NumberInteger,
    OutputExit,
    OutputStdout,
    UnknownImport,
    Worker,
)
from firefly.interfaces.filesystem import FileSystem
from processes.executor import pool, process
from tests.node.family import LIMIT, LISTEN, joined
from tests.processes.executor import programs
from tests.processes.executor.programs import SAYS_AND_SLEEPS, digest


@pytest.fixture
async def nas(tmp_path: Path) -> AsyncIterator[node.RunningNode]:
    async with node.start(tmp_path / "nas", name="nas", listen=LISTEN) as glow:
        yield glow


async def made(glow: node.RunningNode, **configuration: str) -> Executor:
    """An executor on a node, with one worker if nothing else is said."""
    given = {"workers": "1", **configuration}
    await glow.node.create(Specification("wasm", ProcessKind.BUILTIN, "executor", [], given))
    return await glow.open("self/wasm", Executor)


async def run(executor: Executor, module: bytes, stdin: Any = (), **job: Any) -> tuple[bytes, int]:
    """(standard output, exit code) of a module that is uploaded first."""
    written = b""
    if not await executor.has(digest(module)):
        assert await executor.upload([module]) == digest(module)
    async with executor.run(Job(digest(module), **job), stdin) as outputs:
        async for item in outputs:
            if isinstance(item, OutputExit):
                return written, item.code
            assert isinstance(item, OutputStdout)
            written += item.value
    raise AssertionError("the stream ended without an exit")


async def workers(glow: node.RunningNode) -> list[ProcessStatus]:
    return [status for status in await glow.node.processes() if status.proto == Worker.proto or "-" in status.label]


async def until(holds: Callable[[], Any]) -> Any:
    with trio.fail_after(LIMIT):
        while not (held := await holds()):  # noqa: ASYNC110 (another OS process tells nobody)
            await trio.sleep(0.01)
    return held


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def two(tmp_path: Path, nas: node.RunningNode) -> AsyncIterator[node.RunningNode]:
    async with joined(tmp_path, nas, "laptop") as laptop:
        yield laptop


async def test_a_program_of_another_node_runs_and_its_workers_are_nobody_elses(
    tmp_path: Path, nas: node.RunningNode
) -> None:
    await made(nas, workers="2")
    async with two(tmp_path, nas) as laptop:
        executor = laptop.at(nas.address, (await nas.resolve("self/wasm")).resource, Executor)
        data = os.urandom(300_000)
        assert await run(executor, programs.ECHO, [data[:60_000], data[60_000:120_000]]) == (data[:120_000], 0)
        assert await run(executor, programs.ARGUMENTS, arguments=["a", "b"]) == (b"program\0a\0b\0", 0)
        assert await run(executor, programs.says("bye", 3)) == (b"bye", 3)
        first, second = sorted(await workers(nas), key=lambda status: status.label)
        assert (first.label, second.label, first.state) == ("wasm-1", "wasm-2", ProcessState.RUNNING)
        assert first.os_process not in (None, second.os_process, os.getpid())
        assert [resource.label for resource in await nas.node.resources(nas.address)] == ["wasm"]
        with pytest.raises(Denied):
            await laptop.at(nas.address, first.id, Worker).settle()
        with pytest.raises(Denied, match="belongs to the process wasm"):
            await nas.node.kill(first.id)


async def test_folders_are_those_of_the_node_with_the_rights_of_the_caller(
    tmp_path: Path, nas: node.RunningNode
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    for label, writable, access in (
        ("files", "no", Role.MEMBER),
        ("inbox", "yes", Role.MEMBER),
        ("private", "yes", Role.ADMIN),
    ):
        given = {"root": str(share), "writable": writable}
        await nas.node.create(Specification(label, ProcessKind.BUILTIN, "filesystem", [], given, access))
    await made(nas)
    create = programs.opens("new.txt", programs.CREATE, programs.READ | programs.WRITE)
    async with two(tmp_path, nas) as laptop:
        executor = laptop.at(nas.address, (await nas.resolve("self/wasm")).resource, Executor)
        assert await run(executor, create, folders=[Folder("files")]) == (b"", programs.NOT_PERMITTED)
        assert await run(executor, create, folders=[Folder("inbox")]) == (b"", programs.NOT_PERMITTED)
        assert not (share / "new.txt").exists()
        assert await run(executor, create, folders=[Folder("inbox", "/in", True)]) == (b"", 0)
        assert (share / "new.txt").exists()
        with pytest.raises(Denied, match="files cannot be written to"):
            await run(executor, create, folders=[Folder("files", "", True)])
        with pytest.raises(Denied, match="role"):
            await run(executor, create, folders=[Folder("private")])
        with pytest.raises(NoSuchFolder) as caught:
            await run(executor, create, folders=[Folder("wasm")])
        assert (caught.value.label, caught.value.known) == ("wasm", ["files", "inbox", "private"])
        for folders in ([Folder("files", "data")], [Folder("files", "/a/../b")], [Folder("files"), Folder("files")]):
            with pytest.raises(InvalidArgument):
                await run(executor, create, folders=folders)
        place = laptop.at(nas.address, (await nas.resolve("self/files")).resource, FileSystem)
        with pytest.raises(Denied):
            await place.place()


async def test_bad_modules_leave_nothing_and_everything_else_goes_on(nas: node.RunningNode, tmp_path: Path) -> None:
    executor = await made(nas)
    with pytest.raises(NotWasm):
        await executor.upload([b"hello"])
    with pytest.raises(UnknownImport):
        await executor.upload([programs.UNKNOWN])
    assert not await executor.has(digest(programs.UNKNOWN))
    with pytest.raises(NoSuchModule):
        await anext(executor.run(Job(bytes(32)), ()))
    assert list((tmp_path / "nas").glob("processes/*/modules/*")) == []
    assert await run(executor, programs.EMPTY) == (b"", 0)


async def test_arguments_that_no_program_can_be_given_are_refused(nas: node.RunningNode) -> None:
    executor = await made(nas, wall="5")
    for job in (
        {"arguments": ["a\0b"]},
        {"environment": {"": "x"}},
        {"environment": {"a=b": "x"}},
        {"environment": {"A": "x\0"}},
        {"environment": {str(n): "x" * 1000 for n in range(300)}},
        {"arguments": ["x" * 60_000] * 20},
        {"limits": Limits(wall=6.0)},
    ):
        with pytest.raises(InvalidArgument):
            await run(executor, programs.EMPTY, **job)


async def test_a_worker_that_a_job_does_not_leave_is_killed_and_replaced(
    nas: node.RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SETTLE_TIME", 0.05)
    executor = await made(nas)
    (before,) = await workers(nas)
    with pytest.raises(LimitReached) as caught:
        await run(executor, programs.SLEEP, limits=Limits(wall=0.01))
    assert caught.value.limit == "wall"
    await executor.upload([SAYS_AND_SLEEPS])
    async with executor.run(Job(digest(SAYS_AND_SLEEPS)), ()) as outputs:
        assert isinstance(await anext(outputs), OutputStdout)
    assert await run(executor, programs.EMPTY) == (b"", 0)
    (after,) = await workers(nas)
    assert (after.restarts, after.state) == (2, ProcessState.RUNNING)
    assert after.os_process != before.os_process
    assert before.os_process is not None
    assert not alive(before.os_process)


async def test_a_worker_that_dies_under_a_job_is_told_and_started_again(nas: node.RunningNode) -> None:
    executor = await made(nas)
    await executor.upload([SAYS_AND_SLEEPS])
    async with executor.run(Job(digest(SAYS_AND_SLEEPS)), ()) as outputs:
        await anext(outputs)
        (status,) = await workers(nas)
        assert status.os_process is not None
        os.kill(status.os_process, signal.SIGKILL)
        with pytest.raises(Crashed) as caught:
            await anext(outputs)
    assert "signal 9" in caught.value.reason
    assert await run(executor, programs.EMPTY) == (b"", 0)


async def test_the_workers_end_with_their_executor_and_its_modules_stay(tmp_path: Path) -> None:
    async with node.start(tmp_path / "nas", name="nas", listen=LISTEN) as nas:
        executor = await made(nas)
        await executor.upload([programs.EMPTY])
        (first,) = await workers(nas)
    assert first.os_process is not None
    assert not alive(first.os_process)
    async with node.start(tmp_path / "nas") as nas:
        executor = await nas.open("self/wasm", Executor)
        assert await executor.has(digest(programs.EMPTY))
        assert await run(executor, programs.EMPTY) == (b"", 0)
        (second,) = await workers(nas)
        assert second.os_process is not None
        await nas.node.kill((await nas.resolve("self/wasm")).resource)
        assert await nas.node.processes() == []
        assert not alive(second.os_process)


async def test_many_callers_share_two_workers(nas: node.RunningNode) -> None:
    executor = await made(nas, workers="2", waiting="31")
    assert await run(executor, programs.EMPTY) == (b"", 0)
    ended: list[tuple[bytes, int]] = []

    async def caller() -> None:
        for _ in range(5):
            ended.append(await run(executor, programs.EMPTY))

    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(caller)
    assert ended == [(b"", 0)] * 160


async def test_a_full_queue_is_said_at_once(nas: node.RunningNode) -> None:
    executor = await made(nas, waiting="0")
    await executor.upload([programs.ECHO])
    send, receive = trio.open_memory_channel[bytes](1)
    await send.send(b"first")
    async with executor.run(Job(digest(programs.ECHO)), receive) as outputs:
        await anext(outputs)
        with pytest.raises(Busy) as caught:
            await run(executor, programs.EMPTY)
        assert "workers" in caught.value.hint
        await send.aclose()
        assert isinstance(await anext(outputs), OutputExit)


async def test_a_function_is_called(nas: node.RunningNode) -> None:
    executor = await made(nas)
    job = Job(await executor.upload([programs.REACTOR]))
    answer = await executor.call(job, "ready", [NumberInteger(2)])
    assert answer.values == [NumberInteger(42), NumberInteger(-1)]
    answer = await executor.call(job, "copy", [], b"bytes")
    assert (answer.output, answer.code) == (b"bytes", 0)


async def test_a_compilation_that_takes_too_long_is_ended(
    nas: node.RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = await made(nas)
    with monkeypatch.context() as patch:
        patch.setattr(process, "COMPILE_TIME", 0.0)
        with pytest.raises(LimitReached) as caught:
            await executor.upload([programs.EMPTY])
    assert caught.value.limit == "compile"
    assert not await executor.has(digest(programs.EMPTY))
    assert await run(executor, programs.EMPTY) == (b"", 0)


async def test_without_wasmtime_it_says_what_to_install(nas: node.RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with pytest.raises(BadSpecification) as caught:
        await made(nas)
    assert caught.value.reason.startswith("the executor needs wasmtime")
    assert caught.value.help == "pip install 'glow[wasm]'"


async def test_workers_that_cannot_start_are_no_executor(
    nas: node.RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "COMMAND", [sys.executable, "-c", "raise SystemExit('the library does not load')"])
    with pytest.raises(BadSpecification) as caught:
        await made(nas)
    assert "the library does not load" in caught.value.reason
    assert await nas.node.processes() == []
