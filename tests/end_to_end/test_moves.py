"""What happens to two devices that work with each other when the network under them changes: next to nothing.

A hub is far away; both devices are behind NATs of their own, and linked by a data channel through them.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
import trio

import firefly
from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import Node
from tests.end_to_end import nats
from tests.end_to_end.devices import Device
from tests.end_to_end.nat_pairs import ENVIRONMENT, HUB, World, environment, known, name_of, world
from tests.end_to_end.nats import Nat

KIND = Nat.PORT_RESTRICTED
CALLER, CALLED = name_of("a", KIND), name_of("b", KIND)
PAUSE = 5.0
"""Seconds that nothing may be answered while a network changes; twice as much is asserted."""
SILENCE = 2.0
"""Seconds until a direct link gone silent is left; twice as much is asserted."""
EVERY = 0.05
SIZE = 60 * 10**6
LIMIT = 60.0
DIRECT, NEW = "direct webrtc", "by another data channel"


class Calls:
    """Calls from one device to another, one after the other, whose answers are timed."""

    def __init__(self, caller: Glow, called: Glow) -> None:
        self._node = caller.at(called.address, called.address, Node)
        self.answered: list[float] = []
        self.failed: list[str] = []

    async def run(self) -> None:
        while True:
            try:
                await self._node.echo(b"still there?")
            except GlowError as error:
                self.failed.append(str(error))
            self.answered.append(monotonic())
            await trio.sleep(EVERY)

    @property
    def longest(self) -> float:
        """The longest time between two answers, in seconds, up to now."""
        times = [*self.answered, monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))


async def until(holds: Callable[[], object], what: str) -> None:
    with trio.move_on_after(LIMIT):
        while not holds():  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.05)
        return
    raise AssertionError(what)


async def until_how(caller: Glow, called: Glow, how: str) -> None:
    """Waits until a device is reached in a way."""
    with trio.move_on_after(LIMIT):
        while (await known(caller, called)).how != how:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.05)
        return
    raise AssertionError(f"{(await known(caller, called)).how}, not {how}: {(await known(caller, called)).direct}")


async def direct(caller: Glow, called: Glow) -> None:
    """Waits until the two can reach each other, and do so directly."""
    with trio.fail_after(LIMIT):
        while not (await known(caller, called)).reachable:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.05)
    await caller.at(called.address, called.address, Node).echo(b"first")
    await until_how(caller, called, DIRECT)


@pytest.fixture
def made(tmp_path: Path) -> object:
    if reason := nats.missing():
        pytest.skip(reason)
    with world(tmp_path, (KIND,), turn=False) as made:
        yield made


async def changed(made: World, change: Callable[[], object], after: str) -> Calls:
    """Makes a change while the one device calls the other, which is reached so `after` it; returns the calls."""
    caller, called = made.callers[KIND], made.called[KIND]
    async with firefly.connect(caller.home) as one, firefly.connect(called.home) as other, trio.open_nursery() as tasks:
        await direct(one, other)
        before = {link.url for link in (await one.node.node_status()).links if link.kind == "webrtc"}
        calls = Calls(one, other)
        tasks.start_soon(calls.run)
        await until(lambda: len(calls.answered) > 20, "the calls did not begin")
        await trio.to_thread.run_sync(change)
        await (until_new(one, other, before) if after == NEW else until_how(one, other, after))
        seen = len(calls.answered)
        await until(lambda: len(calls.answered) > seen + 20, "the calls did not go on")
        tasks.cancel_scope.cancel()
    return calls


async def until_new(one: Glow, other: Glow, before: set[str]) -> None:
    """Waits for another data channel than those before, which is in use."""
    with trio.move_on_after(LIMIT):
        while True:
            links = (await one.node.node_status()).links
            urls = {link.url for link in links if link.kind == "webrtc" and link.address == other.address}
            if urls - before and (await known(one, other)).how == DIRECT:
                return
            await trio.sleep(0.05)
    raise AssertionError(f"no new data channel: {(await known(one, other)).direct}")


def test_a_direct_link_gone_silent_is_left_without_failing_a_call(made: World) -> None:
    """The NATs stop letting UDP through; the hub's relay stands in."""

    def block() -> None:
        rule = "insert rule ip home through meta l4proto udp drop"
        for home in made.homes.values():
            home.router.run("nft", rule)

    calls = trio.run(changed, made, block, "via hub")
    print(f"\na direct link gone silent: longest pause {calls.longest:.2f} s")
    assert not calls.failed
    assert calls.longest < 2 * SILENCE


def test_a_nat_that_forgets_its_mappings(made: World) -> None:
    calls = trio.run(changed, made, made.homes[CALLER].forget, DIRECT)
    print(f"\na NAT forgot its mappings: longest pause {calls.longest:.2f} s")
    assert not calls.failed
    assert calls.longest < 2 * PAUSE


def test_an_interface_that_changes_its_address(made: World) -> None:
    host, home = made.hosts[CALLER], made.homes[CALLER]
    calls = trio.run(changed, made, lambda: home.readdress(host), NEW)
    print(f"\nan interface changed its address: longest pause {calls.longest:.2f} s")
    assert not calls.failed
    assert calls.longest < 2 * PAUSE


def test_a_hub_that_is_killed_and_comes_back_is_not_missed(made: World) -> None:
    """What is direct stays so, and the devices are linked with the hub again when it is there."""

    async def watch() -> Calls:
        caller, called = made.callers[KIND], made.called[KIND]
        async with firefly.connect(caller.home) as one, firefly.connect(called.home) as other:
            await direct(one, other)
            calls = Calls(one, other)
            async with trio.open_nursery() as tasks:
                tasks.start_soon(calls.run)
                made.hub.stop(signal.SIGKILL)
                await until(lambda: len(calls.answered) > 60, "the calls did not go on")
                with environment({"GLOW_RELAY": "always"}):
                    await trio.to_thread.run_sync(lambda: made.hub.start("signaling", "--host", HUB))
                begun = monotonic()
                await until_linked(one)
                print(f"\nlinked with the hub again {monotonic() - begun:.2f} s after it was ready")
                tasks.cancel_scope.cancel()
        return calls

    async def until_linked(one: Glow) -> None:
        with trio.fail_after(LIMIT):
            while not any(link.state == "up" for link in await one.node.links_list()):  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.05)

    calls = trio.run(watch)
    assert not calls.failed
    assert calls.longest < 2 * SILENCE


def test_a_laptop_that_moves_to_another_home_in_the_middle_of_a_copy(made: World, tmp_path: Path) -> None:
    """From behind its NAT to behind another one: the copy is right, and the pause short."""
    nas, laptop = made.called[KIND], made.callers[KIND]
    share = tmp_path / "share"
    share.mkdir()
    content = os.urandom(SIZE)
    (share / "large").write_bytes(content)
    nas.glow("create", "filesystem", "--label", "files", f"root={share}")
    elsewhere = made.net.home(Nat.SYMMETRIC)
    copied = tmp_path / "copied"
    copying: list[object] = []

    async def watch() -> Calls:
        async with firefly.connect(laptop.home) as one, firefly.connect(nas.home) as other:
            await direct(one, other)
            calls = Calls(one, other)
            async with trio.open_nursery() as tasks:
                tasks.start_soon(calls.run)
                tasks.start_soon(copy, laptop, copied, copying)
                await until(lambda: partial(tmp_path) > SIZE // 10, "the copy did not begin")
                await trio.to_thread.run_sync(made.hosts[CALLER].move, elsewhere)
                await until(lambda: copying, "the copy did not end")
                longest = calls.longest
                print(f"\nmoved in the middle of a copy: longest pause {longest:.2f} s")
                tasks.cancel_scope.cancel()
        return calls

    with environment(ENVIRONMENT):
        calls = trio.run(watch)
    assert copying == [0]
    assert hashlib.sha256(copied.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert not calls.failed
    assert calls.longest < 2 * PAUSE


async def copy(laptop: Device, target: Path, copying: list[object]) -> None:
    done = await trio.to_thread.run_sync(lambda: laptop.run("cp", f"{CALLED}:large", str(target), limit=LIMIT))
    copying.append(done.returncode and done.stderr)


def partial(folder: Path) -> int:
    """Bytes of the copy that are there so far."""
    return sum(file.stat().st_size for file in folder.glob(".*.glow-part") if file.is_file())
