"""What counts as a change of the network, and that what changes together is told once, in virtual time."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trio
from trio.testing import MockClock

from node.network import (
    LOOK_PAUSE,
    MAX_TOLD,
    SETTLE,
    SLEEP_CHECK,
    Elsewhere,
    NetworkWatch,
    Snapshot,
    difference,
    is_gone,
    slept,
    snapshot,
    this_system,
)

PROMISE = 2.0
"""Seconds in which a change is noticed."""


def at(*addresses: str, ways: tuple[str, str] = ("", "")) -> Snapshot:
    return snapshot(map(ip_address, addresses), ways)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (at("10.0.0.3"), at("10.0.0.3"), []),
        (at("192.168.1.7"), at("10.0.0.3"), ["192.168.1.7 is gone", "10.0.0.3 is new"]),
        (at("10.0.0.3", "127.0.0.1"), at("10.0.0.3", "::1", "fe80::1"), []),
        (at(), at("2001:db8::7", "10.0.0.3"), ["10.0.0.3 is new", "2001:db8::7 is new"]),
        (at(ways=("10.0.0.1", "")), at(ways=("10.0.0.2", "")), ["IPv4 leaves by 10.0.0.2 now"]),
        (at(ways=("10.0.0.1", "fd00::1")), at(), ["IPv4 leads nowhere now", "IPv6 leads nowhere now"]),
    ],
)
def test_addresses_and_ways_out_are_compared(before: Snapshot, after: Snapshot, told: list[str]) -> None:
    assert difference(before, after) == told


def test_what_is_told_is_bounded() -> None:
    many = at(*(f"10.0.0.{number}" for number in range(100)))
    told = difference(at(), many)
    assert len(told) == MAX_TOLD + 1
    assert told[-1] == f"and {100 - MAX_TOLD} changes more"


class Told:
    """Stands in for the system: what it says when, and what is seen then."""

    def __init__(self) -> None:
        self.seen = at("192.168.1.7")
        self.failing = self.closed = False
        self._news = trio.Event()

    def change(self, seen: Snapshot) -> None:
        self.seen = seen
        self._news.set()

    def look(self) -> Snapshot:
        if self.failing:
            raise OSError("no buffer")
        return self.seen

    async def wait(self) -> None:
        await self._news.wait()

    def forget(self) -> None:
        self._news = trio.Event()

    def close(self) -> None:
        self.closed = True


class Watched:
    def __init__(self) -> None:
        self.system = Told()
        self.asleep = 0.0
        self.told: list[tuple[str, float]] = []

    def hear(self, what: str) -> None:
        self.told.append((what, trio.current_time()))


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    made = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(NetworkWatch(made.hear, lambda: made.system, lambda: made.asleep).run)
        await trio.testing.wait_all_tasks_blocked()
        yield made
        nursery.cancel_scope.cancel()
    assert made.system.closed


async def test_a_burst_is_one_change(autojump_clock: MockClock) -> None:
    async with watched() as made:
        begin = trio.current_time()
        for number in range(9):
            made.system.change(at(f"10.0.0.{number}"))
            await trio.sleep(SETTLE / 10)
        await trio.sleep(5)
        assert made.told == [("192.168.1.7 is gone, 10.0.0.8 is new", pytest.approx(begin + SETTLE))]
        made.system.change(at())
        await trio.sleep(SETTLE * 1.01)
        assert made.told[1][0] == "10.0.0.8 is gone"


async def test_what_comes_back_meanwhile_and_news_of_something_else_are_none(autojump_clock: MockClock) -> None:
    async with watched() as made:
        made.system.change(at())
        await trio.sleep(SETTLE / 2)
        made.system.change(at("192.168.1.7"))
        await trio.sleep(5)
        made.system.change(at("192.168.1.7", "fe80::1"))
        await trio.sleep(5)
        assert not made.told


async def test_a_system_that_does_not_tell_once_is_asked_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched() as made:
        made.system.failing = True
        made.system._news.set()
        await trio.sleep(SETTLE * 1.5)
        made.system.failing = False
        made.system.change(at("10.0.0.3"))
        await trio.sleep(5)
        assert [what for what, _ in made.told] == ["192.168.1.7 is gone, 10.0.0.3 is new"]
        assert "does not tell of the network: no buffer" in caplog.text


async def test_sleep_is_noticed_within_2_s_of_waking(autojump_clock: MockClock) -> None:
    async with watched() as made:
        await trio.sleep(10)
        assert not made.told
        made.asleep, woken = 3600.0, trio.current_time()
        await trio.sleep(PROMISE)
        assert [what for what, _ in made.told] == ["this device has slept for 3600 s"]
        assert made.told[0][1] <= woken + SLEEP_CHECK
        await trio.sleep(10)
        assert len(made.told) == 1


async def test_where_the_system_tells_nothing_it_is_looked_at_in_time(autojump_clock: MockClock) -> None:
    assert LOOK_PAUSE + SETTLE < PROMISE
    begin, system = trio.current_time(), Elsewhere()
    await system.wait()
    assert trio.current_time() == begin + LOOK_PAUSE
    addresses = system.look().addresses
    assert not [address for address in addresses if is_gone(ip_address(address))]


def test_the_clock_of_sleep_stands_still_while_the_device_is_awake() -> None:
    assert slept() - slept() == pytest.approx(0, abs=0.5)


def test_an_address_of_nobody_here_is_gone_and_ours_are_not() -> None:
    assert is_gone(ip_address("198.51.100.7"))
    for kept in ("127.0.0.1", "::1", "fe80::1"):
        assert not is_gone(ip_address(kept))
    assert not is_gone(None)


def test_where_nobody_may_ask_the_kernel_one_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError("as on Android")

    monkeypatch.setattr("node.netlink._open", refuse)
    assert isinstance(this_system(), Elsewhere)


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
def test_linux_tells_what_a_socket_sees_too() -> None:
    system = this_system()
    try:
        seen = system.look()
        assert Elsewhere().look().addresses <= seen.addresses
        assert len(seen.ways) == 2
        system.forget()
    finally:
        system.close()
