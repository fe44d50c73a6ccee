"""Row "hostile signaling": a hub that passes knocks can lose and delay them, and gets nothing else from them.

Its signaling process lists whom it likes, says what it likes in whoever's name, and keeps and repeats what it carries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

import node
from firefly.errors import Unreachable
from firefly.interfaces.core import Meeting
from firefly.interfaces.signaling import Knock, SignalingServer
from firefly.keys import NodeKey
from firefly.runtime import current_call
from node.knocks import ASK, Message, seal
from node.meetings import MAX_SOUGHT
from node.rendezvous import PACE
from signaling import RESOURCE
from tests.node.apart import Apart, apart, at, has_way
from tests.node.family import LIMIT, until
from tests.node.links.test_webrtc import needs_address

BAIT = Meeting(["tcp://192.0.2.66:4747"])
"""Where the hub would have a node dial."""


class HostileHub(SignalingServer):
    """A signaling process that does what it likes: `say` puts knocks into a listener's stream."""

    def __init__(self) -> None:
        self.streams: dict[bytes, trio.MemorySendChannel[Knock]] = {}
        self.heard: list[tuple[bytes, bytes, bytes]] = []
        """Sender's key, address of the receiver, content."""
        self.carry: Callable[[bytes, bytes, bytes], Awaitable[None]] = self.hand_on

    async def listen(self) -> AsyncIterator[Knock]:
        send, receive = trio.open_memory_channel[Knock](float("inf"))
        self.streams[current_call().caller.address] = send
        async for knock in receive:
            yield knock

    async def knock(self, node: bytes, content: bytes) -> None:
        sender = current_call().caller.key
        self.heard.append((sender, node, content))
        await self.carry(sender, node, content)

    async def hand_on(self, sender: bytes, node: bytes, content: bytes) -> None:
        self.say(node, sender, content)

    def say(self, node: bytes, sender: bytes, content: bytes) -> None:
        self.streams[node].send_nowait(Knock(sender, content))

    def servers(self) -> list[object]:
        return []


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOW_LINKS_DIRECT")


def dialled_by(user: node.RunningNode) -> list[str]:
    """The addresses that a node dials from now on, without doing so."""
    found: list[str] = []

    async def connect(url: str, expected: bytes | None, made: object) -> None:
        found.append(url)
        await trio.sleep_forever()

    user._node.links.connect = connect
    return found


@asynccontextmanager
async def hostile(folder: Path) -> AsyncIterator[tuple[Apart, HostileHub]]:
    async with apart(folder, signals=False) as here:
        hub = HostileHub()
        here.hub._node.peers.host.add(RESOURCE, hub)
        for each in (here.laptop, here.nas):
            await until(lambda each=each: each.address in hub.streams)
        await until(lambda: here.laptop._node.rendezvous.hubs and here.nas._node.rendezvous.hubs)
        yield here, hub


def counters(user: node.RunningNode) -> dict[str, int]:
    found = user._node.router.counters
    return {name: count for name, count in found.items() if name.startswith("knocks_")}


def ask(key: NodeKey, to: node.RunningNode, number: int = 10**15) -> bytes:
    return seal(key, to.key, Message(ASK, number, BAIT))


async def test_the_hub_gets_nothing_by_a_knock_in_the_name_of_a_stranger_or_of_a_member(tmp_path: Path) -> None:
    """Nothing is answered, nobody dialled and no attempt begun; until the member itself asks, which is the control."""
    async with hostile(tmp_path) as (here, hub):
        stranger, laptop, nas = NodeKey.generate(), here.laptop, here.nas
        dialled = dialled_by(laptop)
        plain = msgspec.msgpack.encode([1, nas.key, Message(ASK, 10**15, BAIT)])
        for sender, content in (
            (stranger.public, ask(stranger, laptop)),  # a key of its own making
            (stranger.public, b""),
            (here.hub.key, ask(here.hub._node.key, laptop)),  # the hub's own, which is certified as a relay
            (here.hub.key, b""),
            (laptop.key, b""),
            (nas.key, ask(stranger, laptop)),  # a member's name, without its key
            (nas.key, ask(here.hub._node.key, laptop)),
            (nas.key, plain),
            (nas.key, b"\x00" * 16_384),
        ):
            hub.say(laptop.address, sender, content)
        await until(lambda: sum(counters(laptop).values()) == 9)
        assert counters(laptop) == {"knocks_of_strangers": 5, "knocks_malformed": 4}
        assert (hub.heard, dialled, laptop._node.meetings._known) == ([], [], {})
        hub.say(laptop.address, nas.key, ask(nas._node.key, laptop))
        await until(lambda: hub.heard and dialled)
        assert dialled == BAIT.urls
        assert hub.heard[0][:2] == (laptop.key, nas.address)


async def test_what_it_carries_it_can_neither_read_nor_play_again(tmp_path: Path) -> None:
    async with hostile(tmp_path) as (here, hub):
        laptop, nas = here.laptop, here.nas
        dialled = dialled_by(nas)
        secret = Meeting(["tcp://192.0.2.77:4747"], behind="a NAT of a kind")
        answer = await laptop._node.rendezvous.meet(nas.address, secret, 10.0)
        assert answer.reason == ""
        assert len(hub.heard) == 2
        assert not any(word in content for _, _, content in hub.heard for word in (b"192.0.2.77", b"a NAT of a kind"))
        await until(lambda: len(dialled) == 1)
        [(_, _, question), (_, _, answered)] = hub.heard
        for content in (question, answered) * 5:
            hub.say(nas.address, laptop.key, content)  # as it was, and the other's own words mirrored
            hub.say(laptop.address, nas.key, content)
        await until(lambda: sum(counters(laptop).values()) == sum(counters(nas).values()) == 10)
        assert counters(nas) == {"knocks_repeated": 5, "knocks_malformed": 5}
        assert counters(laptop) == {"knocks_unasked": 5, "knocks_malformed": 5}
        assert len(hub.heard) == 2


@needs_address
async def test_a_hub_that_answers_offers_itself_is_not_linked(tmp_path: Path) -> None:
    """It puts a node of its own in the place of the other one; the honest exchange, afterwards, leads to a link."""
    async with hostile(tmp_path) as (here, hub):
        mallory = NodeKey.generate()

        async def answer(sender: bytes, address: bytes, content: bytes) -> None:
            for step, number in ((1, 1), (2, 1), (2, 10**15)):
                hub.say(
                    here.laptop.address,
                    here.nas.key,
                    seal(mallory, here.laptop.key, Message(step, number, Meeting([], "v=0"))),
                )

        hub.carry = answer
        with trio.move_on_after(1.0), pytest.raises(Unreachable):
            await at(here.laptop, here.nas).echo(b"")
        assert counters(here.laptop)["knocks_malformed"] >= 3
        assert not has_way(here.laptop, here.nas)
        assert {link.peer_address for link in here.laptop._node.router.links} == {here.hub.address}
        hub.carry = hub.hand_on
        with trio.fail_after(LIMIT):
            await here.nas._node.meetings.find(here.laptop.address)
            assert await at(here.nas, here.laptop).echo(b"now") == b"now"


async def test_wake_ups_by_the_thousand_begin_one_attempt_each_and_a_flood_is_looked_at_slowly(tmp_path: Path) -> None:
    async with hostile(tmp_path) as (here, hub):
        hub.carry = lose
        begun = trio.current_time()
        for _ in range(1000):
            hub.say(here.laptop.address, here.nas.key, b"")
            hub.say(here.laptop.address, here.nas.key, b"made up")
        await until(lambda: counters(here.laptop).get("knocks_malformed", 0) >= 50)
        assert trio.current_time() - begun >= 99 * PACE
        assert len(hub.heard) == 1
        assert len(here.laptop._node.meetings._sought) == 1 <= MAX_SOUGHT
        assert await at(here.laptop, here.hub).echo(b"well") == b"well"


async def lose(sender: bytes, node: bytes, content: bytes) -> None:
    """Says that it was handed on."""
