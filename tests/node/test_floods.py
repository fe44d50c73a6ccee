"""Floods through real nodes: what piles up has a bound, and afterwards all is as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import firefly
import node
import node.attachment
import node.introductions
from firefly.client import Glow
from firefly.errors import Busy, GlowError
from firefly.outbox import MAX_BYTES, MAX_MESSAGES, RUN_LIMIT
from firefly.packet import BULK, DATA, pack_header
from firefly.rpc import MAX_CALLS, MAX_KEPT, Conversation
from node.transit import FLOW_LIMIT, LINK_LIMIT
from tests.firefly.runtime.probe import Probe, ProbeServer
from tests.node.family import LIMIT, Family, family, until
from tests.node.test_metrics import series

CALLS = 3 * MAX_CALLS
PACKET = 60_000
MEGABYTE = 2**20


class Counting(ProbeServer):
    def __init__(self) -> None:
        self.run: Counter[int] = Counter()
        self.filled = 0

    def once(self, number: int) -> int:
        self.run[number] += 1
        return number

    def echo(self, data: bytes) -> bytes:
        return data[:8]

    def fill(self, data: bytes) -> None:
        self.filled += len(data)


@asynccontextmanager
async def served(folder: Path, where: str) -> AsyncIterator[tuple[Family, Counting, Glow, Probe]]:
    """nas counts; who uses it is laptop's node, or a program that is attached there."""
    async with family(folder) as nodes, firefly.connect(folder / "laptop") as program:
        server = Counting()
        resource = await nodes.nas.serve("counting", server)
        user: Glow = nodes.laptop if where == "in the node" else program
        probe = user.at(nodes.nas.address, resource, Probe)
        with trio.fail_after(LIMIT):
            assert await probe.echo(b"before") == b"before"
            yield nodes, server, user, probe


class Silence:
    """The relay forwards nothing while this is on, and says nothing of it: the peer is as good as dead."""

    def __init__(self, nodes: Family) -> None:
        self._router = nodes.relay._node.router
        self._forward = self._router._forward

    def begin(self) -> None:
        self._router._forward = lambda packet, arrival: None  # type: ignore[method-assign]

    def end(self) -> None:
        self._router._forward = self._forward  # type: ignore[method-assign]


def towards(one: Any, other: Any) -> Conversation:
    """The conversation of a node's session with another."""
    found = one._node.peers.peer(other.address)
    assert isinstance(found, Conversation)
    return found


everywhere = pytest.mark.parametrize("where", ["in the node", "attached"])


@everywhere
async def test_calls_to_a_dead_peer_wait_within_bounds_and_run_once(tmp_path: Path, where: str) -> None:
    async with served(tmp_path, where) as (nodes, server, _, probe):
        answers: list[int] = []
        most = [0, 0]

        async def call(number: int) -> None:
            answers.append(await probe.once(number))

        silence, conversation = Silence(nodes), towards(nodes.laptop, nodes.nas)
        silence.begin()
        async with trio.open_nursery() as nursery:
            for number in range(CALLS):
                nursery.start_soon(call, number)
            await until(lambda: len(conversation.calls) >= MAX_CALLS)
            for _ in range(20):
                await trio.sleep(0.01)
                most = [max(most[0], len(conversation.calls)), max(most[1], conversation.outbox.count)]
            assert not answers
            silence.end()
        assert most[0] == MAX_CALLS
        assert most[1] <= MAX_MESSAGES
        assert sorted(answers) == list(range(CALLS))
        assert server.run == Counter(range(CALLS))


@everywhere
async def test_notifications_to_a_dead_peer_wait_within_bounds(tmp_path: Path, where: str) -> None:
    async with served(tmp_path, where) as (nodes, server, user, probe):
        others = [user.at(nodes.nas.address, await nodes.nas.serve(f"n-{n}", server), Probe) for n in range(40)]
        silence, conversation = Silence(nodes), towards(nodes.laptop, nodes.nas)
        sent = 0

        async def flood(to: Probe) -> None:
            nonlocal sent
            for _ in range(8):
                await to.fill(bytes(50_000))
                sent += 50_000
                await trio.lowlevel.checkpoint()

        silence.begin()
        async with trio.open_nursery() as nursery:
            for other in others:
                nursery.start_soon(flood, other)
            await until(lambda: conversation.outbox.full)
            await trio.sleep(0.1)
            assert conversation.outbox.size <= MAX_BYTES + RUN_LIMIT
            silence.end()
        await until(lambda: server.filled >= sent)
        assert server.filled == sent == 40 * 8 * 50_000
        assert await probe.echo(b"after") == b"after"


async def test_a_program_that_fills_a_dead_peers_queue_is_told_to_wait(tmp_path: Path) -> None:
    async with served(tmp_path, "attached") as (nodes, _, _, probe):
        silence, conversation = Silence(nodes), towards(nodes.laptop, nodes.nas)
        ends: Counter[str] = Counter()

        async def call() -> None:
            try:
                await probe.echo(bytes(8 * MEGABYTE))
                ends["answered"] += 1
            except Busy:
                ends["busy"] += 1

        silence.begin()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(call)
            await until(lambda: ends["busy"] >= 4)
            assert conversation.outbox.size <= MAX_KEPT + 8 * MEGABYTE
            silence.end()
        assert ends == {"answered": 16, "busy": 4}


async def test_a_flood_through_a_relay_is_dropped_and_counted(tmp_path: Path) -> None:
    """All of it comes before the link onward can write once: a fast sender in front of a slow link."""
    async with served(tmp_path, "in the node") as (nodes, server, _, probe):
        relay = nodes.relay._node
        links = {link.peer_address: link for link in relay.router.links}
        arrival, onward = links[nodes.laptop.address], links[nodes.nas.address]
        relay.router.begin()
        for source in (nodes.laptop.address, *(number.to_bytes(16, "big") for number in range(100))):
            for _ in range(FLOW_LIMIT // PACKET // 2 + 1 if source != nodes.laptop.address else 100):
                header = pack_header(DATA, BULK, PACKET, nodes.nas.address, source)
                relay.router.receive(arrival, header + bytes(PACKET), trio.current_time())
        queue = onward.queue.transit
        assert LINK_LIMIT / 2 - 2 * PACKET < queue.charged <= LINK_LIMIT / 2  # one link may hold what it leaves free
        relay.router.end()
        drops = series(await nodes.relay.node.metrics(), "glow_link_drops_total")
        assert drops["nas", "tcp", "flow_full"] == 100 - FLOW_LIMIT // (PACKET + 104)
        assert drops["nas", "tcp", "link_full"] == queue.counters.link_full > 0
        assert await probe.once(1) == 1
        await until(lambda: not queue.charged)
        assert server.run == Counter([1])


async def test_what_a_program_registers_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.attachment.MAX_REGISTERED == 1024
    monkeypatch.setattr(node.attachment, "MAX_REGISTERED", 3)
    async with node.start(tmp_path, name="nas", listen=[]), firefly.connect(tmp_path) as program:
        ids = [await program.serve(f"n-{number}", Counting()) for number in range(3)]
        with pytest.raises(GlowError, match="did not register") as caught:
            await program.serve("one-more", Counting())
        assert "over 3 resources" in caught.value.cause
        assert await program.at(program.address, ids[0], Probe).once(1) == 1


async def test_introductions_that_nobody_uses_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.introductions.MAX_WAITING == 4096
    monkeypatch.setattr(node.introductions, "MAX_WAITING", 3)
    async with node.start(tmp_path, name="nas", listen=[]) as glow:
        resource = await glow.serve("counting", Counting())
        for _ in range(3):
            await glow.node.introduce(resource, bytes(32))
        with pytest.raises(Busy, match="introductions wait"):
            await glow.node.introduce(resource, bytes(32))
