"""What every transport must do. A new one is added to TRANSPORTS, with how it listens."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.errors import BadHandshake
from firefly.keys import NodeKey
from firefly.packet import MAX_PAYLOAD
from node.links import SCHEMES, LinkError, kind_of, opened, transport
from node.links.connection import Connection
from node.links.link import HANDSHAKE_TIME
from node.links.manager import HALF_OPEN_PER_HOST, UNCERTIFIED_TIME
from tests.node.links.neighbours import TRANSPORTS, WAIT, Neighbour, end_of, linked, listening


async def ended(connection: Connection) -> None:
    """Waits until the other end has closed, whatever it says before."""
    with trio.fail_after(WAIT):
        while await connection.read():
            pass


every_transport = pytest.mark.parametrize("scheme", TRANSPORTS)


@pytest.fixture
def clock(scheme: str) -> MockClock:
    """Virtual time that goes on only when nothing has moved on any socket for a while.

    An OS process of a pipe moves nothing while it starts: there time goes its usual pace, and a test makes it jump.
    """
    return MockClock(rate=1.0) if scheme == "pipe" else MockClock(autojump_threshold=0.02)


def test_every_transport_is_here() -> None:
    assert set(TRANSPORTS) == set(SCHEMES)


@every_transport
async def test_both_ends_know_whom_they_are_linked_with(scheme: str, tmp_path: Path) -> None:
    async with linked(scheme, tmp_path) as (owner, dialler, _):
        [theirs], [ours] = owner.ups, dialler.ups
        assert (ours.peer_key, theirs.peer_key) == (owner.key.public, dialler.key.public)
        assert (ours.peer_instance, theirs.peer_instance) == (owner.instance, dialler.instance)
        assert ours.kind == theirs.kind == kind_of(owner.url)
        assert theirs.url.partition(":")[0] == scheme
        assert ours.url == owner.url
        assert ours.hash == theirs.hash


@every_transport
async def test_packets_of_any_size_arrive_in_order_both_ways(scheme: str, tmp_path: Path) -> None:
    sizes = [0, 1, 64, 1000, MAX_PAYLOAD, 3, MAX_PAYLOAD, MAX_PAYLOAD - 1, 40_000] * 20
    there = [os.urandom(size) for size in sizes]
    back = there[::-1]
    async with linked(scheme, tmp_path) as (owner, dialler, _):
        dialler.send(owner.key.address, *there)
        owner.send(dialler.key.address, *back)
        await owner.until(lambda: len(owner.arrived) == len(there))
        await dialler.until(lambda: len(dialler.arrived) == len(back))
        assert owner.arrived == there
        assert dialler.arrived == back
        [link] = dialler.ups
        assert min(link.sent_bytes, link.received_bytes) > sum(sizes)


@every_transport
async def test_a_neighbour_that_reads_nothing_slows_the_sender_and_nobody_else(scheme: str, tmp_path: Path) -> None:
    async with listening(scheme, tmp_path) as (owner, dialler):
        link = await dialler.manager.dial(owner.url, None)
        await owner.until(lambda: owner.ups)
        pump = owner.ups[0]._pump
        pump._received = lambda data: pump.close()  # it stops reading at the first byte, and lets go
        pile = dialler.send(owner.key.address, *[bytes(MAX_PAYLOAD)] * 2000)
        assert await end_of(link)
        assert len(pile.left) > 1000  # a link takes what the transport takes, not all that there is


@every_transport
async def test_a_wrong_node_is_not_linked(scheme: str, tmp_path: Path) -> None:
    async with listening(scheme, tmp_path) as (owner, dialler):
        with pytest.raises(BadHandshake):
            await dialler.manager.dial(owner.url, NodeKey.generate().public)
        assert not owner.ups
        assert not dialler.ups


@every_transport
async def test_nobody_there_is_said_with_the_address(scheme: str, tmp_path: Path) -> None:
    async with listening(scheme, tmp_path) as (owner, _):
        url = owner.url
    (tmp_path / "control.sock").unlink(missing_ok=True)
    async with listening("tcp", tmp_path) as (_, dialler):
        with pytest.raises(LinkError) as caught:
            await dialler.manager.dial(url, None)
    if scheme == "pipe":  # the command could be started, and says itself what it misses
        assert "the command exited with 1: FileNotFoundError" in caught.value.message
        assert url.removeprefix("pipe:") in caught.value.hint
    else:
        assert caught.value.message == f"nothing answers at {url}"
        assert caught.value.cause


@every_transport
async def test_both_ends_hear_of_the_end(scheme: str, tmp_path: Path) -> None:
    async with linked(scheme, tmp_path) as (owner, dialler, link):
        owner.ups[0].close("enough")
        reason = await end_of(link)
        assert any(word in reason for word in ("closed", "reset", "Broken pipe"))  # a write may be the first to know
        await owner.until(lambda: owner.downs)
        await dialler.until(lambda: dialler.downs)
        assert not owner.router.links
        assert not dialler.router.links


@every_transport
@pytest.mark.parametrize(
    "noise",
    [b"\0\0\0\x20" + bytes(32), b"\xff\xff\xff\xff" + bytes(64), b"\0\0\0\0"],
    ids=["forged", "too long", "empty"],
)
async def test_what_no_key_opens_ends_the_link_and_is_counted(scheme: str, tmp_path: Path, noise: bytes) -> None:
    async with linked(scheme, tmp_path) as (owner, dialler, link):
        dialler.ups[0]._pump._sock.send(noise)
        await end_of(link)
        await owner.until(lambda: owner.downs)
        assert owner.router.counters["link_errors"] == 1
        with trio.fail_after(WAIT):  # it takes the next one
            await dialler.manager.dial(owner.url, owner.key.public)
        await owner.until(lambda: len(owner.ups) == 2)


@every_transport
async def test_who_says_nothing_is_let_go(scheme: str, tmp_path: Path, clock: MockClock) -> None:
    async with listening(scheme, tmp_path) as (owner, _), opened(owner.url) as connection:
        await until_half_open(owner, 1)
        if clock.rate:
            clock.jump(HANDSHAKE_TIME)
        await ended(connection)
        assert owner.router.counters["bad_handshakes"] == 1
        assert not owner.ups


@every_transport
async def test_half_open_handshakes_are_bounded(scheme: str, tmp_path: Path) -> None:
    async with listening(scheme, tmp_path) as (owner, dialler), AsyncExitStack() as stack:
        idle = []
        for number in range(HALF_OPEN_PER_HOST + 1):
            idle.append(await stack.enter_async_context(opened(owner.url)))
            await until_half_open(owner, min(number + 1, HALF_OPEN_PER_HOST))
        await ended(idle[0])  # the oldest makes room
        with trio.fail_after(WAIT):
            await dialler.manager.dial(owner.url, owner.key.public)
        await owner.until(lambda: owner.ups)


async def until_half_open(owner: Neighbour, count: int) -> None:
    """Waits until as many have connected."""
    with trio.fail_after(WAIT):
        while len(owner.manager._half_open) < count:
            await trio.lowlevel.checkpoint()


@every_transport
async def test_who_shows_no_certificate_is_let_go(scheme: str, tmp_path: Path, clock: MockClock) -> None:
    async with listening(scheme, tmp_path, certifies=False) as (owner, dialler):
        link = await dialler.manager.dial(owner.url, None)
        began = trio.current_time()
        if clock.rate:
            await wait_all_tasks_blocked()  # both sides have set their clocks
            clock.jump(UNCERTIFIED_TIME)
        reason = await end_of(link)
        assert "certificate" in reason or reason == "the neighbour closed it"
        assert trio.current_time() - began == pytest.approx(UNCERTIFIED_TIME, abs=1)


@every_transport
async def test_of_two_links_one_stays(scheme: str, tmp_path: Path) -> None:
    async with linked(scheme, tmp_path) as (owner, dialler, _):
        await dialler.manager.dial(owner.url, owner.key.public)
        await owner.until(lambda: len(owner.router.links) == 1 == len(owner.downs))
        await dialler.until(lambda: len(dialler.router.links) == 1 == len(dialler.downs))
        dialler.send(owner.key.address, b"still there")
        await owner.until(lambda: owner.arrived == [b"still there"])


@every_transport
async def test_a_standing_link_is_dialled_until_somebody_answers(scheme: str, tmp_path: Path, clock: MockClock) -> None:
    async with listening(scheme, tmp_path) as (owner, dialler):
        standing = dialler.manager.standing.keep([owner.url], owner.key.public)
        assert dialler.manager.standing.keep([owner.url], owner.key.public) is standing
        for number in count(1):
            await dialler.until(lambda number=number: len(dialler.ups) == number)
            assert standing.state == "up"
            if number == 3:
                break
            await owner.until(lambda number=number: len(owner.ups) == number)
            owner.ups[-1].close("again")
            await dialler.until(lambda number=number: len(dialler.downs) == number)


@pytest.mark.parametrize("host", [".nas", "a..b", "x" * 64, "-", "127.0.0.1.", "%zz"])
@pytest.mark.parametrize("scheme", ["tcp", "ws", "wss"])
async def test_a_host_that_can_be_none_is_said(scheme: str, host: str, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        node = Neighbour(nursery, tmp_path)
        for act in (lambda url: node.manager.dial(url, None), node.manager.listen):
            with pytest.raises(LinkError):
                await act(f"{scheme}://{host}:1")
        nursery.cancel_scope.cancel()


async def test_one_name_has_one_listener_and_is_free_afterwards(tmp_path: Path) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        with pytest.raises(LinkError, match="cannot listen"):
            await dialler.manager.listen(owner.url)
    async with listening("memory", tmp_path) as (again, _):
        assert again.url == owner.url


async def test_a_name_where_nobody_accepts_is_full_at_its_bound() -> None:
    module = transport("memory:busy")
    _, [listener], _, _ = await module.listen("memory:busy", None)
    connections = [await module.dial("memory:busy") for _ in range(module.BACKLOG)]
    with pytest.raises(LinkError, match="accepts nothing"):
        await module.dial("memory:busy")
    await listener.aclose()
    for connection in connections:
        assert await connection.read() == b""
        connection.close()


@pytest.mark.parametrize(
    "url",
    [
        *("tcp:nas", "tcp://", "tcp://nas", "tcp://nas:x", "tcp://nas:1/path"),
        *("memory:", "unix:", "carrier-pigeon:nas"),
        *("pipe:", "pipe: ", "pipe:'open", "pipe:two\nlines", "pipe:nul\0"),
        *("ws:nas", "ws://", "ws://nas:x", "ws://me@nas", "ws://nas#sha256=" + "0" * 64),
        *("wss://nas#sha256=0", "wss://nas#top"),
    ],
)
async def test_wrong_addresses_are_said_with_the_right_form(url: str) -> None:
    with pytest.raises(LinkError) as caught:
        transport(url).parse(url)
    assert caught.value.hint
