"""Which of a host's addresses is dialled: IPv6 first whatever the system prefers, the next one a little later."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.links import LinkError
from node.links.race import HEAD_START, Attempt, Won, race
from node.links.tcp import MAX_ADDRESSES, dial, ipv6_first

SIX, FOUR = socket.AF_INET6, socket.AF_INET


def has_ipv6() -> bool:
    with closing(socket.socket(SIX)) as sock:
        return sock.connect_ex(("::1", 9)) != 99 if socket.has_ipv6 else False  # EADDRNOTAVAIL


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def entry(family: int, host: str, port: int = 1) -> Any:
    return (family, socket.SOCK_STREAM, 6, "", (host, port, 0, 0) if family == SIX else (host, port))


class Names(trio.abc.HostnameResolver):
    """Knows one name, IPv4 first, as a system may that prefers it."""

    async def getaddrinfo(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        assert host == b"nas.test"
        return [entry(FOUR, "127.0.0.1", port), entry(SIX, "::1", port)]

    async def getnameinfo(self, *arguments: Any) -> Any:
        raise NotImplementedError


def bound(family: int, host: str, port: int = 0) -> socket.socket:
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == SIX:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, port))
    return sock


def both() -> tuple[socket.socket, socket.socket, int]:
    """Sockets at one port of ::1 and 127.0.0.1, not listening yet."""
    while True:
        six = bound(SIX, "::1")
        port = six.getsockname()[1]
        try:
            return six, bound(FOUR, "127.0.0.1", port), port
        except OSError:  # somebody has it: another one
            six.close()


async def family_of_dial(port: int) -> int:
    before = trio.socket.set_custom_hostname_resolver(Names())
    try:
        with closing(await dial(f"tcp://nas.test:{port}")) as connection:
            assert isinstance(connection.sock, socket.socket)
            return int(connection.sock.family)
    finally:
        trio.socket.set_custom_hostname_resolver(before)


@needs_ipv6
async def test_ipv6_is_taken_where_both_answer() -> None:
    six, four, port = both()
    with closing(six), closing(four):
        six.listen()
        four.listen()
        assert await family_of_dial(port) == SIX


@needs_ipv6
async def test_ipv4_is_taken_at_once_where_ipv6_is_refused(mock_clock: MockClock) -> None:
    six, four, port = both()
    with closing(six), closing(four):
        four.listen()
        assert await family_of_dial(port) == FOUR
        assert trio.current_time() == 0


@needs_ipv6
async def test_every_address_that_fails_is_named() -> None:
    six, four, port = both()
    with closing(six), closing(four), pytest.raises(LinkError) as caught:
        await family_of_dial(port)
    assert caught.value.cause == "::1: Connection refused; 127.0.0.1: Connection refused"


def test_the_families_take_turns_each_in_the_order_of_the_system() -> None:
    found = [
        entry(FOUR, "10.0.0.1"),
        entry(FOUR, "10.0.0.2"),
        entry(FOUR, "10.0.0.3"),
        entry(SIX, "a::"),
        entry(SIX, "b::"),
    ]
    assert [entry[-1][0] for entry in ipv6_first(found)] == ["a::", "10.0.0.1", "b::", "10.0.0.2", "10.0.0.3"]
    assert [entry[-1][0] for entry in ipv6_first(found[:2])] == ["10.0.0.1", "10.0.0.2"]
    assert ipv6_first([]) == []
    assert len(ipv6_first(found * 10)) == MAX_ADDRESSES


@pytest.mark.parametrize("host", ["a..b", "nas\0", "x" * 300])
async def test_a_name_that_is_none_is_a_link_error(host: str) -> None:
    with pytest.raises(LinkError, match=r"nothing answers|is no tcp address"):
        await dial(f"tcp://{host}:1")


class Runners:
    """Attempts of a race: how long each takes, and whether it gets there."""

    def __init__(self) -> None:
        self.log: list[tuple[str, float]] = []

    def __call__(self, name: str, seconds: float, there: bool = True, stays: float = 0) -> Attempt:
        async def run(won: Won) -> None:
            self.say(f"{name} begins")
            try:
                await trio.sleep(seconds)
            except trio.Cancelled:
                self.say(f"{name} is cancelled")
                raise
            if there:
                self.say(f"{name} {'wins' if won() else 'is late'}")
                await trio.sleep(stays)
                self.say(f"{name} ends")

        return run

    def say(self, what: str) -> None:
        self.log.append((what, round(trio.current_time(), 3)))


async def test_the_first_that_is_there_wins_and_the_others_are_cancelled(autojump_clock: MockClock) -> None:
    runner = Runners()
    assert await race([runner("a", 9), runner("b", 0.3, stays=5), runner("c", 9), runner("d", 0)])
    assert runner.log == [
        ("a begins", 0),
        ("b begins", HEAD_START),
        ("c begins", 2 * HEAD_START),
        ("b wins", 0.55),
        *sorted([("a is cancelled", 0.55), ("c is cancelled", 0.55)], key=runner.log.index),
        ("b ends", 5.55),
    ]


async def test_a_failure_lets_the_next_begin_at_once(autojump_clock: MockClock) -> None:
    runner = Runners()
    assert not await race([runner("a", 0.1, there=False), runner("b", 0.1, there=False)])
    assert runner.log == [("a begins", 0), ("b begins", 0.1)]
    assert not await race([])


async def test_of_two_that_arrive_together_one_wins(autojump_clock: MockClock) -> None:
    runner = Runners()
    assert await race([runner("a", HEAD_START), runner("b", 0)])
    outcomes = [what for what, _ in runner.log]
    assert sum("wins" in what for what in outcomes) == 1


async def test_cancelled_it_cancels_all(autojump_clock: MockClock) -> None:
    runner = Runners()
    with trio.move_on_after(1):
        await race([runner("a", 9), runner("b", 9)])
    assert {what for what, time in runner.log if time == 1} == {"a is cancelled", "b is cancelled"}
