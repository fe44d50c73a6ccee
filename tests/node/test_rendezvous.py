"""Two nodes that no path connects meet at hubs: in memory and virtual time, whatever the hubs do."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.errors import Denied, GlowError, InvalidArgument, NoSuchMethod, NoSuchResource
from firefly.interfaces.core import Meeting
from firefly.interfaces.signaling import Knock, NotAttached, NotListening
from firefly.keys import NodeKey
from node import rendezvous
from node.certificates import MEMBER, RELAY
from node.knocks import ANSWER, ASK, Message, seal, unseal
from node.links import LinkError
from node.rendezvous import FIRST_PAUSE, LONGEST_PAUSE, MAX_ASKS, PACE, REPLY_TIME, SELDOM, STABLE, Rendezvous

ANN, BEA, CEM, STRANGER = (NodeKey(bytes([number]) * 32) for number in (1, 2, 3, 9))
MEMBERS = {key.address: key.public for key in (ANN, BEA, CEM)}
FIRST, SECOND = b"1" * 16, b"2" * 16
"""The addresses of two hubs."""
PATIENCE = 20.0
QUESTION, ANSWERED = Meeting(["tcp://192.0.2.1:1"]), Meeting(["tcp://192.0.2.2:2"], "v=0")


class Hub:
    """What is said at a hub goes through `carry`, by default to whom it is for."""

    def __init__(self) -> None:
        self.boxes: dict[bytes, trio.MemorySendChannel[Knock]] = {}
        self.refuses: GlowError | None = None
        self.asked: list[float] = []
        """When somebody began to listen."""
        self.carry: Callable[[bytes, bytes, bytes], Awaitable[None]] = self.hand_on

    async def hand_on(self, sender: bytes, address: bytes, content: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if address not in self.boxes:
            raise NotAttached(address)
        self.boxes[address].send_nowait(Knock(sender, content))

    def stop(self) -> None:
        """Ends all streams."""
        for box in self.boxes.values():
            box.close()
        self.boxes.clear()


class AtHub:
    """A hub as one node sees it: in place of the stub of its signaling process."""

    def __init__(self, hub: Hub, key: NodeKey) -> None:
        self._hub, self._key = hub, key

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[Knock]]:
        self._hub.asked.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self._hub.refuses is not None:
            raise self._hub.refuses
        send, receive = trio.open_memory_channel[Knock](float("inf"))
        self._hub.boxes[self._key.address] = send
        yield receive

    async def knock(self, address: bytes, content: bytes) -> None:
        await self._hub.carry(self._key.public, address, content)


class Side(Rendezvous):
    """The rendezvous of a node of which there is nothing else."""

    def __init__(self, key: NodeKey, hubs: dict[bytes, Hub], nursery: trio.Nursery) -> None:
        self.counters: Counter[str] = Counter()
        self.reachable = list(hubs)
        self.meetings = FakeMeetings(key.address)
        self.node = SimpleNamespace(
            key=key,
            role=MEMBER,
            namespace=b"o" * 32,
            meetings=self.meetings,
            router=SimpleNamespace(counters=self.counters),
            peers=SimpleNamespace(reach=reached),
            hub_services=SimpleNamespace(hubs=lambda: self.reachable),
            mesh=SimpleNamespace(
                sequence=lambda namespace: 1000, distance=lambda hub: 1 if hub in self.reachable else None
            ),
            name_of=lambda address: {FIRST: "first", SECOND: "second"}.get(address, address.hex()[:8]),
        )
        super().__init__(self.node, nursery)  # type: ignore[arg-type]
        self._all, self._key = hubs, key

    def _at(self, hub: bytes) -> Any:
        return AtHub(self._all[hub], self._key)

    async def ask(self, other: NodeKey, patience: float = PATIENCE) -> Meeting:
        return await self.meet(other.address, QUESTION, patience)


async def reached(hub: bytes) -> None:
    """There is a session with every hub."""


class FakeMeetings:
    """What is to become of a knock: kept. Of the namespace are Ann, Bea and Cem."""

    def __init__(self, own: bytes) -> None:
        self.on = True
        self.own = own
        self.woken: list[bytes] = []
        self.asked: list[bytes] = []
        self.answer: Callable[[], Awaitable[Meeting]] = self.at_once

    async def at_once(self) -> Meeting:
        return ANSWERED

    def may_link(self, address: bytes) -> bool:
        return address in MEMBERS and address != self.own

    def key_of(self, address: bytes) -> bytes:
        return MEMBERS[address]

    def woken_by(self, address: bytes) -> None:
        self.woken.append(address)

    def hub_heard(self) -> None:
        pass

    async def met(self, sender: bytes, meeting: Meeting) -> Meeting:
        self.asked.append(sender)
        return await self.answer()


@dataclass
class World:
    first: Hub
    second: Hub
    ann: Side
    bea: Side


@pytest.fixture
async def world(nursery: trio.Nursery) -> World:
    """Ann and Bea listen at two hubs."""
    hubs = {FIRST: Hub(), SECOND: Hub()}
    made = World(hubs[FIRST], hubs[SECOND], Side(ANN, hubs, nursery), Side(BEA, hubs, nursery))
    for side in (made.ann, made.bea):
        nursery.start_soon(side.run)
    await wait_all_tasks_blocked()
    assert made.ann.hubs == made.bea.hubs == [FIRST, SECOND]
    return made


async def lose(sender: bytes, address: bytes, content: bytes) -> None:
    """What a hub does that hands nothing on, and says that it did."""


# --- asking and answering


async def test_a_node_is_asked_and_answers(world: World, autojump_clock: MockClock) -> None:
    assert await world.ann.ask(BEA) == ANSWERED
    assert await world.bea.ask(ANN) == ANSWERED
    assert world.bea.meetings.asked == [ANN.public]
    assert world.ann.meetings.asked == [BEA.public]


async def test_it_is_answered_once_though_every_hub_carries_the_question(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        await world.ann.ask(BEA)
        await trio.sleep(1)
    assert world.bea.meetings.asked == [ANN.public] * 3
    assert world.bea.counters == {"knocks_repeated": 3}


@pytest.mark.parametrize("silent", ["first", "second"])
async def test_one_honest_hub_is_enough(world: World, autojump_clock: MockClock, silent: str) -> None:
    getattr(world, silent).carry = lose
    begun = trio.current_time()
    assert await world.ann.ask(BEA) == ANSWERED
    assert trio.current_time() - begun < 1


async def test_a_hub_that_answers_no_call_keeps_nobody(world: World, autojump_clock: MockClock) -> None:
    async def hang(sender: bytes, address: bytes, content: bytes) -> None:
        await trio.sleep_forever()

    world.first.carry = hang
    assert await world.ann.ask(BEA) == ANSWERED
    assert await world.ann.ask(BEA) == ANSWERED  # while Bea waits for the first hub to take the answer
    await trio.sleep(REPLY_TIME + 1)
    assert world.bea._served == 0


async def test_who_is_not_there_is_said_at_once_and_by_hub(world: World, autojump_clock: MockClock) -> None:
    world.first.boxes.clear()
    world.second.boxes.clear()
    begun = trio.current_time()
    with pytest.raises(LinkError) as caught:
        await world.ann.ask(BEA)
    assert trio.current_time() == begun
    assert "the other device does not listen at first" in caught.value.cause
    assert "the other device does not listen at second" in caught.value.cause


async def test_what_became_of_it_at_each_hub_is_said(world: World, autojump_clock: MockClock) -> None:
    async def refuse(sender: bytes, address: bytes, content: bytes) -> None:
        raise NotListening(address)

    world.first.carry, world.second.carry = refuse, lose
    begun = trio.current_time()
    with pytest.raises(LinkError) as caught:
        await world.ann.ask(BEA)
    assert trio.current_time() - begun == PATIENCE
    assert caught.value.cause.startswith("first: ")
    assert caught.value.cause.endswith("; no answer by way of second within 20 s")
    assert not world.ann._open


async def test_without_a_hub_it_is_said_so(nursery: trio.Nursery) -> None:
    with pytest.raises(LinkError) as caught:
        await Side(ANN, {}, nursery).ask(BEA)
    assert caught.value.cause == "this device listens at no hub"


async def test_why_there_is_no_answer_is_an_answer(world: World, autojump_clock: MockClock) -> None:
    async def refuse() -> Meeting:
        raise InvalidArgument("only the node with the lower address offers a data channel")

    async def long() -> Meeting:
        return Meeting([], "x" * 16_384, behind="y" * 512)

    world.bea.meetings.answer = refuse
    assert "lower address" in (await world.ann.ask(BEA)).reason
    world.bea.meetings.answer = long
    assert "at most 16384 bytes" in (await world.ann.ask(BEA)).reason


async def test_numbers_rise_and_begin_above_those_of_earlier_runs(world: World, autojump_clock: MockClock) -> None:
    seen = []

    async def see(sender: bytes, address: bytes, content: bytes) -> None:
        seen.append(unseal(BEA, sender, content).number)

    world.first.carry = world.second.carry = see
    for sequence in (1000, 1000, 5000):
        world.ann.node.mesh.sequence = lambda namespace, sequence=sequence: sequence
        with pytest.raises(LinkError):
            await world.ann.ask(BEA)
    assert seen == [1000, 1000, 1001, 1001, 5000, 5000]


async def test_who_asks_has_answered(world: World, autojump_clock: MockClock) -> None:
    """Its answer may have been lost. With an offer of a data channel only an answer to that will do."""
    world.first.carry = world.second.carry = lose
    found: list[Meeting] = []

    async def ask(mine: Meeting) -> None:
        found.append(await world.ann.meet(BEA.address, mine, PATIENCE))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, Meeting([], "v=0"))
        nursery.start_soon(ask, QUESTION)
        await wait_all_tasks_blocked()
        world.first.boxes[ANN.address].send_nowait(knock(CEM, ASK, 1))
        await trio.sleep(1)
        assert not found
        world.first.boxes[ANN.address].send_nowait(knock(BEA, ASK, 1))
        await trio.sleep(1)
        assert found == [Meeting(["tcp://192.0.2.66:1"])]
        [offered] = world.ann._open
        world.first.boxes[ANN.address].send_nowait(knock(BEA, ANSWER, offered))
    assert len(found) == 2


# --- what hubs and others make up


def knock(key: NodeKey, step: Any, number: int, to: NodeKey = ANN) -> Knock:
    return Knock(key.public, seal(key, to.public, Message(step, number, Meeting(["tcp://192.0.2.66:1"]))))


async def test_answers_of_another_node_or_to_another_question_are_not_taken(
    world: World, autojump_clock: MockClock
) -> None:
    """Until the right one comes: the positive control."""
    world.first.carry = world.second.carry = lose
    answers: list[Meeting] = []

    async def ask() -> None:
        answers.append(await world.ann.ask(BEA))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        [number] = world.ann._open
        for wrong in (
            knock(CEM, ANSWER, number),
            knock(BEA, ANSWER, number + 1),
            knock(STRANGER, ANSWER, number),
            Knock(BEA.public, knock(STRANGER, ANSWER, number).content),
            Knock(BEA.public, knock(BEA, ANSWER, number, to=CEM).content),
            Knock(BEA.public, b"made up"),
        ):
            world.first.boxes[ANN.address].send_nowait(wrong)
        await trio.sleep(1)
        assert not answers
        assert world.ann.counters == {"knocks_unasked": 2, "knocks_of_strangers": 1, "knocks_malformed": 3}
        world.first.boxes[ANN.address].send_nowait(knock(BEA, ANSWER, number))
    assert answers == [Meeting(["tcp://192.0.2.66:1"])]


async def test_a_question_that_is_played_again_or_mirrored_starts_nothing(
    world: World, autojump_clock: MockClock
) -> None:
    heard: list[tuple[bytes, bytes]] = []

    async def record(sender: bytes, address: bytes, content: bytes) -> None:
        heard.append((sender, content))
        await world.first.hand_on(sender, address, content)

    world.first.carry, world.second.carry = record, lose
    await world.ann.ask(BEA)
    [sender, question] = heard[0]
    for _ in range(5):
        world.first.boxes[BEA.address].send_nowait(Knock(sender, question))
        world.first.boxes[ANN.address].send_nowait(Knock(BEA.public, question))
    await trio.sleep(1)
    assert world.bea.meetings.asked == [ANN.public]
    assert world.ann.meetings.asked == []
    assert world.bea.counters == {"knocks_repeated": 5}
    assert world.ann.counters == {"knocks_malformed": 5}


async def test_an_empty_knock_of_a_member_wakes_and_of_nobody_else(world: World, autojump_clock: MockClock) -> None:
    for key in (BEA, STRANGER, ANN):
        world.first.boxes[ANN.address].send_nowait(Knock(key.public, b""))
    await trio.sleep(1)
    assert world.ann.meetings.woken == [BEA.address]
    assert world.ann.counters == {"knocks_of_strangers": 2}


async def test_each_asks_once_at_a_time_and_all_together_a_few(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [NodeKey(number.to_bytes(32, "big")) for number in range(100, 100 + 2 * MAX_ASKS)]
    monkeypatch.setattr("tests.node.test_rendezvous.MEMBERS", {key.address: key.public for key in keys})
    go = trio.Event()

    async def slowly() -> Meeting:
        await go.wait()
        return ANSWERED

    world.ann.meetings.answer = slowly
    for number in (1, 2, 3):
        for key in keys:
            world.first.boxes[ANN.address].send_nowait(knock(key, ASK, number))
    await trio.sleep(6 * MAX_ASKS * PACE + 1)
    assert world.ann.meetings.asked == [key.public for key in keys[:MAX_ASKS]]
    assert world.ann.counters == {"knocks_dropped": 5 * MAX_ASKS}
    go.set()
    await trio.sleep(1)
    world.first.boxes[ANN.address].send_nowait(knock(keys[0], ASK, 4))
    await trio.sleep(1)
    assert len(world.ann.meetings.asked) == MAX_ASKS + 1


async def test_who_asks_again_before_the_answer_is_made_is_not_heard(world: World, autojump_clock: MockClock) -> None:
    go = trio.Event()

    async def slowly() -> Meeting:
        await go.wait()
        return ANSWERED

    world.ann.meetings.answer = slowly
    for number in (1, 2):
        world.first.boxes[ANN.address].send_nowait(knock(BEA, ASK, number))
    await trio.sleep(1)
    assert world.ann.meetings.asked == [BEA.public]
    assert world.ann.counters == {"knocks_dropped": 1}


async def test_a_flood_is_looked_at_slowly(world: World, autojump_clock: MockClock) -> None:
    for _ in range(1000):
        world.first.boxes[ANN.address].send_nowait(Knock(BEA.public, b"made up"))
    await trio.sleep(1.0)
    assert 0.9 / PACE <= world.ann.counters["knocks_malformed"] <= 1 / PACE + 1


async def test_of_how_many_nodes_the_last_question_is_known_is_bounded(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendezvous, "MAX_SENDERS", 2)
    for key in (BEA, CEM, BEA):
        world.first.boxes[ANN.address].send_nowait(knock(key, ASK, 5 + len(world.ann.meetings.asked)))
        await trio.sleep(1)
    monkeypatch.setattr("tests.node.test_rendezvous.MEMBERS", {**MEMBERS, STRANGER.address: STRANGER.public})
    world.first.boxes[ANN.address].send_nowait(knock(STRANGER, ASK, 1))
    await trio.sleep(1)
    assert list(world.ann._last) == [BEA.public, STRANGER.public]


# --- listening


async def test_a_stream_that_ends_is_begun_again_soon_and_then_less_often(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    hub = Hub()
    side = Side(ANN, {FIRST: hub}, nursery)
    nursery.start_soon(side.run)
    with trio.move_on_after(600):
        while True:
            await trio.sleep(0.01)
            hub.stop()
    pauses = [later - earlier for earlier, later in pairwise(hub.asked)]
    assert FIRST_PAUSE / 2 <= pauses[0] <= FIRST_PAUSE + 0.1
    assert max(pauses) <= LONGEST_PAUSE + 0.1
    assert 600 / LONGEST_PAUSE <= len(hub.asked) <= 4 + 600 / (LONGEST_PAUSE / 2)
    await trio.sleep(LONGEST_PAUSE + STABLE)
    assert side.hubs == [FIRST]
    count = len(hub.asked)
    hub.stop()
    await trio.sleep(FIRST_PAUSE)
    assert len(hub.asked) == count + 1  # as soon as after the first time


@pytest.mark.parametrize("error", [NoSuchResource("x"), NoSuchMethod("x"), Denied("x")])
async def test_a_relay_that_is_no_rendezvous_is_asked_seldom(
    nursery: trio.Nursery, autojump_clock: MockClock, error: GlowError
) -> None:
    hub = Hub()
    hub.refuses = error
    side = Side(ANN, {FIRST: hub}, nursery)
    nursery.start_soon(side.run)
    await trio.sleep(86_400)
    assert side.hubs == []
    assert 86_400 / SELDOM <= len(hub.asked) <= 8 + 86_400 / (SELDOM / 2)
    hub.refuses = None
    await trio.sleep(SELDOM)
    assert side.hubs == [FIRST]


async def test_a_hub_that_was_away_is_listened_at_as_soon_as_it_is_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Also where it was no rendezvous before."""
    hub = Hub()
    hub.refuses = NoSuchResource("x")
    side = Side(ANN, {FIRST: hub}, nursery)
    nursery.start_soon(side.run)
    await trio.sleep(86_400)
    hub.refuses = None
    for reachable in ([], [FIRST]):
        side.reachable[:] = reachable
        side.wake()
        await wait_all_tasks_blocked()
    assert side.hubs == [FIRST]


async def test_a_moment_without_a_path_ends_no_stream(world: World, autojump_clock: MockClock) -> None:
    count = len(world.first.asked)
    for reachable in ([SECOND], [FIRST, SECOND]):
        world.ann.reachable[:] = reachable
        world.ann.wake()
        await wait_all_tasks_blocked()
        assert world.ann.hubs == reachable
    assert len(world.first.asked) == count
    assert await world.ann.ask(BEA) == ANSWERED


async def test_a_stream_that_ends_while_its_hub_is_away_is_begun_when_it_is_back(
    world: World, autojump_clock: MockClock
) -> None:
    """Without a pause: that is for hubs that can be reached."""
    world.ann.reachable[:] = [SECOND]
    world.ann.wake()
    await wait_all_tasks_blocked()
    world.first.stop()
    await wait_all_tasks_blocked()
    assert list(world.ann._tasks) == [SECOND]
    world.ann.reachable[:] = [FIRST, SECOND]
    world.ann.wake()
    await wait_all_tasks_blocked()
    assert world.ann.hubs == [FIRST, SECOND]


async def test_who_is_off_or_no_member_listens_nowhere(world: World, autojump_clock: MockClock) -> None:
    world.ann.meetings.on = False
    world.bea.node.role = RELAY
    for side in (world.ann, world.bea):
        side.wake()
    await trio.sleep(LONGEST_PAUSE)
    assert world.ann.hubs == world.bea.hubs == []
    assert not world.ann._tasks
    assert not world.bea._tasks
    assert not world.ann._listening
    world.ann.meetings.on = True
    world.ann.wake()
    await wait_all_tasks_blocked()
    assert world.ann.hubs == [FIRST, SECOND]
