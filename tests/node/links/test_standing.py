"""Standing links: which address is dialled when, and that one link to a node is enough."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from firefly.errors import BadHandshake
from firefly.keys import NodeKey
from node.links import LinkError
from node.links.race import HEAD_START
from node.links.standing import BACK_OFF, EAGER, STABLE, StandingLinks, in_order
from tests.node.links.neighbours import WAIT, Neighbour, listening


@pytest.fixture
def clock() -> MockClock:
    """Virtual time; what is sent inside one OS process has arrived before it goes on."""
    return MockClock(autojump_threshold=0)


async def until(holds: Callable[[], Any]) -> None:
    with trio.fail_after(10 * WAIT):
        while not holds():  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.01)


class Addresses:
    """Stands in for the network: what each address does when it is dialled, and when that was."""

    def __init__(self, **behaviour: Callable[[], Any]) -> None:
        self.behaviour = behaviour
        self.dialled: list[tuple[str, float]] = []

    async def connect(self, url: str, expected: bytes | None, made: Any) -> None:
        self.dialled.append((url, trio.current_time()))
        await self.behaviour[url]()


async def refuses() -> None:
    raise LinkError("nothing answers", "refused", "switch it on")


async def breaks() -> None:
    raise ZeroDivisionError("oh")


async def test_the_pauses_double_from_a_fifth_of_a_second_to_half_a_minute_with_jitter(clock: MockClock) -> None:
    addresses = Addresses(a=refuses)
    async with trio.open_nursery() as nursery:
        StandingLinks(addresses.connect, [], nursery).keep(["a"], None)
        await until(lambda: len(addresses.dialled) == 14)
        nursery.cancel_scope.cancel()
    times = [time for _, time in addresses.dialled]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    longest = [min(BACK_OFF[0] * 2**number, BACK_OFF[1]) for number in range(13)]
    assert all(most / 2 <= pause <= most * 1.01 for pause, most in zip(pauses, longest, strict=True))
    assert len({round(pause / most, 3) for pause, most in zip(pauses, longest, strict=True)}) > 5


async def test_every_reason_is_said_with_the_first_hint(clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        links = StandingLinks(Addresses(a=refuses, b=breaks).connect, [], nursery)
        standing = links.keep(["a", "b"], None)
        await standing.tried.wait()
        assert standing.state == "waiting"
        assert standing.reason == "a: nothing answers: refused; b: this node failed: ZeroDivisionError: oh"
        assert standing.hint == "switch it on"
        assert standing.next_attempt is not None
        other = links.keep(["c"], None)  # KeyError in the stand-in: whatever fails, the others go on
        await other.tried.wait()
        assert "KeyError" in other.reason
        nursery.cancel_scope.cancel()


async def test_the_next_address_is_dialled_after_a_quarter_of_a_second_or_a_failure(clock: MockClock) -> None:
    addresses = Addresses(a=trio.sleep_forever, b=refuses, c=trio.sleep_forever)
    async with trio.open_nursery() as nursery:
        StandingLinks(addresses.connect, [], nursery).keep(["a", "b", "c"], None)
        begun = trio.current_time()
        await until(lambda: len(addresses.dialled) == 3)
        nursery.cancel_scope.cancel()
    assert [(url, round(time - begun, 2)) for url, time in addresses.dialled] == [
        ("a", 0.0),
        ("b", HEAD_START),
        ("c", HEAD_START),
    ]


async def test_hurry_and_new_addresses_end_the_pause(clock: MockClock) -> None:
    addresses = Addresses(a=refuses, b=refuses)
    async with trio.open_nursery() as nursery:
        links = StandingLinks(addresses.connect, [], nursery)
        standing = links.keep(["a"], b"key")
        await until(lambda: len(addresses.dialled) == 12)  # the pause is 15 s at least now
        now = trio.current_time()
        assert links.keep(["a", "b"], b"key") is standing
        await standing.tried.wait()
        assert [url for url, _ in addresses.dialled[-2:]] == ["a", "b"]
        assert trio.current_time() - now < 1
        nursery.cancel_scope.cancel()


async def test_pauses_are_short_while_something_waits_for_a_path(clock: MockClock) -> None:
    addresses = Addresses(a=refuses)
    waits = False
    async with trio.open_nursery() as nursery:
        links = StandingLinks(addresses.connect, [], nursery)
        links.eager = lambda: waits
        links.keep(["a"], None)
        await until(lambda: len(addresses.dialled) == 12)  # the pause is 15 s at least now
        waits, now = True, trio.current_time()
        await until(lambda: len(addresses.dialled) == 16)
        nursery.cancel_scope.cancel()
    assert trio.current_time() - now == pytest.approx(4 * EAGER, abs=0.1)


def test_ipv6_goes_first_and_nothing_twice() -> None:
    urls = ["tcp://10.0.0.1:1", "pipe:x", "tcp://[fe80::1]:1", "tcp://10.0.0.1:1", "tcp://[::1]:1"]
    assert in_order(urls) == ("tcp://[fe80::1]:1", "tcp://[::1]:1", "tcp://10.0.0.1:1", "pipe:x")


async def test_of_several_addresses_the_one_that_answers_is_linked_once(tmp_path: Path, clock: MockClock) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        second = (await owner.manager.listen(f"memory:{tmp_path}/second")).announced
        standing = dialler.manager.standing.keep(["memory:nobody", owner.url, second], owner.key.public)
        await standing.tried.wait()
        assert (standing.state, standing.reason) == ("up", "")
        assert standing.link is not None
        assert standing.link.url == owner.url
        await trio.sleep(60)
        assert len(owner.ups) == len(dialler.ups) == len(owner.router.links) == 1


async def test_another_node_at_one_address_does_not_keep_from_the_others(tmp_path: Path, clock: MockClock) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        wrong = Neighbour(dialler._nursery, tmp_path)
        url = (await wrong.manager.listen("memory:wrong")).announced
        standing = dialler.manager.standing.keep([url, owner.url], owner.key.public)
        await standing.tried.wait()
        assert (standing.state, standing.peer) == ("up", owner.key.public)
        assert not wrong.ups


@pytest.mark.parametrize("known", [True, False], ids=["known", "anybody"])
async def test_two_that_dial_each_other_settle_on_one_link(tmp_path: Path, clock: MockClock, known: bool) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        back = (await dialler.manager.listen(f"memory:{tmp_path}/back")).announced
        dialler.manager.standing.keep([owner.url], owner.key.public if known else None)
        owner.manager.standing.keep([back], dialler.key.public if known else None)
        await settled(owner, dialler)


async def test_two_standing_links_that_lead_to_one_node_settle_on_one_link(tmp_path: Path, clock: MockClock) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        second = (await owner.manager.listen(f"memory:{tmp_path}/second")).announced
        for url in (owner.url, second):
            dialler.manager.standing.keep([url], None)
        await settled(owner, dialler)
        assert {standing.state for standing in dialler.manager.standing.all} == {"up"}


@pytest.mark.parametrize("certified", [True, False])
async def test_a_link_that_was_of_use_is_dialled_anew_at_once_whatever_was_lost_before(
    tmp_path: Path, clock: MockClock, certified: bool
) -> None:
    async with listening("memory", tmp_path, certifies=certified) as (owner, dialler):
        standing = dialler.manager.standing.keep([owner.url], owner.key.public)
        for number in range(1, 7):
            await dialler.until(lambda count=number: len(dialler.ups) == count)
            await trio.sleep(STABLE * 1.1)
            owner.ups[-1].close("lost")
        lost = trio.current_time()
        await until(lambda: standing.state == "waiting")
        await until(lambda: standing.state == "up")
        assert (trio.current_time() - lost < 2 * BACK_OFF[0]) is certified


async def settled(one: Neighbour, other: Neighbour) -> None:
    """Waits a minute, in which links may be made and ended; then there is one, and no more comes or goes."""
    await trio.sleep(60)
    before = len(one.ups)
    await trio.sleep(300)
    assert len(one.ups) == before < 8
    assert len(one.router.links) == len(other.router.links) == 1


async def test_a_forgotten_one_ends_and_one_that_another_side_made_stays(tmp_path: Path, clock: MockClock) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        standing = dialler.manager.standing.keep([owner.url], owner.key.public)
        await standing.tried.wait()
        dialler.manager.standing.follow([])
        await owner.until(lambda: owner.downs)
        await trio.sleep(60)
        assert not owner.router.links
        link = await owner.manager.dial((await dialler.manager.listen(f"memory:{tmp_path}/back")).announced, None)
        standing = dialler.manager.standing.keep([owner.url], owner.key.public)
        await standing.tried.wait()
        assert standing.state == "up"  # the node is linked already: nothing needs dialling
        dialler.manager.standing.follow([])
        await trio.sleep(60)
        assert link in owner.router.links


async def test_a_link_that_is_up_ends_when_its_address_or_node_is_no_longer_meant(
    tmp_path: Path, clock: MockClock
) -> None:
    async with listening("memory", tmp_path) as (owner, dialler):
        second = (await owner.manager.listen(f"memory:{tmp_path}/second")).announced
        standing = dialler.manager.standing.keep([owner.url, second], None)
        await standing.tried.wait()
        dialler.manager.standing.follow([([second], None)])
        await dialler.until(lambda: len(dialler.ups) == 2)
        assert dialler.ups[-1].url == second
        dialler.manager.standing.follow([([second], NodeKey.generate().public)])
        await until(lambda: "another node answers there" in standing.reason)
        assert not dialler.router.links


async def test_dialling_oneself_is_said(tmp_path: Path, clock: MockClock) -> None:
    async with listening("memory", tmp_path) as (owner, _):
        standing = owner.manager.standing.keep([owner.url], None)
        await until(lambda: standing.reason)
        assert standing.reason == "it leads to this node itself"
        assert standing.hint


async def test_a_service_that_is_not_glow_is_quoted_and_ends_nothing(tmp_path: Path) -> None:
    async def greet(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"SSH-2.0-OpenSSH_9.6\r\n")
            await stream.receive_some(1)

    async with listening("tcp", tmp_path) as (_, dialler):
        listeners = await dialler._nursery.start(partial(trio.serve_tcp, greet, 0, host="127.0.0.1"))
        url = f"tcp://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        with pytest.raises(BadHandshake, match="not Glow") as caught:
            await dialler.manager.dial(url, None)
        assert caught.value.cause == "it began with 'SSH-2.0-OpenSSH_9.6'"
        standing = dialler.manager.standing.keep([url], None)
        await standing.tried.wait()
        assert "SSH-2.0-OpenSSH_9.6" in standing.reason
