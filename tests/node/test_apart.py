"""Real nodes that are linked to a hub alone, which forwards for nobody: their calls go over a link made by knocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

import node
from firefly.errors import Unreachable
from firefly.interfaces.core import Meeting
from firefly.interfaces.signaling import Signaling
from node import meetings, rendezvous
from node.cli.explanations import node_finding
from node.links import is_for_others
from node.meetings import FIND_TIME, KNOCK_TIME, MAX_SOUGHT, SOUGHT_TIME
from node.peers import REACH_TIME
from signaling import RESOURCE
from tests.node.apart import Apart, apart, at, has_way, hub_of, listening, part, two
from tests.node.family import LIMIT, until
from tests.node.links.test_webrtc import needs_address
from tests.node.test_meetings import OPEN, links, summary


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOW_LINKS_DIRECT")


def forwarded(here: Apart) -> int:
    """Packets of one that the hub has handed to the other: none, as what it has for them ends there."""
    return here.hub._node.router.counters["forwarded"]


@needs_address
@pytest.mark.parametrize("caller", ["lower", "higher"])
async def test_the_first_call_goes_over_a_data_channel_made_by_knocks(tmp_path: Path, caller: str) -> None:
    """They listen where no other device could dial them."""
    async with apart(tmp_path) as here:
        one, other = (here.lower, here.higher) if caller == "lower" else (here.higher, here.lower)
        await listening(here.hub, one, other)
        before = forwarded(here)
        assert not has_way(one, other)
        with trio.fail_after(FIND_TIME):
            assert await at(one, other).echo(b"by a hub that only signals") == b"by a hub that only signals"
        assert (await summary(one, other)).how == "direct webrtc"
        assert links(one, other, "webrtc")
        assert links(other, one, "webrtc")
        assert forwarded(here) == before


async def test_where_dialling_works_it_is_a_tcp_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "is_installed", lambda: False)
    async with apart(tmp_path, [OPEN]) as here:
        if not any(map(is_for_others, here.nas.listening)):
            pytest.skip("this machine has no address but loopback")
        await listening(here.hub, here.laptop, here.nas)
        with trio.fail_after(LIMIT):
            assert await at(here.laptop, here.nas).echo(b"dialled") == b"dialled"
        assert (await summary(here.laptop, here.nas)).how == "direct tcp"


@needs_address
async def test_a_link_that_is_lost_is_made_anew_while_the_session_lasts(tmp_path: Path) -> None:
    """A call that is made meanwhile waits for it."""
    async with apart(tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        with trio.fail_after(LIMIT):
            assert await at(here.laptop, here.nas).echo(b"1") == b"1"
            session = here.laptop._node.peers.sessions.find(here.nas.address)
            await part(here.nas, here.laptop)
            assert await at(here.laptop, here.nas).echo(b"2") == b"2"
        assert here.laptop._node.peers.sessions.find(here.nas.address) is session


@needs_address
async def test_so_it_is_where_the_hub_stops_forwarding_though_direct_links_have_failed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a path it would be half a minute until the next attempt; without one it is made at once."""
    async with apart(tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        await relaying(here)
        with monkeypatch.context() as patch:
            patch.setattr(meetings, "is_installed", lambda: False)
            assert await at(here.lower, here.higher).echo(b"relayed") == b"relayed"
            await until(lambda: "again in" in here.lower._node.meetings.outcome(here.higher.address))
        await here.hub.node.configure("relay", "never")
        await until(lambda: links(here.lower, here.higher, "webrtc"))
        assert await at(here.lower, here.higher).echo(b"direct") == b"direct"


async def relaying(here: Apart) -> None:
    """The hub forwards, too."""
    await here.hub.node.configure("relay", "always")
    await until(lambda: has_way(here.laptop, here.nas) and has_way(here.nas, here.laptop))


@needs_address
async def test_who_lost_each_other_and_the_hub_meet_when_that_is_back(tmp_path: Path) -> None:
    """What was tried meanwhile has failed, and would be tried again half a minute later."""
    async with two(tmp_path) as (laptop, nas):
        async with hub_of(tmp_path, laptop, nas) as hub:
            await listening(hub, laptop, nas)
            assert await at(laptop, nas).echo(b"before") == b"before"
        await until(lambda: not laptop._node.rendezvous.hubs and not nas._node.rendezvous.hubs)
        await part(nas, laptop)
        session = laptop._node.peers.sessions.find(nas.address)
        for each in (laptop, nas):
            for known in each._node.meetings._known.values():
                known.failed(trio.current_time())
        async with node.start(tmp_path / "hub") as again:
            await until(lambda: has_way(laptop, nas))
            assert again.address == hub.address
            assert await at(laptop, nas).echo(b"after") == b"after"
            assert laptop._node.peers.sessions.find(nas.address) is session


@needs_address
async def test_an_empty_knock_has_its_sender_met(tmp_path: Path) -> None:
    async with apart(tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        await here.nas.at(here.hub.address, RESOURCE, Signaling).knock(here.laptop.address)
        await until(lambda: has_way(here.laptop, here.nas) and has_way(here.nas, here.laptop))
        assert links(here.laptop, here.nas, "webrtc")


@needs_address
async def test_they_meet_again_when_the_hub_has_started_anew(tmp_path: Path) -> None:
    """Both listen there again by themselves."""
    async with two(tmp_path) as (laptop, nas):
        async with hub_of(tmp_path, laptop, nas) as hub:
            await listening(hub, laptop, nas)
        await until(lambda: not has_way(laptop, hub) and not has_way(nas, hub))
        assert not laptop._node.rendezvous.hubs
        async with node.start(tmp_path / "hub") as hub:
            await until(lambda: has_way(laptop, hub) and has_way(nas, hub))
            await listening(hub, laptop, nas)
            with trio.fail_after(LIMIT):
                assert await at(laptop, nas).echo(b"again") == b"again"


# --- where it cannot be


async def test_who_is_not_at_the_hub_is_given_up_at_once_and_it_is_said_why(tmp_path: Path) -> None:
    async with apart(tmp_path) as here:
        await here.nas.node.configure("links.direct", "off")
        await listening(here.hub, here.laptop)
        begun = trio.current_time()
        with pytest.raises(Unreachable) as caught:
            await at(here.laptop, here.nas).echo(b"")
        assert trio.current_time() - begun < FIND_TIME / 2
        said = "tried a rendezvous: the other device does not listen at hub; again in "
        assert said in caught.value.cause
        finding = node_finding(await summary(here.laptop, here.nas))
        assert finding.state == "unreachable"
        assert said in finding.why


async def test_a_call_waits_for_as_long_as_it_says_and_no_longer(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The other end has been asked and has answered, but no link comes about."""
    async with quick(autojump_clock, tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        for each in (here.laptop, here.nas):
            each._node.meetings._pierce = nothing
        begun = trio.current_time()
        with pytest.raises(Unreachable):
            await at(here.laptop, here.nas).echo(b"")
        assert 0 <= round(trio.current_time() - begun - FIND_TIME - REACH_TIME, 3) < 1


async def nothing(known: object) -> None:
    """In place of a data channel."""


async def test_a_node_that_takes_no_knocks_is_waited_for_less_long(tmp_path: Path, autojump_clock: MockClock) -> None:
    """As one that sleeps, and that the hub has not missed yet."""
    async with quick(autojump_clock, tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        here.nas._node.rendezvous._take = lambda knock: None
        begun = trio.current_time()
        with pytest.raises(Unreachable) as caught:
            await at(here.laptop, here.nas).echo(b"")
        assert 0 <= round(trio.current_time() - begun - KNOCK_TIME - REACH_TIME, 3) < 1
        assert "no answer by way of hub within 5 s" in caught.value.cause


async def test_without_any_hub_a_call_fails_after_a_second(tmp_path: Path, autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.005
    async with two(tmp_path) as (laptop, nas):
        await part(nas, laptop)
        begun = trio.current_time()
        with pytest.raises(Unreachable) as caught:
            await at(laptop, nas).echo(b"")
        assert 0 <= round(trio.current_time() - begun - REACH_TIME, 3) < 0.5
        assert caught.value.cause == "no path leads to it from here"


async def test_so_it_does_where_the_hub_has_no_signaling_process(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Nodes with such a relay go on as before: it is asked a few times, and seldom."""
    async with quick(autojump_clock, tmp_path, signals=False) as here:
        await trio.sleep(5)
        begun = trio.current_time()
        with pytest.raises(Unreachable):
            await at(here.laptop, here.nas).echo(b"")
        assert 0 <= round(trio.current_time() - begun - REACH_TIME, 3) < 0.5
        assert await at(here.laptop, here.hub).echo(b"well") == b"well"


@asynccontextmanager
async def quick(clock: MockClock, folder: Path, *, signals: bool = True) -> AsyncIterator[Apart]:
    clock.autojump_threshold = 0.005
    async with apart(folder, signals=signals) as here:
        yield here


async def test_where_direct_links_are_off_nobody_listens(tmp_path: Path) -> None:
    async with apart(tmp_path) as here:
        await listening(here.hub, here.laptop, here.nas)
        await here.nas.node.configure("links.direct", "off")
        await listening(here.hub, here.laptop)
        assert not here.nas._node.rendezvous.hubs


# --- what is sought


async def test_what_is_sought_is_bounded_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path) as (laptop, _):
        inside = laptop._node.meetings
        monkeypatch.setattr(inside, "may_link", lambda address: True)
        begun: list[bytes] = []
        monkeypatch.setattr(inside, "_begin", lambda known, urls: begun.append(known.address))
        addresses = [number.to_bytes(16, "big") for number in range(2 * MAX_SOUGHT)]
        for address in [addresses[0], *addresses]:
            inside.woken_by(address)
        assert list(inside._sought) == addresses[:MAX_SOUGHT]  # what others want pushes nobody out
        assert begun == addresses[:MAX_SOUGHT]  # and is done once in a while
        for hub in ([], [b"h" * 16]):  # what this node has lost itself does so, when it listens at a hub
            monkeypatch.setattr(type(laptop._node.rendezvous), "hubs", hub)
            monkeypatch.setattr(laptop._node.peers, "talked_with", lambda: addresses)
            assert list(inside._sought) == addresses[:MAX_SOUGHT]
            inside.hub_heard()
        assert begun[MAX_SOUGHT:] == addresses
        assert list(inside._sought) == addresses[MAX_SOUGHT:]
        monkeypatch.setattr(laptop._node.peers, "talked_with", list)
        now = trio.current_time()
        monkeypatch.setattr(trio, "current_time", lambda: now + SOUGHT_TIME + 1)
        assert addresses[0] not in [known.address for known in inside._wanted()]
        assert not inside._sought


async def test_over_a_path_that_exists_no_hub_hears_of_a_meeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule: who reach each other exchange their offers over that way."""
    knocks: list[bytes] = []
    monkeypatch.setattr(meetings, "is_installed", lambda: False)
    monkeypatch.setattr(rendezvous.Rendezvous, "_take", lambda self, knock: knocks.append(knock.content))
    async with apart(tmp_path) as here:
        await relaying(here)
        await listening(here.hub, here.laptop, here.nas)
        assert await at(here.lower, here.higher).echo(b"relayed") == b"relayed"
        await until(lambda: here.lower._node.meetings.outcome(here.higher.address).startswith("tried"))
        assert (await at(here.laptop, here.nas).meet(Meeting([]))).reason == ""
        assert not knocks
