"""Objects in calls: usable where they came, alive as long as somebody holds them, gone right after."""

import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from firefly import exports
from firefly.errors import Busy, Denied, Interrupted, InvalidArgument, NoSuchMethod, NoSuchResource, TooLarge
from firefly.messages import MAX_CAPABILITIES
from firefly.runtime import ArgumentStream
from firefly.runtime.outgoing import PendingCall
from tests.firefly.runtime.probe import (
    ECHO,
    FAR,
    NEAR,
    RESOURCE,
    TAKE,
    THIRD,
    Probe,
    ProbeServer,
    Thing,
    ThingServer,
    Wire,
    wired,
)


class Named(ThingServer):
    """An object that says its name and counts how often it was let go."""

    def __init__(self, name: str = "thing") -> None:
        self._name = name
        self.pokes: list[int] = []
        self.gone = 0

    def name(self) -> str:
        return self._name

    def poke(self, number: int) -> None:
        self.pokes.append(number)

    def released(self) -> None:
        self.gone += 1


class Keeper(ProbeServer):
    """Makes objects, and keeps those that it is given."""

    def __init__(self) -> None:
        self.made: list[Named] = []
        self.kept: list[Thing] = []
        self.error: Exception | None = None

    def make(self) -> Any:
        self.made.append(Named(f"made {len(self.made)}"))
        return self.made[-1]

    async def take(self, thing: Thing, more: list[Thing]) -> str:
        if self.error is not None:
            raise self.error
        self.kept += [thing, *more]
        return " ".join([await each.name() for each in (thing, *more)])

    async def hint(self, thing: Thing, more: list[Thing]) -> None:
        self.kept.append(thing)
        await thing.poke(5)

    async def makes(self, number: int) -> AsyncIterator[Any]:
        for _ in range(number):
            yield self.make()

    async def takes(self, things: ArgumentStream[Thing]) -> int:
        count = 0
        async for thing in things:
            self.kept.append(thing)
            assert await thing.name() == "thing"
            count += 1
        return count


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
async def wire_and_probe(keeper: Keeper) -> AsyncIterator[tuple[Wire, Probe]]:
    async with wired(keeper) as both:
        yield both


@pytest.fixture
def wire(wire_and_probe: tuple[Wire, Probe]) -> Wire:
    return wire_and_probe[0]


@pytest.fixture
def probe(wire_and_probe: tuple[Wire, Probe]) -> Probe:
    return wire_and_probe[1]


# --- returned


async def test_an_object_that_was_returned_can_be_called(probe: Probe) -> None:
    first, second = await probe.make(), await probe.make()
    assert (await first.name(), await second.name()) == ("made 0", "made 1")


@pytest.mark.parametrize("how", ["release", "forget", "cycle"])
async def test_it_goes_when_its_holder_lets_go(probe: Probe, wire: Wire, keeper: Keeper, how: str) -> None:
    thing: Any = await probe.make()
    if how == "release":
        thing.release()
        thing.release()
    elif how == "cycle":
        thing.itself = thing
    del thing
    gc.collect()
    await wait_all_tasks_blocked()
    assert keeper.made[0].gone == 1
    assert not wire.owner.exports


async def test_after_its_release_it_is_of_no_use(probe: Probe) -> None:
    thing = await probe.make()
    thing.release()
    with pytest.raises(NoSuchResource):
        await thing.name()


async def test_it_lives_as_long_as_any_copy(wire: Wire) -> None:
    class Same(Keeper):
        def make(self) -> Any:
            return self.made[0]

    same = Same()
    same.made.append(Named())
    wire.far.host.add(b"always the same.", same)
    probe = wire.open(Probe, b"always the same.")
    first, second = await probe.make(), await probe.make()
    assert len(wire.owner.exports) == 1
    first.release()
    assert await second.name() == "thing"
    assert same.made[0].gone == 0
    second.release()
    assert same.made[0].gone == 1


async def test_it_is_there_for_the_session_that_got_it_only(probe: Probe, wire: Wire) -> None:
    thing = await probe.make()
    async with wired(ProbeServer()) as (other, _):
        with pytest.raises(NoSuchResource):
            await other.open(Thing, thing._resource).name()


async def test_it_goes_with_its_session(probe: Probe, wire: Wire, keeper: Keeper) -> None:
    thing = await probe.make()
    wire.cut()
    assert keeper.made[0].gone == 1
    with pytest.raises(Interrupted, match="went with the session"):
        await thing.name()
    with pytest.raises(Interrupted):
        await thing.poke(1)
    assert await (await probe.make()).name() == "made 1"


async def test_objects_come_in_streams(probe: Probe, wire: Wire, keeper: Keeper) -> None:
    names = [await thing.name() async for thing in probe.makes(5)]
    assert names == [f"made {number}" for number in range(5)]
    gc.collect()
    await wait_all_tasks_blocked()
    assert [made.gone for made in keeper.made] == [1] * 5


async def test_what_a_stream_brought_and_nobody_read_is_released(probe: Probe, keeper: Keeper) -> None:
    stream = probe.makes(5)
    thing: Thing | None = await anext(stream)
    await wait_all_tasks_blocked()
    await stream.aclose()
    await wait_all_tasks_blocked()
    assert sum(made.gone for made in keeper.made) == len(keeper.made) - 1
    del thing


async def test_what_answers_a_call_that_was_given_up_is_released(probe: Probe, wire: Wire, keeper: Keeper) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.make()
    await wait_all_tasks_blocked()
    assert all(made.gone == 1 for made in keeper.made)
    assert not wire.owner.exports


# --- passed


async def test_an_object_that_was_passed_can_be_called_back(probe: Probe, keeper: Keeper) -> None:
    assert await probe.take(Named("a"), Named("b"), Named("c")) == "a b c"


async def test_it_goes_when_the_handler_lets_go(probe: Probe, wire: Wire, keeper: Keeper) -> None:
    named = Named()
    await probe.take(named)
    assert named.gone == 0
    keeper.kept.clear()
    gc.collect()
    await wait_all_tasks_blocked()
    assert named.gone == 1
    assert not wire.caller.exports


async def test_one_object_passed_twice_is_two_copies(probe: Probe, keeper: Keeper) -> None:
    named = Named("x")
    assert await probe.take(named, named) == "x x"
    keeper.kept.pop().release()
    assert named.gone == 0
    keeper.kept.pop().release()
    assert named.gone == 1


async def test_notifications_pass_objects(probe: Probe, keeper: Keeper) -> None:
    named = Named()
    await probe.hint(named)
    await wait_all_tasks_blocked()
    assert named.pokes == [5]


async def test_objects_go_in_streams(probe: Probe, wire: Wire, keeper: Keeper) -> None:
    things = [Named() for _ in range(5)]
    assert await probe.takes(things) == 5
    keeper.kept.clear()
    gc.collect()
    await wait_all_tasks_blocked()
    assert [thing.gone for thing in things] == [1] * 5


@pytest.mark.parametrize(
    ("refusal", "error"), [("resource", NoSuchResource), ("method", NoSuchMethod), ("access", Denied)]
)
async def test_what_a_refused_call_passed_is_released(
    probe: Probe, wire: Wire, keeper: Keeper, refusal: str, error: type[Exception]
) -> None:
    called, noted, entry = Named(), Named(), wire.far.host.resources[RESOURCE]
    match refusal:
        case "resource":
            wire.far.host.remove(RESOURCE)
        case "method":
            entry.handlers.clear()
        case "access":
            entry.access = 1
    with pytest.raises(error):
        await probe.take(called)
    await probe.hint(noted)
    assert (called.gone, noted.gone) == (1, 1)
    assert not wire.caller.exports
    assert keeper.kept == []


async def test_what_a_failing_handler_was_passed_is_released(probe: Probe, keeper: Keeper) -> None:
    named = Named()
    keeper.error = Denied("no")
    with pytest.raises(Denied) as caught:
        await probe.take(named)
    keeper.error = None  # its traceback holds what the handler held
    del caught
    gc.collect()
    await wait_all_tasks_blocked()
    assert named.gone == 1


async def test_nothing_is_passed_to_a_session_that_is_gone(wire: Wire) -> None:
    named = Named()
    wire.caller.export(named, lambda: THIRD)
    wire.cut()
    assert named.gone == 1
    with pytest.raises(Interrupted, match="cut"):
        wire.caller.export(named, lambda: THIRD)


async def test_there_are_limits(probe: Probe, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge):
        await probe.take(Named(), *(Named() for _ in range(MAX_CAPABILITIES)))
    monkeypatch.setattr(exports, "MAX_EXPORTS", 3)
    with pytest.raises(Busy):
        await probe.take(*(Named() for _ in range(4)))
    assert not wire.caller.exports


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        (b"\x92\x00\x90", None),
        (b"\x92\x01\x90", [(THIRD, NEAR)]),
        (b"\x92\x00\x91\x00", [(THIRD, NEAR)]),
        (b"\x92\xa1a\x90", [(THIRD, NEAR)]),
        (b"\x92\x00\x91\xc0", [(THIRD, NEAR)]),
    ],
)
async def test_a_value_that_lies_about_what_it_passes_is_refused_and_nothing_is_kept(
    wire: Wire, keeper: Keeper, value: bytes, listed: Any
) -> None:
    named = Named()
    if listed:
        wire.caller.export(named, lambda: THIRD)
    call = PendingCall(wire.caller, TAKE)
    wire.caller.call(call, RESOURCE, TAKE.selector, value, None, listed)
    with pytest.raises(InvalidArgument):
        await call.wait()
    gc.collect()
    await wait_all_tasks_blocked()
    assert named.gone == bool(listed)
    assert keeper.kept == []


async def test_what_is_listed_but_not_in_the_value_is_released(wire: Wire, probe: Probe) -> None:
    named, spare = Named("x"), Named()
    ids = iter([THIRD, THIRD[::-1]])
    listed = [(wire.caller.export(each, lambda: next(ids)), NEAR) for each in (named, spare)]
    call = PendingCall(wire.caller, TAKE)
    wire.caller.call(call, RESOURCE, TAKE.selector, b"\x92\x00\x90", None, listed)
    await call.wait()
    assert (named.gone, spare.gone) == (0, 1)


async def test_a_method_that_takes_none_releases_what_it_is_passed(wire: Wire) -> None:
    class Echo(ProbeServer):
        def echo(self, data: bytes) -> bytes:
            return data

    wire.far.host.add(b"takes no objects", Echo())
    named = Named()
    listed = [(wire.caller.export(named, lambda: THIRD), NEAR)]
    call = PendingCall(wire.caller, ECHO)
    wire.caller.call(call, b"takes no objects", ECHO.selector, b"\x91\xc4\x01x", None, listed)
    await call.wait()
    assert named.gone == 1


# --- handed on


async def test_what_another_node_owns_is_introduced_to_its_new_holder(probe: Probe, wire: Wire) -> None:
    foreign = Thing(wire.near, THIRD, b"0123456789abcdef")
    taken: list[Thing] = []

    class Taking(ProbeServer):
        def take(self, thing: Thing, more: list[Thing]) -> str:
            taken.append(thing)
            return ""

    wire.far.host.add(RESOURCE, Taking())
    await probe.take(foreign)
    assert wire.near.introduced == [(THIRD, b"0123456789abcdef", FAR)]
    assert (taken[0]._node, taken[0]._resource) == (THIRD, b"fedcba9876543210")


async def test_what_the_receiver_owns_is_passed_as_it_is(probe: Probe, wire: Wire) -> None:
    taken: list[Thing] = []

    class Taking(ProbeServer):
        def take(self, thing: Thing, more: list[Thing]) -> str:
            taken.append(thing)
            return ""

    wire.far.host.add(RESOURCE, Taking())
    await probe.take(Thing(wire.near, FAR, RESOURCE))
    assert wire.near.introduced == []
    assert (taken[0]._node, taken[0]._resource) == (FAR, RESOURCE)


async def test_a_failed_introduction_takes_back_what_was_passed_with_it(
    probe: Probe, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(node: bytes, resource: bytes, receiver: bytes) -> bytes:
        raise Denied("not to them")

    monkeypatch.setattr(wire.near, "introduce", refuse)
    named = Named()
    with pytest.raises(Denied, match="not to them"):
        await probe.take(named, Thing(wire.near, THIRD, bytes(16)))
    assert named.gone == 1


async def test_an_object_of_a_node_that_is_not_connected_yet_is_reached_when_it_is_used(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = Thing.__new__(Thing)
    conversation = wire.near.conversation
    monkeypatch.setattr(wire.near, "peer", lambda node: None)
    thing._bind(wire.near, THIRD, bytes(16), conversation)
    monkeypatch.undo()
    with pytest.raises(NoSuchResource):
        await thing.name()


# --- without a run


def test_a_stub_that_outlives_the_run_is_let_go_quietly() -> None:
    kept: list[Any] = []

    async def main() -> None:
        async with wired(Keeper()) as (_, probe):
            kept.append(await probe.make())

    trio.run(main)
    gone = weakref.ref(kept.pop())
    gc.collect()
    assert gone() is None


def test_a_stub_without_a_place_is_let_go_quietly() -> None:
    Thing.__new__(Thing)
    Thing(None, NEAR, bytes(16)).release()
