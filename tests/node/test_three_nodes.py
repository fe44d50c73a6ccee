"""Calls, streams and objects between three real nodes in a line."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

import firefly
import node
from firefly.errors import Denied, GlowError, Interrupted, NoSuchResource
from firefly.interfaces.core import Node, ProcessKind, Specification
from firefly.runtime import ArgumentStream, current_call
from node.introductions import HELD
from tests.firefly.runtime.probe import Probe, ProbeServer, Thing, ThingServer
from tests.node.family import LIMIT, LISTEN, Family, family, joined, served, until


class Named(ThingServer):
    """An object that knows who called it and when nobody holds it any more."""

    def __init__(self) -> None:
        self.callers: list[bytes] = []
        self.gone = trio.Event()

    def name(self) -> str:
        self.callers.append(current_call().caller.key)
        return "a thing of nas"

    def released(self) -> None:
        assert not self.gone.is_set()
        self.gone.set()


class Maker(ProbeServer):
    def __init__(self) -> None:
        self.things: list[Named] = []

    def make(self) -> Named:
        self.things.append(Named())
        return self.things[-1]

    async def count(self, number: int) -> AsyncIterator[int]:
        for value in range(number):
            yield value

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        return number + sum([item async for item in items])


class Taker(ProbeServer):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Thing] = []

    def take(self, thing: Thing, more: list[Thing]) -> str:
        self.taken.append(thing)
        return "taken"


async def test_calls_and_streams_cross_the_relay(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        probe = await served(all_three.nas, Maker(), all_three.laptop, Probe)
        assert [item async for item in probe.count(1000)] == list(range(1000))
        assert await probe.total(1, range(1000)) == 1 + sum(range(1000))
        hops = await all_three.laptop.node.route(all_three.nas.address)
        assert [hop.name for hop in hops] == ["laptop", "relay", "nas"]


async def handed_on(all_three: Family) -> tuple[Named, Thing, Taker]:
    """laptop holds an object of nas and hands it on to relay."""
    maker, taker = Maker(), Taker()
    made = await (await served(all_three.nas, maker, all_three.laptop, Probe)).make()
    assert await (await served(all_three.relay, taker, all_three.laptop, Probe)).take(made) == "taken"
    return maker.things[0], made, taker


async def test_an_object_that_is_handed_on_is_used_with_the_rights_of_the_giver(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        thing, made, taker = await handed_on(all_three)
        [held] = taker.taken
        assert held._node == all_three.nas.address
        assert await made.name() == await held.name() == "a thing of nas"
        laptop = (await all_three.laptop.node.node_status()).key
        assert thing.callers == [laptop, laptop]


@pytest.mark.parametrize("how", ["released", "collected"])
async def test_it_lives_until_the_last_of_its_holders_lets_go(tmp_path: Path, how: str) -> None:
    async with family(tmp_path) as all_three:
        thing, made, taker = await handed_on(all_three)
        held = taker.taken.pop()
        assert await held.name()
        made.release()
        with pytest.raises(NoSuchResource):
            await all_three.laptop.at(made._node, made._resource, Thing).name()
        assert not thing.gone.is_set()
        assert await held.name() == "a thing of nas"
        if how == "released":
            held.release()
        else:
            del held
            gc.collect()
        with trio.fail_after(LIMIT):
            await thing.gone.wait()


async def test_it_lives_on_when_the_giver_is_gone_and_ends_with_its_holder(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        thing, _, taker = await handed_on(all_three)
        [held] = taker.taken
        assert await held.name()
        nas = all_three.nas._node
        of = {peer.peer.address: session for session, peer in nas.peers._conversations.items()}
        of[all_three.laptop.address].close("lost", trio.current_time())
        await until(lambda: all_three.laptop.address not in nas.peers._open)
        assert await held.name() == "a thing of nas"
        of[all_three.relay.address].close("lost", trio.current_time())
        with trio.fail_after(LIMIT):
            await thing.gone.wait()
        with pytest.raises((Interrupted, NoSuchResource)):
            await held.name()


async def test_an_introduced_id_is_of_no_use_to_anybody_else(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        _, _, taker = await handed_on(all_three)
        [held] = taker.taken
        stolen = all_three.laptop.at(held._node, held._resource, Thing)
        for _ in range(2):  # before and after its first use
            with pytest.raises(NoSuchResource):
                await stolen.name()
            assert await held.name()


async def test_an_introduction_that_nobody_uses_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HELD == 60
    monkeypatch.setattr("node.introductions.HELD", 0.05)
    async with family(tmp_path) as all_three:
        thing, made, taker = await handed_on(all_three)
        made.release()
        with trio.fail_after(LIMIT):
            await thing.gone.wait()
        with pytest.raises(NoSuchResource):
            await taker.taken[0].name()


@pytest.mark.parametrize("where", ["giver", "receiver", "owner"])
async def test_attached_programs_hand_on_as_nodes_do(tmp_path: Path, where: str) -> None:
    async with family(tmp_path) as all_three:
        maker, taker = Maker(), Taker()
        node_of = {"giver": all_three.laptop, "receiver": all_three.relay, "owner": all_three.nas}
        async with firefly.connect(tmp_path / node_of[where].name) as program:
            owner = program if where == "owner" else all_three.nas
            receiver = program if where == "receiver" else all_three.relay
            giver = program if where == "giver" else all_three.laptop
            made_at = giver.at(all_three.nas.address, await owner.serve("maker", maker), Probe)
            taken_at = giver.at(all_three.relay.address, await receiver.serve("taker", taker), Probe)
            made = await made_at.make()
            assert await taken_at.take(made) == "taken"
            held = taker.taken.pop()
            assert await held.name() == "a thing of nas"
            made.release()
            assert await held.name() == "a thing of nas"
            assert not maker.things[0].gone.is_set()
            held.release()
            with trio.fail_after(LIMIT):
                await maker.things[0].gone.wait()


async def test_members_change_nothing_and_programs_are_members(tmp_path: Path) -> None:
    """laptop and nas joined as members; relay is the administrator."""
    async with family(tmp_path) as all_three:
        relay = all_three.laptop.at(all_three.relay.address, all_three.relay.address, Node)
        specification = Specification(
            label="files", kind=ProcessKind.BUILTIN, program="filesystem", configuration={"root": str(tmp_path)}
        )

        async def invite(at: Node) -> None:
            async with at.invite("thief") as events:
                await anext(aiter(events))

        attempts: list[Callable[[Node], Any]] = [
            lambda at: at.create(specification),
            lambda at: at.kill(bytes(16)),
            invite,
            lambda at: at.confirm(bytes(16), True),
            lambda at: at.join("glow:join", "thief"),
            lambda at: at.stop(),
        ]
        for attempt in attempts:
            with pytest.raises(Denied):
                await attempt(relay)
        status = await relay.node_status()
        assert {known.name for known in status.nodes} == {"laptop", "relay", "nas"}
        assert await all_three.relay.node.create(specification)  # the same, by who may


async def test_a_program_that_ends_takes_back_what_it_asked_for_and_what_it_holds(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        began, cancelled = trio.Event(), trio.Event()

        class Waiting(Maker):
            async def echo(self, data: bytes) -> bytes:
                began.set()
                try:
                    await trio.sleep_forever()
                finally:
                    cancelled.set()
                return data

        maker = Waiting()
        resource = await all_three.nas.serve("maker", maker)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery, firefly.connect(tmp_path / "laptop") as program:
                probe = program.at(all_three.nas.address, resource, Probe)
                kept = await probe.make()
                assert await kept.name()
                nursery.start_soon(probe.echo, b"")
                await began.wait()
                scope.cancel()
        with trio.fail_after(LIMIT):
            await cancelled.wait()
            await maker.things[0].gone.wait()


async def test_a_node_that_stops_tells_who_waits_for_it(tmp_path: Path) -> None:
    began, failed = trio.Event(), trio.Event()
    caught: list[GlowError] = []

    class Waiting(Maker):
        async def once(self, number: int) -> int:
            began.set()
            await trio.sleep_forever()
            return number

    async def call(probe: Probe) -> None:
        try:
            await probe.once(1)
        except GlowError as error:
            caught.append(error)
            failed.set()

    async with node.start(tmp_path / "relay", name="relay", listen=LISTEN) as relay, trio.open_nursery() as nursery:
        async with joined(tmp_path, relay, "nas") as nas:
            nursery.start_soon(call, await served(nas, Waiting(), relay, Probe))
            await began.wait()
        with trio.fail_after(LIMIT):
            await failed.wait()
        assert isinstance(caught[0], Interrupted)
        assert "stopping" in f"{caught[0].message} {caught[0].cause}", caught
