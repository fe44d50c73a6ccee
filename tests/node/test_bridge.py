"""Attached programs call each other through their nodes as if they were one program.

program -socket- node A =direct= node B -socket- program: everything but the sessions and links between the nodes is
real, and those have tests of their own.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.lowlevel
from msgspec import Raw
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly import client
from firefly.address import address_of
from firefly.attachment import Attach, AttachedNotify, AttachedRequest, Register, encode, pack_frame
from firefly.credit import MAX_WINDOWS
from firefly.errors import (
    Busy,
    CallCancelled,
    DeadlineExceeded,
    Denied,
    GlowError,
    Interrupted,
    NoSuchResource,
    Unreachable,
)
from firefly.interfaces.core import Resource
from firefly.keys import NodeKey
from firefly.loopback import Loopback
from firefly.messages import INLINE_LIMIT, RESULTS, Item
from firefly.rpc import Conversation
from firefly.runtime import ArgumentStream, Caller, Workers, current_call, deadline, open_workers
from node.attachment import Attachment, Program
from node.peers import Peers
from node.router import Router
from tests.firefly.runtime.probe import Conflict, Probe, ProbeServer, Thing, ThingServer

SPACE = b"s" * 32
ID = b"the probe's id.."


class DirectPeers(Peers):
    """A node's conversations, with direct ones in the place of sessions."""

    def __init__(self, key: NodeKey, workers: Workers) -> None:
        router = Router(key.address, trio.current_time)
        super().__init__(key, router, workers, self._caller, bytes(8))
        self.ends: dict[bytes, Conversation] = {}
        self.reachable: dict[bytes, DirectPeers] = {}
        self.arrived = trio.Event()

    def _caller(self, public: bytes) -> Caller:
        return Caller(public, SPACE, 2, address_of(public))

    def connect(self, other: DirectPeers) -> None:
        pair = Loopback(
            self.host,
            other.host,
            trio.current_time,
            caller_is=self.caller_of(self.key.public),
            owner_is=self.caller_of(other.key.public),
        )
        self.ends[other.address], other.ends[self.address] = pair.caller, pair.owner

    def cut(self, other: DirectPeers) -> None:
        for end in (self.ends.pop(other.address), other.ends.pop(self.address)):
            end.close(Interrupted("the session was lost"))

    def peer(self, node: bytes) -> Conversation | None:
        return super().peer(node) if node == self.address else self.ends.get(node)

    async def reach(self, node: bytes) -> Conversation:
        await self.arrived.wait()
        if node not in self.ends:
            if node not in self.reachable:
                raise Unreachable("the node cannot be reached")
            self.connect(self.reachable[node])
        return self.ends[node]


class World:
    """Two nodes; programs attach to them."""

    def __init__(self, workers: Workers, nursery: trio.Nursery) -> None:
        self.a, self.b = (DirectPeers(NodeKey(bytes([index]) * 32), workers) for index in (1, 2))
        self.a.reachable[self.b.address] = self.b
        self.a.arrived.set()
        self.a.connect(self.b)
        self._workers = workers
        self._nursery = nursery
        self.attachments: list[Attachment] = []

    async def attach(self, node: DirectPeers, program: Program | None = None) -> client.Attachment:
        near, far = socket.socketpair()
        attachment = Attachment(node, far, program=program)
        self.attachments.append(attachment)
        inside = client.Attachment(near, self._workers)
        self._nursery.start_soon(attachment.run)
        self._nursery.start_soon(inside.run)
        await inside.attach(program.token if program is not None else b"")
        return inside

    def raw(self, node: DirectPeers) -> socket.socket:
        """A program that says what no honest one would."""
        near, far = socket.socketpair()
        attachment = Attachment(node, far)
        self.attachments.append(attachment)
        self._nursery.start_soon(attachment.run)
        near.sendall(pack_frame(encode([Attach(1, b"")])))
        return near


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_workers() as workers, trio.open_nursery() as nursery:
        yield World(workers, nursery)
        nursery.cancel_scope.cancel()


class Named(ThingServer):
    def __init__(self, name: str) -> None:
        self._name = name
        self.pokes: list[int] = []
        self.gone = 0

    def name(self) -> str:
        return self._name

    def poke(self, number: int) -> None:
        self.pokes.append(number)

    def released(self) -> None:
        self.gone += 1


class Serving(ProbeServer):
    """What the program at the far end serves."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.notes: list[int] = []
        self.cancelled = 0
        self.closed = 0
        self.given = 0
        self.go = trio.Event()
        self.made: list[Named] = []
        self.kept: list[Thing] = []

    def echo(self, data: bytes) -> bytes:
        self.callers.append(current_call().caller)
        return data

    async def once(self, number: int) -> int:
        if number == 0:
            raise Conflict("settings", 5)
        if number < 0:
            raise ValueError("a secret")
        try:
            await trio.sleep(number)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return number

    def note(self, number: int) -> None:
        self.notes.append(number)

    async def fill(self, data: bytes) -> None:
        await self.go.wait()
        self.notes.append(len(data))

    async def count(self, number: int) -> AsyncIterator[int]:
        try:
            for self.given in range(number):
                yield self.given
        finally:
            self.closed += 1

    async def read(self, number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield bytes(60_000)

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        total = 0
        try:
            async for item in items:
                total += item
                if item == number:
                    return -1
        finally:
            self.closed += 1
        return total

    async def pipe(self, items: ArgumentStream[int]) -> AsyncIterator[int]:
        async for item in items:
            yield 2 * item

    def make(self) -> Any:
        self.made.append(Named(f"made {len(self.made)}"))
        return self.made[-1]

    async def take(self, thing: Thing, more: list[Thing]) -> str:
        self.kept += [thing, *more]
        return " ".join([await each.name() for each in self.kept])

    async def hint(self, thing: Thing, more: list[Thing]) -> None:
        self.kept.append(thing)
        await thing.poke(7)


class Between:
    """A caller's program, a serving one, and the client of it; `where` they are is one node or two."""

    def __init__(self, world: World, calling: client.Attachment, owning: client.Attachment) -> None:
        self.world = world
        self.calling = calling
        self.owning = owning
        self.server = Serving()
        self.probe: Probe

    def open(self, resource: bytes) -> Probe:
        return Probe(self.calling, self.owning.address, resource)

    def quiet(self) -> bool:
        """No call is open anywhere, and every window is as it was at the start."""
        ends = [self.calling.conversation, self.owning.conversation, *self.world.a.ends.values()]
        ends += [attachment.conversation for attachment in self.world.attachments]
        ends += self.world.b.ends.values()
        return not any(end.calls or end.serving or end.budget.left != MAX_WINDOWS for end in ends)


@pytest.fixture(params=["one node", "two nodes"])
async def between(world: World, request: pytest.FixtureRequest) -> Between:
    calling = await world.attach(world.a)
    owning = await world.attach(world.a if request.param == "one node" else world.b)
    made = Between(world, calling, owning)
    made.probe = made.open(await owning.register("probe", made.server))
    return made


async def until(condition: Any) -> None:
    """Waits for what both sockets still carry."""
    while not condition():
        await wait_all_tasks_blocked()
        await trio.lowlevel.checkpoint()


async def forever(call: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
    """Calls until that raises: how soon a node hears of an end is up to the sockets."""
    while True:
        await call(*arguments)


# --- calls


async def test_a_call_goes_through_and_its_owner_knows_the_caller(between: Between) -> None:
    assert await between.probe.echo(b"data") == b"data"
    (caller,) = between.server.callers
    key = between.world.a.key
    assert (caller.key, caller.namespace, caller.address) == (key.public, SPACE, key.address)
    assert not caller.local
    assert between.quiet()


@pytest.mark.parametrize("size", [0, INLINE_LIMIT - 10, INLINE_LIMIT + 10, 1_000_000])
async def test_values_of_any_size_go_through(between: Between, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert await between.probe.echo(data) == data


async def test_many_calls_at_once_keep_their_answers_apart(between: Between) -> None:
    answers: dict[int, bytes] = {}

    async def call(number: int) -> None:
        answers[number] = await between.probe.echo(b"%d" % number * (number % 50))

    async with trio.open_nursery() as nursery:
        for number in range(500):
            nursery.start_soon(call, number)
    assert answers == {number: b"%d" % number * (number % 50) for number in range(500)}
    assert between.quiet()


async def test_errors_go_through(between: Between, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Conflict) as conflict:
        await between.probe.once(0)
    assert (conflict.value.key, conflict.value.version) == ("settings", 5)
    with pytest.raises(GlowError, match=r"error [0-9a-f]{8}") as internal:
        await between.probe.once(-1)
    assert "secret" not in internal.value.message
    with pytest.raises(NoSuchResource):
        await between.open(b"another resource").echo(b"")
    assert between.quiet()


async def test_a_cancelled_call_is_cancelled_at_its_owner(between: Between) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(between.probe.once, 1000)
        await until(lambda: between.owning.conversation.serving)
        nursery.cancel_scope.cancel()
    await until(lambda: between.server.cancelled and between.quiet())


async def test_a_deadline_goes_through(between: Between) -> None:
    with pytest.raises(DeadlineExceeded), deadline(0.001):
        await between.probe.once(1000)
    await until(between.quiet)


# --- streams


async def test_results_stream_through_under_the_readers_credit(between: Between) -> None:
    async with between.probe.count(100_000) as stream:
        assert await anext(stream) == 0
        given = -1
        while given != between.server.given:
            given = between.server.given
            await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
        assert given < 100_000 - 1
        assert [item async for item in stream] == list(range(1, 100_000))
    await until(between.quiet)


async def test_bulk_streams_through(between: Between) -> None:
    total = 0
    async for batch in between.probe.read(200).batches():
        total += sum(map(len, batch))
    assert total == 200 * 60_000
    await until(between.quiet)


async def test_arguments_stream_through(between: Between) -> None:
    assert await between.probe.total(-1, range(20_000)) == sum(range(20_000))
    assert await between.probe.total(5, range(10**9)) == -1
    await until(lambda: between.server.closed == 2 and between.quiet())


async def test_both_ways_at_once(between: Between) -> None:
    assert [item async for item in between.probe.pipe(range(5000))] == [2 * item for item in range(5000)]
    await until(between.quiet)


async def test_a_source_that_fails_ends_the_handler(between: Between) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await between.probe.total(-1, failing())
    await until(lambda: between.server.closed == 1 and between.quiet())


async def test_a_stream_that_is_left_ends_its_handler(between: Between) -> None:
    async with between.probe.count(10**9) as stream:
        await anext(stream)
    await until(lambda: between.server.closed == 1 and between.quiet())


# --- notifications


async def test_notifications_arrive_in_order(between: Between) -> None:
    for number in range(20_000):
        await between.probe.note(number)
    await until(lambda: len(between.server.notes) == 20_000)
    assert between.server.notes == list(range(20_000))


async def test_none_is_lost_when_the_handler_does_not_keep_up(between: Between) -> None:
    sent = 0

    async def send() -> None:
        nonlocal sent
        for size in range(2000):
            await between.probe.fill(bytes(5 * size))
            sent += 5 * size

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        before = -1
        while before != sent:
            before = sent
            await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
        assert sent < 5 * 2**20
        between.server.go.set()
    await until(lambda: len(between.server.notes) == 2000)
    assert between.server.notes == list(range(0, 10_000, 5))


async def test_big_notifications_keep_their_place(between: Between) -> None:
    between.server.go.set()
    sizes = [10, 300_000, 20, INLINE_LIMIT + 1, 30]
    for size in sizes:
        await between.probe.fill(bytes(size))
    await until(lambda: len(between.server.notes) == len(sizes))
    assert between.server.notes == sizes


# --- objects


async def test_objects_are_returned_called_and_released(between: Between) -> None:
    thing: Thing | None = await between.probe.make()
    assert thing is not None
    assert await thing.name() == "made 0"
    await thing.poke(5)
    await until(lambda: between.server.made[0].pokes == [5])
    del thing
    gc.collect()
    await until(lambda: between.server.made[0].gone == 1)
    for attachment in between.world.attachments:
        assert not attachment.conversation.exports


async def test_objects_are_passed_called_back_and_released(between: Between) -> None:
    things = [Named("a"), Named("b")]
    assert await between.probe.take(*things) == "a b"
    await between.probe.hint(things[0])
    await until(lambda: things[0].pokes == [7])
    between.server.kept.clear()
    gc.collect()
    await until(lambda: [thing.gone for thing in things] == [1, 1])
    for attachment in between.world.attachments:
        assert not attachment.conversation.exports


async def test_objects_go_with_the_program_that_held_them(between: Between) -> None:
    await between.probe.make()
    thing = await between.probe.make()
    between.calling._pump.close()
    await until(lambda: all(made.gone == 1 for made in between.server.made))
    with pytest.raises(Interrupted):
        await thing.name()


async def test_objects_of_a_program_that_ends_lead_nowhere(between: Between) -> None:
    thing = await between.probe.make()
    between.owning._pump.close()
    await until(lambda: between.owning.ended.is_set())
    with pytest.raises((Interrupted, NoSuchResource)):
        await forever(thing.name)


async def test_a_program_cannot_pass_the_object_of_another(between: Between) -> None:
    thing = await between.probe.make()
    attachment = between.world.attachments[0].conversation
    copies = {resource: export.copies for resource, export in attachment.exports.items()}
    liar = await between.world.attach(between.world.a)
    passed = Thing(None, between.owning.address, thing._resource)
    await liar.register("liar", Liar(passed))
    stolen = Probe(between.calling, liar.address, next(iter(liar.host.resources)))
    await stolen.make()
    assert {resource: export.copies for resource, export in attachment.exports.items()} == copies
    assert await thing.name() == "made 0"


class Liar(ProbeServer):
    def __init__(self, passed: Thing) -> None:
        self.passed = passed

    def make(self) -> Any:
        return self.passed


# --- programs and sessions come and go


async def test_calls_end_interrupted_with_the_owners_program(between: Between) -> None:
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises((Interrupted, CallCancelled)):
                await between.probe.once(1000)

        nursery.start_soon(call)
        await until(lambda: between.owning.conversation.serving)
        between.owning._pump.close()
    await until(lambda: not between.calling.conversation.calls)
    with pytest.raises((NoSuchResource, Interrupted)):
        await forever(between.probe.once, 1000)


async def test_handlers_are_cancelled_with_the_callers_program(between: Between) -> None:
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(Interrupted):
                await between.probe.once(1000)

        nursery.start_soon(call)
        await until(lambda: between.owning.conversation.serving)
        between.calling._pump.close()
    await until(lambda: between.server.cancelled == 1)
    await until(lambda: not between.owning.conversation.serving)


@pytest.fixture
async def apart(world: World) -> Between:
    made = Between(world, await world.attach(world.a), await world.attach(world.b))
    made.probe = made.open(await made.owning.register("probe", made.server))
    return made


async def test_a_lost_session_interrupts_calls_and_cancels_handlers(apart: Between) -> None:
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(Interrupted, match="lost"):
                await apart.probe.once(1000)

        nursery.start_soon(call)
        await until(lambda: apart.owning.conversation.serving)
        apart.world.a.cut(apart.world.b)
    await until(lambda: apart.server.cancelled == 1)


async def test_a_program_reaches_nodes_that_its_node_has_no_session_with_yet(apart: Between) -> None:
    apart.world.a.cut(apart.world.b)
    apart.world.a.arrived = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(apart.probe.echo, b"early")
        for number in range(100):
            await apart.probe.note(number)
        await until(lambda: apart.world.attachments[0]._early)
        apart.world.a.arrived.set()
    await until(lambda: len(apart.server.notes) == 100)
    assert apart.server.notes == list(range(100))
    assert len(apart.server.callers) == 1


async def test_a_call_that_is_given_up_before_its_node_is_reached_is_never_made(apart: Between) -> None:
    apart.world.a.cut(apart.world.b)
    apart.world.a.arrived = trio.Event()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(apart.probe.echo, b"early")
            await until(lambda: apart.world.attachments[0].conversation.serving)
            scope.cancel()
    await until(lambda: apart.world.attachments[0].conversation.serving)
    apart.world.a.arrived.set()
    await until(apart.quiet)
    assert apart.server.callers == []


async def test_a_node_that_cannot_be_reached(apart: Between) -> None:
    nowhere = Probe(apart.calling, b"no node is here.", ID)
    with pytest.raises(Unreachable):
        await nowhere.echo(b"")
    for _ in range(20):
        await nowhere.fill(bytes(60_000))
    await until(lambda: apart.world.a.counters["notifications_lost"] > 0)


async def test_notifications_that_waited_for_a_lost_owner_give_their_room_back(apart: Between) -> None:
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for _ in range(400):
                await apart.probe.fill(bytes(30_000))

        nursery.start_soon(send)
        await until(lambda: not apart.calling.conversation.notify_credit(apart.probe._resource))
        apart.world.a.cut(apart.world.b)
        apart.server.go.set()


# --- rules


async def test_a_program_that_breaks_the_rules_is_detached_and_harms_nobody(between: Between) -> None:
    for message in (
        AttachedNotify(ID, 1, [Raw(b"\xc0")], None, between.owning.address, 99),
        AttachedRequest(1, ID, 1, None, None, Raw(b"\xc0"), None, b"short"),
        AttachedRequest(1, b"short", 1, None, None, Raw(b"\xc0"), None, between.owning.address),
        AttachedNotify(ID, 1, [Raw(b"\xc4\xff" + bytes(255))] * 300, None, b"n" * 16),
        Attach(1, b""),
    ):
        errors = between.world.a.counters["attachment_errors"]
        with between.world.raw(between.world.a) as sock:
            sock.sendall(pack_frame(encode([message])))
            await until(lambda errors=errors: between.world.a.counters["attachment_errors"] == errors + 1)
    assert await between.probe.echo(b"still here") == b"still here"
    assert between.world.a.counters["attachment_defects"] == 0


async def test_items_that_no_packet_can_carry_end_their_program_only(apart: Between) -> None:
    stream = apart.probe.pipe(_never())
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises((Interrupted, NoSuchResource)):
                await anext(stream)

        nursery.start_soon(read)
        await until(lambda: apart.owning.conversation.serving)
        (number,) = apart.owning.conversation.serving
        values = [Raw(b"\xc5\x3f\xff" + bytes(0x3FFF))] * 6
        apart.owning.conversation.append(1, Item(number, RESULTS, values), 0)
    assert apart.world.b.counters["attachment_errors"] == 1
    assert apart.world.a.ends[apart.world.b.address].closed is None


async def _never() -> AsyncIterator[int]:
    await trio.sleep_forever()
    yield 0


@asynccontextmanager
async def _full(conversation: Conversation) -> AsyncIterator[None]:
    conversation.outbox.full = True
    yield
    conversation.outbox.full = False


async def test_a_program_that_does_not_keep_up_is_busy(between: Between) -> None:
    async with _full(between.world.attachments[1].conversation):
        with pytest.raises(Busy, match="keep up"):
            await between.probe.echo(b"")
    assert await between.probe.echo(b"") == b""


async def test_only_who_may_call_reaches_a_program(world: World) -> None:
    program = Program(b"token", ID, "probe", "/folder", {}, access=1)
    owning = await world.attach(world.b, program)
    server = Serving()
    assert await owning.register("probe", server, ID) == ID
    calling = await world.attach(world.a)
    with pytest.raises(Denied, match="role"):
        await Probe(calling, owning.address, ID).echo(b"")
    near = await world.attach(world.b)
    assert await Probe(near, owning.address, ID).echo(b"") == b""


async def test_a_program_is_described_by_what_it_registered(world: World) -> None:
    class Described(ProbeServer):
        schema = b"what it registered"

        def describe(self) -> Any:
            raise AssertionError("its node knows the answer")

    owning, calling = await world.attach(world.b), await world.attach(world.a)
    resource = await owning.register("probe", Described())
    described = await Resource(calling, owning.address, resource).describe()
    assert (described.proto, described.schema) == ("probe.Probe", b"what it registered")


# --- the node's own


async def test_an_object_that_the_node_passes_to_itself_can_be_called(world: World) -> None:
    server = Serving()
    world.a.host.add(ID, server)
    own = Probe(world.a, world.a.address, ID)
    thing = Named("callback")
    assert await own.take(thing) == "callback"
    made = await own.make()
    assert await made.name() == "made 0"
    made.release()
    assert server.made[0].gone == 1


async def test_a_program_that_reads_nothing_is_detached(world: World, autojump_clock: MockClock) -> None:
    calling = await world.attach(world.a)
    stuck = world.raw(world.a)
    attachment = world.attachments[-1]
    await wait_all_tasks_blocked()
    resource = attachment._admit(Register("stuck", None, "probe.Probe", b""))
    with pytest.raises((Interrupted, NoSuchResource)), stuck:
        await Probe(calling, world.a.address, resource).echo(bytes(8_000_000))
    assert world.a.counters["attachments_stalled"] == 1
