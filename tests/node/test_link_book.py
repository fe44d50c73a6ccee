"""Standing links that a person asks for: what is kept, who may ask, and that only this device's user runs commands."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import node
from firefly.errors import Denied, InvalidArgument, NoSuchResource, Unreachable
from firefly.interfaces.core import Node, PairingEventCreated, Role
from node.link_book import MAX_LINKS, MAX_URLS, narrowed, widened
from node.links.manager import UNCERTIFIED_TIME
from node.links.standing import Row
from node.pairing import format_link, parse_link
from tests.node.family import LIMIT, LISTEN, joined, meet

K, L = b"k" * 32, b"l" * 32


@pytest.mark.parametrize(
    ("before", "urls", "key", "after"),
    [
        ([], ["a"], None, [(["a"], None)]),
        ([], ["a", "b", "a"], K, [(["a", "b"], K)]),
        ([(["a"], K)], ["b"], K, [(["a", "b"], K)]),
        ([(["a"], K)], ["b"], L, [(["a"], K), (["b"], L)]),
        ([(["a"], K)], ["b"], None, [(["a"], K), (["b"], None)]),
        ([(["a"], K)], ["a", "b"], None, [(["a", "b"], K)]),
        ([(["a"], None)], ["a"], K, [(["a"], K)]),
        ([(["a", "b"], K)], ["a"], L, [(["b"], K), (["a"], L)]),
        ([(["a"], K)], ["a"], L, [(["a"], L)]),
        ([(["a"], None), (["b"], K)], ["a", "b"], None, [(["a", "b"], K)]),
    ],
)
def test_one_node_is_one_link_and_one_address_one_node(
    before: list[Row], urls: list[str], key: bytes | None, after: list[Row]
) -> None:
    assert widened(before, urls, key) == after
    assert widened(after, urls, key) == after


def test_addresses_of_two_nodes_are_not_put_together_unasked() -> None:
    with pytest.raises(InvalidArgument, match="different nodes"):
        widened([(["a"], K), (["b"], L)], ["a", "b"], None)


@pytest.mark.parametrize(
    ("before", "urls"),
    [
        ([(["a"], K)], [str(number) for number in range(MAX_URLS)]),
        ([([str(number)], None) for number in range(MAX_LINKS)], ["a"]),
    ],
)
def test_there_is_a_bound(before: list[Row], urls: Sequence[str]) -> None:
    with pytest.raises(InvalidArgument, match="at most"):
        widened(before, urls, K)


def test_a_link_without_addresses_is_none() -> None:
    assert narrowed([(["a", "b"], K), (["c"], L)], ["a", "c"]) == [(["b"], K)]


def writes(path: Path) -> str:
    """A command that leaves a trace."""
    return "pipe:" + shlex.join([sys.executable, "-ISc", f"open({str(path)!r}, 'w')"])


async def test_what_is_added_is_kept_over_a_restart_until_it_is_removed(tmp_path: Path) -> None:
    async with node.start(tmp_path / "nas", name="nas", listen=LISTEN) as nas:
        async with joined(tmp_path, nas, "laptop") as laptop:
            [before] = await laptop.node.links_list()
            assert (before.peer, before.state, before.key) == ("nas", "up", nas.key)
        async with node.start(tmp_path / "laptop") as laptop:
            unix = f"unix:{tmp_path / 'nas' / 'control.sock'}"
            link = await laptop.node.links_add([unix], None)
            assert (link.state, link.peer, link.url, link.kind) == ("up", "nas", unix, "unix")
            await meet(laptop, nas)
            await laptop.node.links_remove(before.urls)
        async with node.start(tmp_path / "laptop") as laptop:
            await meet(laptop, nas)
            [link] = await laptop.node.links_list()
            assert link.urls == [unix]
            await laptop.node.links_remove([unix])
            assert await laptop.node.links_list() == []
            with trio.fail_after(LIMIT):
                while nas._node.router.links:  # noqa: ASYNC110 (nobody tells)
                    await trio.sleep(0.01)
            with pytest.raises(NoSuchResource, match="no standing link"):
                await laptop.node.links_remove([unix])
        async with node.start(tmp_path / "laptop") as laptop:
            assert await laptop.node.links_list() == []


async def test_several_addresses_of_an_inviter_make_one_link(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "nas", name="nas", listen=[f"tcp://127.0.0.{host}:0" for host in (1, 2, 3)]) as nas,
        joined(tmp_path, nas, "laptop") as laptop,
    ):
        [link] = await laptop.node.links_list()
        assert len(link.urls) == 3
        assert len(laptop._node.router.links) == 1


async def test_who_listens_nowhere_does_so_after_a_restart_and_invites_nobody(tmp_path: Path) -> None:
    for listen in ([], None):
        async with node.start(tmp_path / "nas", name="nas", listen=listen) as nas:
            assert nas.listening == []
            with pytest.raises(InvalidArgument, match="lead nowhere"):
                async with nas.node.invite("laptop", Role.MEMBER, 60.0, True) as events:
                    await anext(aiter(events))


@pytest.fixture
def clock() -> MockClock:
    """Time at its usual pace, which a test can make jump."""
    return MockClock(rate=1.0)


async def test_a_stranger_is_let_go_and_the_reason_says_so(tmp_path: Path, clock: MockClock) -> None:
    async with (
        node.start(tmp_path / "nas", name="nas", listen=LISTEN) as nas,
        node.start(tmp_path / "other", name="other", listen=[]) as other,
    ):
        assert other.listening == []
        link = await other.node.links_add(nas.listening, None)
        assert (link.state, link.reason) == ("up", "the neighbour has shown no certificate yet")
        clock.jump(UNCERTIFIED_TIME)
        with trio.fail_after(LIMIT):
            while (await other.node.links_list())[0].state == "up":  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        [link] = await other.node.links_list()
        assert "certificate" in link.reason or "closed it" in link.reason
        assert (await other.node.node_status()).links[0].reason == link.reason


@pytest.mark.parametrize(
    ("urls", "what"),
    [
        ([], "no address"),
        (["pigeon:x"], "no transport"),
        (["tcp://nas"], "no tcp address"),
        (["tcp://a:1", "pipe:'x"], "no pipe address"),
    ],
)
async def test_a_wrong_address_is_refused_and_nothing_kept(urls: list[str], what: str, tmp_path: Path) -> None:
    async with node.start(tmp_path / "nas", name="nas", listen=[]) as nas:
        with pytest.raises(InvalidArgument, match=what):
            await nas.node.links_add(urls, None)
        with pytest.raises(InvalidArgument, match="own"):
            await nas.node.links_add(["tcp://127.0.0.1:1"], nas.key)
        assert await nas.node.links_list() == []


async def test_administrators_may_from_afar_but_only_the_local_user_runs_commands(tmp_path: Path) -> None:
    made = tmp_path / "made"
    async with (
        node.start(tmp_path / "nas", name="nas", listen=LISTEN) as nas,
        joined(tmp_path, nas, "laptop") as laptop,
    ):
        from_member = laptop.at(nas.address, nas.address, Node)
        for attempt in (from_member.links_add([writes(made)], None), from_member.links_remove(["tcp://a:1"])):
            with pytest.raises(Denied):
                await attempt
        from_administrator = nas.at(laptop.address, laptop.address, Node)
        for url in (writes(made), f"unix:{tmp_path}/x", "memory:x"):
            with pytest.raises(Denied, match="only this device's own user"):
                await from_administrator.links_add(["tcp://127.0.0.1:1", url], None)
        assert len(await from_administrator.links_list()) == 1
        link = await from_administrator.links_add(["tcp://127.0.0.1:1"], None)
        assert link.state == "waiting"
        assert not made.exists()
        assert (await laptop.node.links_add([writes(made)], None)).reason == "the command exited with 0"
        assert made.exists()


async def test_no_invite_runs_a_command(tmp_path: Path) -> None:
    made = tmp_path / "made"
    async with (
        node.start(tmp_path / "nas", name="nas", listen=LISTEN) as nas,
        node.start(tmp_path / "laptop", listen=[], found=False) as laptop,
    ):
        bad = [writes(made), f"PIPE:{writes(made)}", f" {writes(made)}", f"tcp://127.0.0.1:1\n{writes(made)}"]
        with pytest.raises(Unreachable):
            await laptop.join(format_link(nas.key, bytes(16), bad), "laptop")
        async with nas.node.invite("laptop", Role.MEMBER, 60.0, True) as events:
            event = await anext(aiter(events))
        assert isinstance(event, PairingEventCreated)
        key, secret, addresses = parse_link(event.value.link)
        await laptop.join(format_link(key, secret, [*bad, *addresses]), "laptop")
        [link] = await laptop.node.links_list()
        assert not any(url.startswith("pipe:") for url in link.urls)
    async with node.start(tmp_path / "laptop") as laptop:
        assert not any(url.startswith("pipe:") for link in await laptop.node.links_list() for url in link.urls)
    assert not made.exists()
