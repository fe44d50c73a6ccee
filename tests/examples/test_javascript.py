"""The example in JavaScript: a program that knows of Glow what the wire page says, run by a real node."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

import firefly
from firefly.errors import InvalidArgument, NoSuchMethod, TooLarge
from firefly.interfaces.core import ProcessState, ProcessStatus
from firefly.runtime import Method, Stub
from idl.checker import check_files
from idl.generate import generate
from idl.report import Report
from tests.end_to_end.devices import Device, first

EXAMPLE = Path(__file__).parents[2] / "examples" / "javascript"
LIMIT = 30.0

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js (`node`) on this device")


@pytest.fixture(scope="module")
def dice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The generated module of the example's interface."""
    folder = tmp_path_factory.mktemp("stubs")
    report = Report()
    libraries = check_files([EXAMPLE / "dice.firefly"], report)
    report.raise_errors()
    for path, text in generate(libraries, folder).items():
        path.write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("dice")


@pytest.fixture(scope="module")
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    device = first(tmp_path_factory.mktemp("devices"))
    try:
        device.glow("create", "program", "--label", "dice", "--", "node", str(EXAMPLE / "dice.mjs"))
        yield device
    finally:
        device.stop()


async def status_of(glow: firefly.Glow, wanted: Any) -> ProcessStatus:
    """The status of the program once it is as wanted."""
    with trio.fail_after(LIMIT):
        while True:
            (status,) = await glow.node.processes()
            if wanted(status):
                return status
            await trio.sleep(0.02)


class Methods:
    """Calls that no stub would make: to the same resource, with other arguments."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def call(self, selector: int, **arguments: Any) -> Any:
        struct = msgspec.defstruct("Arguments", [(name, Any) for name in arguments], array_like=True)
        method = Method("roll", "dice/Dice.roll", selector, struct, Any)
        return await self._stub._call(method, tuple(arguments.values()))


def selector_of(dice: Any, name: str) -> int:
    (found,) = [method.selector for method in dice.DiceServer.methods if method.name == name]
    return int(found)


def test_from_the_command_line(nas: Device) -> None:
    (shown,) = nas.json("ps")
    assert (shown["label"], shown["kind"], shown["state"], shown["proto"]) == (
        "dice",
        "program",
        "running",
        "dice.Dice",
    )
    assert "def rolls(count: u64, sides: u32 = 6): Stream[u32] throws NoSuchDie" in nas.glow("call", "self/dice")
    assert set(nas.json("call", "self/dice.roll", "count=50")) <= set(range(1, 7))
    assert len(nas.glow("call", "self/dice.rolls", "count=20", "sides=2").split()) == 20
    wrong = nas.run("call", "self/dice.roll", "sides=1")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "NoSuchDie" in wrong.stderr
    many = nas.run("call", "self/dice.roll", "count=1001")
    assert "1000 dice are thrown at most" in many.stderr
    assert "hint: use rolls" in many.stderr


def test_from_generated_stubs(nas: Device, dice: Any) -> None:
    async def work() -> None:
        with trio.fail_after(LIMIT):
            async with firefly.connect(nas.home) as glow:
                stub = await glow.open("self/dice", dice.Dice)
                with pytest.raises(dice.NoSuchDie) as caught:
                    await stub.roll(2, 1)
                assert caught.value.sides == 1
                await notified(stub)
                await streamed(stub, dice)

    async def notified(stub: Any) -> None:
        """They arrive in order, and go on beyond the credit that a resource starts with."""
        rolls = []
        for last in (7, 8, 7):
            for number in (*range(20_000), last):
                await stub.seed(number)
            rolls.append(await stub.roll(20, 1000))
        assert rolls[0] == rolls[2] != rolls[1]

    async def streamed(stub: Any, dice: Any) -> None:
        """More than the credit that a stream starts with; then one that is left in the middle, and one that fails."""
        count = 0
        async for batch in stub.rolls(100_000, 2**20).batches():
            count += len(batch)
        assert count == 100_000
        async with stub.rolls(2**62) as endless:
            assert 1 <= await anext(endless) <= 6
        with pytest.raises(dice.NoSuchDie):
            await anext(stub.rolls(3, 0))
        assert len(await stub.roll(3)) == 3

    trio.run(work)


def test_calls_that_do_not_fit_the_interface(nas: Device, dice: Any) -> None:
    async def work() -> None:
        with trio.fail_after(LIMIT):
            async with firefly.connect(nas.home) as glow:
                methods = Methods(await glow.open("self/dice", dice.Dice))
                roll = selector_of(dice, "roll")
                assert len(await methods.call(roll)) == 1  # all by default
                assert len(await methods.call(roll, count=2, sides=6, later="unknown")) == 2
                for wrong in ("two", -1, 2**32, 1.5, None, [1], {"a": 1}):
                    with pytest.raises(InvalidArgument, match="count is no u32"):
                        await methods.call(roll, count=wrong)
                with pytest.raises(TooLarge):
                    await methods.call(roll, count=bytes(100_000))
                with pytest.raises(NoSuchMethod):
                    await methods.call(12345)
                assert len(await methods.call(roll, count=3)) == 3

    trio.run(work)


def test_it_is_started_again_when_it_is_killed(nas: Device, dice: Any) -> None:
    async def work() -> None:
        async with firefly.connect(nas.home) as glow:
            before = await status_of(glow, lambda status: status.state is ProcessState.RUNNING)
            assert before.os_process is not None
            os.kill(before.os_process, signal.SIGKILL)
            killed = await status_of(glow, lambda status: status.os_process != before.os_process)
            if killed.state is ProcessState.WAITING:
                assert "killed by signal 9" in killed.reason
            after = await status_of(glow, lambda status: status.state is ProcessState.RUNNING)
            assert (after.id, after.restarts) == (before.id, before.restarts + 1)
            stub = await glow.open("self/dice", dice.Dice)
            assert len(await stub.roll(3)) == 3

    trio.run(work)


def test_without_a_node_it_says_how_it_is_started() -> None:
    done = subprocess.run(["node", str(EXAMPLE / "dice.mjs")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "glow create program" in done.stderr
