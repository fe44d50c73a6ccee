"""Calls and notifications as their caller sees them, whatever becomes of the session under them."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.credit import START
from firefly.errors import (
    CallCancelled,
    DeadlineExceeded,
    Denied,
    GlowError,
    Internal,
    Interrupted,
    InvalidArgument,
    NoSuchMethod,
    NoSuchResource,
    RemoteError,
    TooLarge,
    Unreachable,
)
from firefly.messages import MAX_VALUE
from firefly.rpc import MAX_CALLS
from firefly.runtime import Caller, current_call, deadline
from firefly.runtime.outgoing import PendingCall
from firefly.testing import serving
from tests.firefly.runtime.probe import ONCE, RESOURCE, Conflict, Probe, ProbeServer, Wire, wired


class Own(ValueError):
    """Something that no interface declares."""


class Everything(ProbeServer):
    """Answers as it is asked to, and remembers what it heard."""

    def __init__(self) -> None:
        self.notes: list[int] = []
        self.calls = 0
        self.cancelled = 0
        self.error: Exception | None = None
        self.wire: Wire | None = None
        self.cuts = 0
        self.open = trio.Event()

    async def echo(self, data: bytes) -> bytes:
        self.calls += 1
        if self.cuts and self.wire is not None:
            self.cuts -= 1
            self.wire.cut()
        return data

    async def once(self, number: int) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        try:
            await trio.sleep(number)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return number

    def two(self, text: str, number: int) -> str:
        if self.error is not None:
            raise self.error
        return text * number

    def note(self, number: int) -> None:
        self.notes.append(number)

    async def fill(self, data: bytes) -> None:
        await self.open.wait()
        self.notes.append(len(data))


@pytest.fixture
def server() -> Everything:
    return Everything()


@pytest.fixture
async def wire_and_probe(server: Everything) -> AsyncIterator[tuple[Wire, Probe]]:
    async with wired(server) as (wire, probe):
        server.wire = wire
        yield wire, probe


@pytest.fixture
def wire(wire_and_probe: tuple[Wire, Probe]) -> Wire:
    return wire_and_probe[0]


@pytest.fixture
def probe(wire_and_probe: tuple[Wire, Probe]) -> Probe:
    return wire_and_probe[1]


# --- answers


async def test_a_call_returns_what_the_handler_returned(probe: Probe) -> None:
    assert await probe.two("ab", 2) == "abab"
    assert await probe.two("a") == "aaaaaaa"
    assert await probe.once(0) == 0
    assert await probe.echo(b"x" * 1_000_000) == b"x" * 1_000_000


async def test_a_value_of_the_wrong_type_raises_before_anything_is_sent(probe: Probe, server: Everything) -> None:
    with pytest.raises(InvalidArgument, match="does not fit"):
        await probe.echo("text")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        await probe.two("too long")
    with pytest.raises(InvalidArgument):
        probe.note("one")  # type: ignore[arg-type]
    with pytest.raises(TooLarge, match="over the limit"):
        await probe.echo(bytes(MAX_VALUE))
    assert server.calls == 0


@pytest.mark.parametrize("call", [lambda probe: probe.once(1), lambda probe: probe.two("a")])
@pytest.mark.parametrize(
    "error",
    [Denied("no", "because", "ask"), Unreachable("elsewhere"), Interrupted("elsewhere"), NoSuchResource("of its own")],
)
async def test_a_system_error_of_the_handler_arrives(
    probe: Probe, server: Everything, call: Callable[[Probe], Awaitable[object]], error: GlowError
) -> None:
    server.error = error
    with pytest.raises(type(error)) as caught:
        await call(probe)
    assert (caught.value.message, caught.value.cause, caught.value.hint) == (error.message, error.cause, error.hint)


async def test_a_declared_error_arrives_with_its_fields(probe: Probe, server: Everything) -> None:
    server.error = Conflict("settings", 5)
    with pytest.raises(Conflict) as caught:
        await probe.once(1)
    assert (caught.value.key, caught.value.version) == ("settings", 5)


async def test_an_error_that_the_method_does_not_declare_is_unknown(
    probe: Probe, server: Everything, caplog: pytest.LogCaptureFixture
) -> None:
    server.error = Conflict("settings", 5)
    with pytest.raises(RemoteError) as caught:
        await probe.two("a")
    assert caught.value.error_code == Conflict.code
    assert "does not declare" in caplog.text


@pytest.mark.parametrize("call", [lambda probe: probe.once(1), lambda probe: probe.two("a")])
async def test_any_other_error_is_internal_and_only_the_owners_log_says_more(
    probe: Probe,
    server: Everything,
    wire: Wire,
    call: Callable[[Probe], Awaitable[object]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.error = Own("a secret of the owner")
    with pytest.raises(Internal) as caught:
        await call(probe)
    told = caught.value.message + caught.value.cause + caught.value.hint
    assert "secret" not in told
    assert "Traceback" not in told
    number = caught.value.message.partition("(error ")[2].rstrip(")")
    assert len(number) == 8
    assert number in caplog.text
    assert "a secret of the owner" in caplog.text
    assert wire.far.host.errors == 1


async def test_a_method_that_is_not_implemented_or_not_known(probe: Probe, wire: Wire) -> None:
    with pytest.raises(NoSuchMethod, match=r"probe/Probe\.make is not implemented"):
        await probe.make()
    wire.far.host.resources[RESOURCE].handlers.clear()
    with pytest.raises(NoSuchMethod, match="0x00000001") as caught:
        await probe.echo(b"")
    assert "newer" in caught.value.hint


async def test_a_resource_that_is_not_there(wire: Wire) -> None:
    with pytest.raises(NoSuchResource):
        await wire.open(Probe, b"another resource").echo(b"")


async def test_a_stub_that_was_made_by_hand_leads_nowhere() -> None:
    probe = Probe(None, b"", b"")
    with pytest.raises(InvalidArgument, match="by hand"):
        await probe.echo(b"")
    with pytest.raises(InvalidArgument, match="by hand"):
        await probe.note(1)
    with pytest.raises(InvalidArgument, match="by hand"):
        probe.pipe([])


# --- cancellation and deadlines


async def test_a_cancelled_call_cancels_its_handler(
    probe: Probe, server: Everything, wire: Wire, autojump_clock: MockClock
) -> None:
    with trio.move_on_after(1) as scope:
        await probe.once(100)
    assert scope.cancelled_caught
    await wait_all_tasks_blocked()
    assert server.cancelled == 1
    assert not wire.caller.calls
    assert not wire.owner.serving


async def test_a_call_that_is_cancelled_at_once_is_no_call_for_long(probe: Probe, wire: Wire) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.once(1)
    await wait_all_tasks_blocked()
    assert not wire.caller.calls
    assert not wire.owner.serving


async def test_a_deadline_ends_the_call_here_and_there(
    probe: Probe, server: Everything, wire: Wire, autojump_clock: MockClock
) -> None:
    start = trio.current_time()
    with pytest.raises(DeadlineExceeded, match="within 5 s"), deadline(5):
        await probe.once(100)
    assert trio.current_time() - start == 5
    await wait_all_tasks_blocked()
    assert server.cancelled == 1
    assert not wire.owner.serving


async def test_the_owner_answers_a_call_whose_deadline_has_passed(wire: Wire, autojump_clock: MockClock) -> None:
    call = PendingCall(wire.caller, ONCE)
    wire.caller.call(call, RESOURCE, ONCE.selector, b"\x91\x64", 5_000_000)
    with pytest.raises(DeadlineExceeded):
        await call.wait()
    assert trio.current_time() == 5


async def test_the_nearest_deadline_counts(probe: Probe, autojump_clock: MockClock) -> None:
    start = trio.current_time()
    with pytest.raises(DeadlineExceeded, match="within 3 s"), deadline(3), deadline(50):
        await probe.once(100)
    with pytest.raises(DeadlineExceeded, match="within 4 s"), deadline(50), deadline(4):
        await probe.once(100)
    assert trio.current_time() - start == 7


async def test_a_deadline_that_is_kept_leaves_no_trace(probe: Probe, autojump_clock: MockClock) -> None:
    with deadline(5):
        assert await probe.once(1) == 1
    await trio.sleep(10)
    assert await probe.once(1) == 1


class Asking(ProbeServer):
    """Asks another probe, and sees what is left of its caller's time."""

    def __init__(self, other: Probe, nursery: trio.Nursery) -> None:
        self.other = other
        self.nursery = nursery

    async def once(self, number: int) -> int:
        return await self.other.once(number)

    async def echo(self, data: bytes) -> bytes:
        self.nursery.start_soon(self._later)
        return data

    async def _later(self) -> None:
        await trio.sleep(50)
        await self.other.once(1)


async def test_a_handlers_own_calls_have_the_deadline_of_its_caller(
    server: Everything, autojump_clock: MockClock
) -> None:
    async with wired(server) as (second, other), trio.open_nursery() as nursery, wired(Asking(other, nursery)) as wires:
        with pytest.raises(DeadlineExceeded), deadline(5):
            await wires[1].once(100)
        await wait_all_tasks_blocked()
        assert server.cancelled == 1
        assert not second.owner.serving


async def test_what_outlives_a_call_has_no_deadline_of_it(server: Everything, autojump_clock: MockClock) -> None:
    async with wired(server) as (_, other), trio.open_nursery() as nursery, wired(Asking(other, nursery)) as wires:
        with deadline(5):
            await wires[1].echo(b"")
        await trio.sleep(100)
    assert server.calls == 1


# --- the session ends


async def test_open_calls_end_interrupted_and_their_handlers_are_cancelled(
    probe: Probe, server: Everything, wire: Wire, mock_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(Interrupted, match="cut"):
                await probe.once(100)

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        wire.cut()
    await wait_all_tasks_blocked()
    assert server.cancelled == 1


async def test_the_next_call_finds_a_new_session(probe: Probe, wire: Wire) -> None:
    assert await probe.echo(b"1") == b"1"
    wire.cut()
    assert await probe.echo(b"2") == b"2"
    assert wire.connections == 2


async def test_an_idempotent_call_is_made_again_when_its_session_is_lost(
    probe: Probe, server: Everything, wire: Wire
) -> None:
    server.cuts = 3
    assert await probe.echo(b"x") == b"x"
    assert server.calls == 4
    assert wire.connections == 4


async def test_at_most_three_times(probe: Probe, server: Everything) -> None:
    server.cuts = 100
    with pytest.raises(Interrupted):
        await probe.echo(b"x")
    assert server.calls == 4


async def test_an_interruption_that_the_handler_met_elsewhere_is_no_reason(probe: Probe, server: Everything) -> None:
    server.error = Interrupted("elsewhere")
    with pytest.raises(Interrupted, match="elsewhere"):
        await probe.once(1)
    assert server.calls == 1


async def test_a_node_that_cannot_be_reached_any_more(probe: Probe, server: Everything, wire: Wire) -> None:
    server.cuts = wire.limit = 1
    with pytest.raises(Unreachable, match="cut"):
        await probe.echo(b"x")


# --- room


async def test_over_1024_calls_wait_for_their_turn(probe: Probe, server: Everything, wire: Wire) -> None:
    answers: list[bytes] = []
    release = trio.Event()

    async def echo(data: bytes) -> bytes:
        await release.wait()
        return data

    server.echo = echo  # type: ignore[method-assign]
    wire.far.host.add(RESOURCE, server)

    async def call(number: int) -> None:
        answers.append(await probe.echo(b"%d" % number))

    async with trio.open_nursery() as nursery:
        for number in range(MAX_CALLS + 100):
            nursery.start_soon(call, number)
        await wait_all_tasks_blocked()
        assert len(wire.caller.calls) == len(wire.owner.serving) == MAX_CALLS
        release.set()
    assert sorted(map(int, answers)) == list(range(MAX_CALLS + 100))
    assert wire.owner.counters["busy"] == 0


async def test_a_caller_that_waits_for_room_hears_of_the_end(probe: Probe, wire: Wire) -> None:
    wire.caller.outbox.full = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(probe.note, 1)
        await wait_all_tasks_blocked()
        wire.cut()
    assert wire.connections == 2


# --- notifications


async def test_notifications_arrive_in_order(probe: Probe, server: Everything) -> None:
    for number in range(10_000):
        await probe.note(number)
    await probe.echo(b"")
    assert server.notes == list(range(10_000))


async def test_a_notification_with_room_needs_no_wait(probe: Probe, server: Everything) -> None:
    await probe.note(0)
    for number in range(1, 100):
        probe.note(number)
    await probe.echo(b"")
    assert server.notes == list(range(100))


async def test_who_notifies_more_than_the_handler_takes_waits_and_nothing_is_lost(
    probe: Probe, server: Everything
) -> None:
    sent: list[int] = []

    async def send() -> None:
        for size in range(1000):
            await probe.fill(bytes(1000 + size))
            sent.append(1000 + size)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert sum(sent) <= START < sum(sent) + 3000
        assert server.notes == []
        server.open.set()
    await probe.echo(b"")
    await wait_all_tasks_blocked()
    assert server.notes == sent
    assert len(sent) == 1000


async def test_many_that_wait_for_credit_never_overdraw(probe: Probe, server: Everything) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(probe.fill, bytes(60_000))
        await wait_all_tasks_blocked()
        server.open.set()
    await wait_all_tasks_blocked()
    assert server.notes == [60_000] * 40


async def test_a_big_notification_keeps_its_place(probe: Probe, server: Everything) -> None:
    server.open.set()
    sizes = [10, 200_000, 20, 100_000, 30]
    for size in sizes:
        await probe.fill(bytes(size))
    await probe.echo(b"")
    await wait_all_tasks_blocked()
    assert server.notes == sizes


async def test_notifications_go_on_with_the_next_session(probe: Probe, server: Everything, wire: Wire) -> None:
    await probe.note(1)
    wire.cut()
    await probe.note(2)
    await probe.echo(b"")
    assert server.notes == [1, 2]


async def test_who_waits_for_credit_goes_on_with_the_next_session(probe: Probe, server: Everything, wire: Wire) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(probe.fill, bytes(60_000))
        await wait_all_tasks_blocked()
        wire.cut()
    assert wire.connections == 2


# --- the harness


async def test_the_harness_of_processes_says_who_calls() -> None:
    class Who(ProbeServer):
        def echo(self, data: bytes) -> bytes:
            return current_call().caller.key

    caller = Caller(b"k" * 32, bytes(32), 1, b"a" * 16)
    async with serving(Who(), Probe, caller=caller) as probe:
        assert await probe.echo(b"") == b"k" * 32
    with pytest.raises((Interrupted, CallCancelled)):
        await probe.echo(b"")
    with pytest.raises(LookupError):
        current_call()
