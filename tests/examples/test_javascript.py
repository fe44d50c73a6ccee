"""The example in JavaScript, called through stubs that are made from its interface."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import trio

import node
from firefly.errors import DeadlineExceeded, Internal, InvalidArgument, NoSuchMethod, TooLarge
from firefly.interfaces.core import ProcessKind, ProcessState, Specification
from firefly.runtime import Method
from firefly.runtime.outgoing import PendingCall
from idl.checker import check_files
from idl.generate import generate
from idl.report import Report
from tests.node.family import LIMIT

EXAMPLE = Path(__file__).parents[2] / "examples" / "javascript"
NODE_JS = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE_JS is None, reason="there is no `node` (Node.js) on this machine")


@pytest.fixture(scope="module")
def tally() -> Any:
    """The module of stubs that `glow idl generate` would write."""
    report = Report()
    libraries = check_files([EXAMPLE / "tally.firefly"], report)
    (text,) = generate(libraries, Path()).values()
    module = ModuleType("tally_stubs")
    sys.modules["tally_stubs"] = module
    exec(compile(text, "tally_stubs", "exec"), module.__dict__)
    yield module
    del sys.modules["tally_stubs"]


@asynccontextmanager
async def running(folder: Path, program: Path = EXAMPLE / "tally.mjs") -> AsyncIterator[node.RunningNode]:
    assert NODE_JS is not None
    async with node.start(folder / "home", name="nas", listen=[]) as glow:
        with trio.fail_after(LIMIT):
            await glow.node.create(Specification("tally", ProcessKind.PROGRAM, NODE_JS, [str(program)]))
            yield glow


async def test_calls_notifications_streams_and_errors(tmp_path: Path, tally: Any) -> None:
    async with running(tmp_path) as glow:
        stub = await glow.open("self/tally", tally.Tally)
        assert await stub.add("hello", 3) == tally.Word("hello", 3)
        assert await stub.add("hello") == tally.Word("hello", 4)
        for _ in range(500):
            await stub.note("often")
        assert await stub.words() == [tally.Word("hello", 4), tally.Word("often", 500)]
        with pytest.raises(tally.TooMany) as caught:
            await stub.add("hello", 2_000_000)
        assert (caught.value.word, caught.value.most) == ("hello", 1_000_000)
        assert (await stub.describe()).proto == "tally.Tally"
        with pytest.raises(InvalidArgument):
            await stub.add("x" * 65)


async def test_more_than_there_is_room_for_waits_for_credit(tmp_path: Path, tally: Any) -> None:
    async with running(tmp_path) as glow:
        stub = await glow.open("self/tally", tally.Tally)
        found = 0
        async with stub.recite(3000, 1000) as words:
            async for word in words:
                assert word.startswith(f"{found}.")
                found += 1
        assert found == 3000
        for number in range(30_000):  # far more notifications than its window takes at once
            await stub.note(str(number % 10))
            if number % 500 == 0:
                await stub.add("0", 0)  # a call is Busy while over 1,024 messages wait for the program
        assert sum(word.count for word in await stub.words()) == 30_000


async def test_a_deadline_ends_a_stream_and_a_value_may_be_too_large(tmp_path: Path, tally: Any) -> None:
    async with running(tmp_path) as glow:
        stub = await glow.open("self/tally", tally.Tally)
        peer = await stub._reach()
        call = PendingCall(peer, next(method for method in tally.TallyServer.methods if method.name == "follow"))
        peer.call(call, stub._resource, call._method.selector, b"\x90", 50_000)  # µs; nobody but the program ends it
        with pytest.raises(DeadlineExceeded):
            await call.wait()
        with pytest.raises(TooLarge):
            await stub._call(_unbounded(tally), ("x" * 200_000, 1))
        assert await stub.words() == []


def _unbounded(tally: Any) -> Method:
    """The method `add` as a caller has it whose interface knows of no bound."""
    add = next(method for method in tally.TallyServer.methods if method.name == "add")
    arguments = msgspec.defstruct("Unbounded", [("word", str), ("times", int)], array_like=True)
    return Method("add", add.path, add.selector, arguments, tally.Word)


async def test_a_stream_that_is_given_up_ends_and_the_rest_goes_on(tmp_path: Path, tally: Any) -> None:
    async with running(tmp_path) as glow:
        stub = await glow.open("self/tally", tally.Tally)
        for round_ in range(3):
            async with stub.follow() as words, trio.open_nursery() as nursery:

                async def add_until_heard(round_: int = round_) -> None:
                    while True:  # the stream may not have begun when the first is added
                        await stub.add(f"round-{round_}")

                nursery.start_soon(add_until_heard)
                assert (await anext(aiter(words))).word == f"round-{round_}"
                nursery.cancel_scope.cancel()
        assert [word.word for word in await stub.words()] == ["round-0", "round-1", "round-2"]


async def test_what_it_does_not_serve_and_what_fails(tmp_path: Path, tally: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLE, copy)
    text = (copy / "tally.mjs").read_text()
    changed = text.replace("words: sorted, follow, recite", 'words: () => { throw new Error("a defect") }, follow')
    assert changed != text
    (copy / "tally.mjs").write_text(changed)
    async with running(tmp_path, copy / "tally.mjs") as glow:
        stub = await glow.open("self/tally", tally.Tally)
        with pytest.raises(NoSuchMethod):
            await anext(aiter(stub.recite(1)))
        with pytest.raises(Internal, match="a defect"):
            await stub.words()
        assert (await stub.add("still")).count == 1


async def test_it_is_started_again_after_kill_9(tmp_path: Path, tally: Any) -> None:
    async with running(tmp_path) as glow:
        (before,) = await glow.node.processes()
        assert before.os_process is not None
        os.kill(before.os_process, signal.SIGKILL)
        while True:
            (status,) = await glow.node.processes()
            if status.state is ProcessState.RUNNING and status.restarts == 1:
                break
            await trio.sleep(0.02)
        stub = await glow.open("self/tally", tally.Tally)
        assert await stub.words() == []
