"""Blocking handlers: in one thread, in order, bounded, and never in the way of the node."""

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.lowlevel

import firefly
from firefly.errors import Busy, CallCancelled, DeadlineExceeded, Internal, Interrupted, NoSuchMethod
from firefly.runtime import current_call, deadline
from firefly.runtime import thread as threads
from firefly.runtime.process import started
from firefly.runtime.thread import HandlerThread
from tests.firefly.runtime.probe import CALLER, Conflict, Probe, ProbeServer, ThingServer, Wire, wired

LIMIT = 20.0


class Thing(ThingServer):
    """Made by a blocking handler, so its own may block, too."""

    def __init__(self, owner: "Blocking") -> None:
        self._owner = owner

    def name(self) -> str:
        return threading.current_thread().name

    def released(self) -> None:
        self._owner.heard.append(("released", threading.current_thread().name))


class Blocking(ProbeServer):
    """Waits in `once` until the test says `go`."""

    blocking = True

    def __init__(self) -> None:
        self.heard: list[Any] = [("made", threading.current_thread().name)]
        self.entered, self.go, self.left = threading.Event(), threading.Event(), threading.Event()

    def start(self, context: Any) -> None:
        self.heard.append(("start", threading.current_thread().name))

    def stop(self) -> None:
        self.heard.append(("stop", threading.current_thread().name))

    def echo(self, data: bytes) -> bytes:
        if data == b"conflict":
            raise Conflict("key", 3)
        if data == b"exit":
            raise SystemExit("enough")
        if data == b"worse":
            raise BaseException("no exception at all")
        return threading.current_thread().name.encode()

    def once(self, number: int) -> int:
        self.entered.set()
        assert self.go.wait(LIMIT)
        self.heard.append(number)
        self.left.set()
        return number

    async def two(self, text: str, number: int) -> str:
        return threading.current_thread().name

    def note(self, number: int) -> None:
        self.heard.append(number)

    def count(self, number: int) -> Iterator[int]:
        try:
            for item in range(number):
                self.heard.append(item)
                yield item
            raise Conflict("the end", number)
        finally:
            self.heard.append(("closed", threading.current_thread().name))
            self.left.set()

    def total(self, number: int, items: Any) -> int:
        self.entered.set()
        try:
            return number + sum(items)
        except CallCancelled as error:
            self.heard.append(error)
            raise
        finally:
            self.left.set()

    def make(self) -> Thing:
        return Thing(self)

    def take(self, thing: Any, more: list[Any]) -> str:
        return f"{firefly.wait(thing.name)} for {current_call().caller.address.decode()}"


class World:
    def __init__(self, server: Blocking, wire: Wire, probe: Probe) -> None:
        self.server, self.wire, self.probe = server, wire, probe
        assert server.thread is not None
        self.thread: HandlerThread = server.thread


@asynccontextmanager
async def running(kind: type[Blocking] = Blocking) -> AsyncIterator[World]:
    with trio.fail_after(LIMIT):
        async with started(kind, "sensor", lambda nursery: None) as server, wired(server) as (wire, probe):
            try:
                yield World(server, wire, probe)
            finally:
                server.go.set()


async def happened(event: threading.Event) -> None:
    assert await trio.to_thread.run_sync(event.wait, LIMIT)


async def until(holds: Callable[[], bool]) -> None:
    """Gives the thread and everybody else their turns until it holds; the test's time limit is the only one."""
    with trio.fail_after(LIMIT):
        while not holds():
            await trio.lowlevel.checkpoint()


async def test_everything_but_async_handlers_runs_in_its_thread() -> None:
    async with running() as world:
        assert await world.probe.echo(b"") == b"glow sensor"
        assert await world.probe.two("") == threading.current_thread().name
        await world.probe.note(7)
        assert await world.probe.echo(b"") == b"glow sensor"
        assert world.server.heard == [("made", "glow sensor"), ("start", "glow sensor"), 7]
    assert world.server.heard[-1] == ("stop", "glow sensor")
    assert not [thread for thread in threading.enumerate() if thread.name == "glow sensor"]


async def test_what_it_raises_is_what_the_caller_gets(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as world:
        with pytest.raises(Conflict):
            await world.probe.echo(b"conflict")
        for fault in (b"exit", b"worse"):
            with pytest.raises(Internal, match="does not declare"):
                await world.probe.echo(fault)
        with pytest.raises(NoSuchMethod):
            await anext(world.probe.read(1))
        assert await world.probe.echo(b"") == b"glow sensor"
    assert "SystemExit: enough" in caplog.text


async def test_calls_have_their_turn_one_after_another() -> None:
    async with running() as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.probe.once, 0)
        await happened(world.server.entered)
        for number in range(1, 5):
            nursery.start_soon(world.probe.once, number)
            await until(lambda number=number: len(world.thread._jobs) == number)
        world.server.go.set()
    assert world.server.heard[2:7] == [0, 1, 2, 3, 4]


async def test_beyond_the_bound_a_call_is_told_busy_and_notifications_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MAX_WAITING", 3)
    monkeypatch.setattr(threads, "LONG", 0.0)
    async with running() as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.probe.once, 1)
        await happened(world.server.entered)
        for number in (2, 3, 4):
            nursery.start_soon(world.probe.once, number)
        await until(lambda: len(world.thread._jobs) == 3)
        with pytest.raises(Busy, match="3 calls wait for sensor") as caught:
            await world.probe.once(5)
        assert caught.value.hint
        assert "busy in once for" in caught.value.cause
        assert world.thread.doing().endswith("; 3 more wait")
        for number in range(20, 30):
            await world.probe.note(number)
        world.server.go.set()
        await until(lambda: len(world.server.heard) >= 16)
    assert world.server.heard[2] == 1
    assert sorted(world.server.heard[3:6]) == [2, 3, 4]
    assert [number for number in world.server.heard[3:16] if number >= 20] == [*range(20, 30)]
    assert world.thread.doing() == ""


async def test_a_stream_of_results_is_a_plain_generator_and_others_have_their_turn() -> None:
    async with running() as world:
        stream = world.probe.count(3)
        found = [await anext(stream)]
        assert await world.probe.echo(b"") == b"glow sensor"
        found += [await anext(stream), await anext(stream)]
        assert found == [0, 1, 2]
        with pytest.raises(Conflict):
            await anext(stream)
        assert world.server.heard[-1] == ("closed", "glow sensor")


async def test_a_stream_that_nobody_reads_waits_for_room_and_is_closed_in_the_thread() -> None:
    async with running() as world:
        async with world.probe.count(2**62) as stream:
            assert await anext(stream) == 0
        await happened(world.server.left)
        assert world.server.heard[-1] == ("closed", "glow sensor")
        assert len(world.server.heard) < 2**20


async def test_a_stream_of_arguments_is_read_with_a_plain_for() -> None:
    async with running() as world:

        async def numbers() -> AsyncIterator[int]:
            for number in range(1000):
                yield number

        assert await world.probe.total(1, numbers()) == 1 + sum(range(1000))


async def test_a_handler_that_waits_for_arguments_ends_with_its_caller() -> None:
    async def never() -> AsyncIterator[int]:
        await trio.sleep_forever()
        yield 0

    async with running() as world:
        with pytest.raises(DeadlineExceeded), deadline(0.05):
            await world.probe.total(1, never())
        await happened(world.server.left)
        assert isinstance(world.server.heard[-1], CallCancelled)
        assert await world.probe.echo(b"") == b"glow sensor"


async def test_a_caller_that_gives_up_is_let_go_at_once_and_what_has_not_begun_never_does() -> None:
    async with running() as world:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.probe.once, 1)
            await happened(world.server.entered)
            nursery.start_soon(world.probe.once, 2)
            await until(lambda: world.thread._jobs)
            nursery.cancel_scope.cancel()
        await until(lambda: not world.thread._jobs)
        world.server.go.set()
        assert await world.probe.echo(b"") == b"glow sensor"
        assert world.server.heard[2:] == [1]


async def test_a_handler_calls_others_and_waits_for_them() -> None:
    class Named(ThingServer):
        async def name(self) -> str:
            return threading.current_thread().name

    async with running() as world:
        assert await world.probe.take(Named()) == f"MainThread for {CALLER.address.decode()}"


async def test_only_blocking_handlers_wait_like_this() -> None:
    with pytest.raises(RuntimeError, match="await"):
        firefly.wait(trio.sleep, 0)


async def test_objects_that_it_passes_belong_to_its_thread() -> None:
    async with running() as world:
        thing = await world.probe.make()
        assert await thing.name() == "glow sensor"
        thing.release()
        assert await world.probe.echo(b"") == b"glow sensor"
        assert world.server.heard[-1] == ("released", "glow sensor")


async def test_a_stuck_thread_is_left_behind_and_its_callers_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "STOP_TIME", 0.05)
    told: list[BaseException] = []

    async def call(world: World, number: int) -> None:
        try:
            await world.probe.once(number)
        except Interrupted as error:
            told.append(error)

    caplog.set_level(logging.WARNING)
    async with (
        trio.open_nursery() as nursery,
        started(Blocking, "sensor", lambda nursery: None) as server,
        wired(server) as (wire, probe),
    ):
        world = World(server, wire, probe)
        nursery.start_soon(call, world, 1)
        await happened(server.entered)
        nursery.start_soon(call, world, 2)
        await until(lambda: world.thread._jobs)
        world.thread.close()
        await world.thread.end()
        await until(lambda: len(told) == 2)
        server.go.set()
    assert "sensor is stuck in once: its thread is left behind" in caplog.text
    assert all(error.hint for error in told)
    await world.thread.ended.wait()


async def test_a_thread_that_hangs_in_its_start_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "STOP_TIME", 0.05)
    go = threading.Event()

    class Hanging(Blocking):
        def start(self, context: Any) -> None:
            assert go.wait(LIMIT)

    opened: list[HandlerThread] = []
    with trio.move_on_after(0.05) as scope:
        async with started(Hanging, "sensor", lambda nursery: None, opened.append):
            raise AssertionError("it cannot have started")
    assert scope.cancelled_caught
    go.set()
    await opened[0].ended.wait()


async def test_a_start_that_raises_ends_the_thread() -> None:
    class Broken(Blocking):
        def start(self, context: Any) -> None:
            raise OSError("no such sensor")

    opened: list[HandlerThread] = []
    with pytest.RaisesGroup(OSError):
        async with started(Broken, "sensor", lambda nursery: None, opened.append):
            raise AssertionError("it cannot have started")
    assert opened[0].ended.is_set()
