"""Two people's devices and a hub that both use: what crosses, what does not, and what the hub may know."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

import node
from firefly.address import format_address
from firefly.errors import Denied, Unreachable
from firefly.interfaces.core import InviteRefused, Node, PairingEventCreated, Role
from node.cli.output import Output
from node.cli.status import text_of
from tests.firefly.runtime.probe import ProbeServer
from tests.node.family import LIMIT, LISTEN, joined, meet, until


@dataclass
class Neighbours:
    """`ann` and `phone` are Ann's, `bea` is Bea's."""

    ann: node.RunningNode
    phone: node.RunningNode
    bea: node.RunningNode
    hub: node.RunningNode


async def link_for(inviter: node.RunningNode, role: Role) -> str:
    async with inviter.node.invite("", role, 60.0, True) as events:
        event = await anext(aiter(events))
    assert isinstance(event, PairingEventCreated)
    return event.value.link


@asynccontextmanager
async def neighbours(folder: Path) -> AsyncIterator[Neighbours]:
    async with (
        node.start(folder / "ann", name="ann", listen=LISTEN) as ann,
        joined(folder, ann, "phone") as phone,
        node.start(folder / "bea", name="bea", listen=LISTEN) as bea,
        node.start(folder / "hub", listen=LISTEN, found=False) as hub,
    ):
        for person in (ann, bea):
            await hub.join(await link_for(person, Role.RELAY), "hub")
            await meet(person, hub)
        yield Neighbours(ann, phone, bea, hub)


def at(user: node.RunningNode, owner: node.RunningNode) -> Node:
    return user.at(owner.address, owner.address, Node)


async def test_devices_of_two_people_reach_each_other_by_a_hub(tmp_path: Path) -> None:
    """From behind another device, too, and in both directions."""
    async with neighbours(tmp_path) as here:
        for user, owner in ((here.phone, here.bea), (here.bea, here.phone), (here.ann, here.bea)):
            assert await at(user, owner).echo(b"over the hub") == b"over the hub"
        counters = (await here.hub.node.node_status()).counters
        assert counters["crossed"] > 6
        assert not counters.get("crossing_refused")


async def test_nobody_from_another_namespace_may_do_anything(tmp_path: Path) -> None:
    """An echo shows that a device is on; nothing else is answered, whoever asks."""
    async with neighbours(tmp_path) as here:
        for user, owner in ((here.bea, here.phone), (here.hub, here.bea)):
            node_of = at(user, owner)
            for call in (
                node_of.status,
                node_of.node_status,
                node_of.processes,
                node_of.links_list,
                node_of.records,
                node_of.metrics,
                node_of.configuration,
                node_of.stop,
                lambda node_of=node_of: node_of.resolve("self"),
                lambda node_of=node_of, owner=owner: node_of.resources(owner.address),
                lambda node_of=node_of, owner=owner: node_of.route(owner.address),
                lambda node_of=node_of: node_of.join("glow-join:x"),
                lambda node_of=node_of: node_of.links_add(["tcp://127.0.0.1:1"]),
            ):
                with pytest.raises(Denied):
                    await call()


async def test_a_hub_knows_who_is_there_and_neither_names_nor_resources(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as here:
        await here.bea.serve("secret-name", ProbeServer())
        inside = here.hub._node
        assert set(inside.mesh.areas) == {here.ann._node.namespace, here.bea._node.namespace}
        assert inside.namespace == here.ann._node.namespace
        for directory in inside.directories.values():
            assert directory.secret is None
            assert [(entry.label, entry.contents.resources) for entry in directory.entries()] == [
                ("", []) for _ in directory.entries()
            ]
        status = await here.hub.node.node_status()
        assert status.serves == [here.bea._node.namespace]
        assert "serves" in text_of(status, Output(Namespace(json=False, jsonl=False, quiet=False, verbose=False)))


async def test_a_hub_is_a_hub_again_after_a_restart(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "ann", name="ann", listen=LISTEN) as ann,
        node.start(tmp_path / "bea", name="bea", listen=LISTEN) as bea,
    ):
        async with node.start(tmp_path / "hub", listen=LISTEN, found=False) as hub:
            for person in (ann, bea):
                await hub.join(await link_for(person, Role.RELAY), "hub")
            await until(lambda: ann._node.mesh.hub_for(bea.address))
        async with node.start(tmp_path / "hub", listen=LISTEN, found=False):
            await until(lambda: ann._node.mesh.hub_for(bea.address))
            assert await at(ann, bea).echo(b"again") == b"again"


async def test_without_the_hub_nothing_leads_there(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "ann", name="ann", listen=LISTEN) as ann,
        node.start(tmp_path / "bea", name="bea", listen=LISTEN) as bea,
    ):
        with pytest.raises(Unreachable):
            await at(ann, bea).echo(b"")


async def test_a_device_of_one_namespace_can_be_no_member_of_another(tmp_path: Path) -> None:
    """The invite stays valid, and says how it is done."""
    async with neighbours(tmp_path) as here:
        link = await link_for(here.bea, Role.MEMBER)
        for device in (here.ann, here.phone):
            with pytest.raises(InviteRefused, match="--role relay"):
                await device.node.join(link, "x")
        async with node.start(tmp_path / "new", listen=LISTEN, found=False) as new:
            await new.join(link, "new")
            assert (await new.node.node_status()).role == Role.MEMBER


async def test_a_device_stays_what_it_is_in_its_own_namespace(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as here:
        link = await link_for(here.ann, Role.RELAY)
        with pytest.raises(InviteRefused, match="belongs to this namespace already"):
            await here.phone.node.join(link, "x")
        assert (await here.phone.node.node_status()).role == Role.MEMBER


async def test_much_crosses_when_it_is_answered(tmp_path: Path) -> None:
    """More than a pair may send without answers, and all of it right."""
    async with neighbours(tmp_path) as here:
        far = at(here.phone, here.bea)
        payloads = [bytes([number]) * 65536 for number in range(200)]

        async def ask(payload: bytes) -> None:
            assert await far.echo(payload) == payload

        async with trio.open_nursery() as nursery:
            for payload in payloads:
                nursery.start_soon(ask, payload)
        counters = (await here.hub.node.node_status()).counters
        assert counters["crossed_bytes"] > 2 * 65536 * len(payloads)


async def test_a_hub_that_goes_costs_nothing_where_there_is_another(tmp_path: Path) -> None:
    """The session stays the same one: calls under way wait for the other hub."""
    async with (
        node.start(tmp_path / "ann", name="ann", listen=LISTEN) as ann,
        node.start(tmp_path / "bea", name="bea", listen=LISTEN) as bea,
        node.start(tmp_path / "second", listen=LISTEN, found=False) as second,
    ):
        async with node.start(tmp_path / "first", listen=LISTEN, found=False) as first:
            for hub in (first, second):
                for person in (ann, bea):
                    await hub.join(await link_for(person, Role.RELAY), "hub")
                    await meet(person, hub)
            assert await at(ann, bea).echo(b"before") == b"before"
            session = ann._node.peers.sessions.find(bea.address)
        for number in range(20):
            assert await at(ann, bea).echo(bytes([number])) == bytes([number])
        assert ann._node.peers.sessions.find(bea.address) is session
        assert ann._node.mesh.hub_for(bea.address) == second.address


@asynccontextmanager
async def stranger(folder: Path, hub: node.RunningNode, name: str) -> AsyncIterator[node.RunningNode]:
    """A node of a namespace of its own, which uses the hub of others."""
    async with node.start(folder / name, name=name, listen=LISTEN) as glow:
        await glow.node.configure("hub.uses", f'["{format_address(hub.address)}"]')
        await glow.node.links_add([hub.listening[0]])
        yield glow


async def test_an_open_hub_serves_nodes_of_namespaces_that_it_is_not_in(tmp_path: Path) -> None:
    """Each with those that it serves as a relay, with each other, and nothing of what is behind them."""
    async with neighbours(tmp_path) as here:
        await here.hub.node.configure("hub.admits", "open")
        async with stranger(tmp_path, here.hub, "cem") as cem, stranger(tmp_path, here.hub, "dan") as dan:
            await until(lambda: here.phone._node.mesh.hub_for(dan.address) == here.hub.address)
            for user, owner in ((cem, here.phone), (here.phone, dan), (cem, dan), (cem, here.hub), (here.hub, dan)):
                assert await at(user, owner).echo(b"by an open hub") == b"by an open hub"
            [link] = (await cem.node.node_status()).links
            assert (link.certified, link.admitted, "hub of others" in link.reason) == (False, True, True)
            with pytest.raises(Denied):
                await at(cem, here.phone).node_status()


async def test_a_hub_that_is_open_no_more_ends_those_links(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as here:
        await here.hub.node.configure("hub.admits", "open")
        async with stranger(tmp_path, here.hub, "cem") as cem:
            assert await at(cem, here.bea).echo(b"1") == b"1"
            await here.hub.node.configure("hub.admits", "mine")
            await until(lambda: not any(link.admitted for link in here.hub._node.router.links))
            assert (await here.hub.node.node_status()).counters["crossed"]
            assert not any(link.peer_address == cem.address and link.certified for link in here.hub._node.router.links)


async def test_a_hub_that_is_not_open_serves_no_stranger(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as here, stranger(tmp_path, here.hub, "cem") as cem:
        counters = here.hub._node.router.counters
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at(cem, here.bea).echo, b"1")
            await until(lambda: counters["uncertified"])
            nursery.cancel_scope.cancel()
        assert not counters["crossed"]


async def grant(hub: node.RunningNode, *nodes: node.RunningNode) -> None:
    await hub.node.configure("hub.granted", " ".join(format_address(each.address) for each in nodes) or "none")


def refusal(refused: node.RunningNode) -> str:
    """What a node that uses a hub of others is told of it."""
    [standing] = refused._node.links.standing.all
    return standing.reason if "ask for" in standing.reason else ""


@asynccontextmanager
async def granting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Neighbours, node.RunningNode, node.RunningNode]]:
    """A hub that serves whom its owner lists, and two others that use it."""
    async with neighbours(tmp_path) as here:
        monkeypatch.setattr("node.links.manager.UNCERTIFIED_TIME", 0.1)
        await here.hub.node.configure("hub.admits", "granted")
        async with stranger(tmp_path, here.hub, "cem") as cem, stranger(tmp_path, here.hub, "dan") as dan:
            yield here, cem, dan


async def test_a_hub_that_grants_serves_those_of_others_whom_its_owner_has_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are told what to ask for, and are served as soon as they are listed."""
    async with granting(tmp_path, monkeypatch) as (here, cem, dan):
        await grant(here.hub, cem)
        await until(lambda: here.phone._node.mesh.hub_for(cem.address) == here.hub.address)
        for user, owner in ((cem, here.phone), (here.phone, cem), (cem, here.hub)):
            assert await at(user, owner).echo(b"by a grant") == b"by a grant"
        await until(lambda: refusal(dan))
        assert f"ask for {format_address(dan.address)} in hub.granted" in refusal(dan)
        assert not _serves(here.hub, dan)
        await grant(here.hub, cem, dan)
        await until(lambda: _serves(here.hub, dan))
        assert await at(dan, cem).echo(b"by a grant, too") == b"by a grant, too"


def _serves(hub: node.RunningNode, other: node.RunningNode) -> bool:
    return any(link.admitted and link.peer_address == other.address for link in hub._node.router.links)


async def test_who_is_taken_off_the_list_loses_its_link_and_is_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once. Who is still listed notices nothing."""
    async with granting(tmp_path, monkeypatch) as (here, cem, dan):
        await grant(here.hub, cem, dan)
        for other in (cem, dan):
            await until(lambda other=other: _serves(here.hub, other))
            assert await at(other, here.bea).echo(b"1") == b"1"
        [kept] = [link for link in dan._node.router.links if link.admitted]
        await grant(here.hub, dan)
        await until(lambda: refusal(cem))
        assert not _serves(here.hub, cem)
        assert await at(dan, here.bea).echo(b"2") == b"2"
        assert not kept.reason


async def test_a_hub_that_grants_keeps_nobody_waiting_at_its_door_though_it_belongs_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.links.manager.UNCERTIFIED_TIME", 0.1)
    async with node.start(tmp_path / "hub", listen=LISTEN, found=False) as hub:
        await hub.node.configure("hub.admits", "granted")
        async with stranger(tmp_path, hub, "cem") as cem:
            await until(lambda: refusal(cem))
            await grant(hub, cem)
            await until(lambda: _serves(hub, cem))


async def test_a_call_of_a_node_that_a_hub_refuses_says_what_its_owner_can_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with neighbours(tmp_path) as here:
        monkeypatch.setattr("node.links.manager.UNCERTIFIED_TIME", 0.1)
        await here.hub.node.configure("hub.admits", "granted")
        async with stranger(tmp_path, here.hub, "cem") as cem:
            await until(lambda: refusal(cem))
            assert (await cem.node.resolve(format_address(here.bea.address))).node == here.bea.address
            with trio.fail_after(LIMIT):
                while True:
                    with pytest.raises(Unreachable) as caught:  # while the link is up for a moment it says less
                        await at(cem, here.bea).echo(b"1")
                    if f"ask for {format_address(cem.address)} in hub.granted" in caught.value.cause:
                        break
            assert cem._node.peers.no_path(cem.address) == "no path leads to it from here"
