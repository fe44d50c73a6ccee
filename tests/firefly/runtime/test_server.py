"""Handlers as they are found, run, and brought to a last word."""

import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.errors import BadMessage, CallCancelled, Denied, Internal, NoSuchMethod, TooLarge
from firefly.messages import MAX_VALUE
from firefly.runtime import Caller, Host, Method, Server, current_call, deadline, describe, open_workers
from firefly.runtime.outgoing import PendingCall
from firefly.runtime.resource import _handler
from tests.firefly.runtime.probe import CALLER, ECHO, NEAR, ONCE, RESOURCE, Nothing, Probe, ProbeServer, wired


class Recorder(ProbeServer):
    """Remembers who called and what came, in which order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.go = trio.Event()
        self.slow = False

    def two(self, text: str, number: int) -> str:
        self.heard.append(current_call())
        return text

    async def once(self, number: int) -> int:
        self.heard.append(current_call())
        return number

    def note(self, number: int) -> Any:
        if number < 0:
            raise ValueError("a note that cannot be taken")
        if self.slow:
            return self._take_slowly(number)
        self.heard.append((current_call().caller.address, number))
        return None

    async def _take_slowly(self, number: int) -> None:
        await self.go.wait()
        if number == 13:
            raise ValueError("an unlucky note")
        self.heard.append((current_call().caller.address, number))

    def fill(self, data: bytes) -> None:
        self.heard.append(len(data))


@pytest.mark.parametrize("call", ["two", "once"])
async def test_a_handler_knows_its_call(call: str) -> None:
    server = Recorder()
    async with wired(server) as (wire, probe):
        await (probe.two("a") if call == "two" else probe.once(1))
        (context,) = server.heard
        assert context.caller == CALLER
        assert context.method.name == call
        assert context.conversation is wire.owner
    with pytest.raises(LookupError):
        current_call()


async def test_handlers_may_be_plain_or_asynchronous() -> None:
    class Both(ProbeServer):
        def echo(self, data: bytes) -> bytes:
            return data

        async def once(self, number: int) -> int:
            await trio.lowlevel.checkpoint()
            return number

    async with wired(Both()) as (_, probe):
        assert (await probe.echo(b"x"), await probe.once(5)) == (b"x", 5)


async def test_a_plain_handler_answers_where_it_was_called() -> None:
    async with wired(Recorder()) as (wire, probe):
        call = PendingCall(wire.caller, ECHO)
        wire.caller.call(call, RESOURCE, ECHO.selector, b"\x91\xc4\x00")
        assert not call.open
        assert not wire.owner.serving
        assert await probe.two("a") == "a"


class Wrong(ProbeServer):
    """Gives values that its interface does not declare."""

    def echo(self, data: bytes) -> Any:
        return "text"

    async def once(self, number: int) -> Any:
        return "text"

    async def count(self, number: int) -> AsyncIterator[Any]:
        yield 1
        yield "two"

    def make(self) -> Any:
        return "no thing"

    def two(self, text: str, number: int) -> Any:
        return bytes(5)


@pytest.mark.parametrize("method", ["echo", "once", "make"])
async def test_a_result_of_the_wrong_type_is_the_owners_fault(method: str, caplog: pytest.LogCaptureFixture) -> None:
    arguments: dict[str, Any] = {"echo": [b""], "once": [1], "make": []}
    async with wired(Wrong()) as (_, probe):
        with pytest.raises(Internal):
            await getattr(probe, method)(*arguments[method])
    assert "not of its declared type" in caplog.text


async def test_an_item_of_the_wrong_type_is_the_owners_fault() -> None:
    items: list[int] = []
    async with wired(Wrong()) as (_, probe):
        stream = probe.count(1)
        items.append(await anext(stream))
        with pytest.raises(Internal):
            await anext(stream)
    assert items == [1]


async def test_a_result_over_the_limit_is_too_large() -> None:
    class Big(ProbeServer):
        def echo(self, data: bytes) -> bytes:
            return bytes(MAX_VALUE)

    async with wired(Big()) as (_, probe):
        with pytest.raises(TooLarge):
            await probe.echo(b"")


async def test_a_handler_that_waits_in_a_nursery_gets_its_last_word_too(autojump_clock: MockClock) -> None:
    class Nursing(ProbeServer):
        async def once(self, number: int) -> int:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await trio.sleep_forever()
            return number

    async with wired(Nursing()) as (wire, probe):
        with trio.move_on_after(5):
            await probe.once(1)
        await wait_all_tasks_blocked()
        assert not wire.owner.serving
        assert not wire.caller.calls


async def test_handlers_end_with_their_workers() -> None:
    class Endless(ProbeServer):
        async def once(self, number: int) -> int:
            await trio.sleep_forever()
            return number

    async with trio.open_nursery() as nursery, wired(Endless()) as (wire, probe):

        async def call() -> None:
            with pytest.raises(CallCancelled, match="stopping"):
                await probe.once(1)

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        workers = wire.far.host.workers
        workers._nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert not wire.owner.serving


async def test_a_deadline_does_not_stay_with_the_task(autojump_clock: MockClock) -> None:
    class Sleeper(ProbeServer):
        async def once(self, number: int) -> int:
            await trio.sleep(number)
            return number

    async with wired(Sleeper()) as (_, probe):
        with deadline(5):
            await probe.once(1)
        assert await probe.once(20) == 20


# --- who may call


@pytest.mark.parametrize(("role", "access", "allowed"), [(1, 1, True), (2, 1, False), (2, 2, True), (3, 2, False)])
async def test_access_is_by_role(role: int, access: int, allowed: bool) -> None:
    server = Recorder()
    async with wired(server, access) as (wire, probe):
        wire.owner.peer = Caller(bytes(32), bytes(32), role, NEAR)
        await probe.note(1)
        if allowed:
            await probe.two("a")
        else:
            with pytest.raises(Denied, match="role"):
                await probe.two("a")
    assert len(server.heard) == 2 * allowed


async def test_the_person_at_the_device_may_call_everything() -> None:
    async with wired(Recorder(), 1) as (wire, probe):
        wire.owner.peer = Caller(bytes(32), bytes(32), 0, NEAR, local=True)
        assert await probe.two("a") == "a"


async def test_an_attached_program_is_told_who_calls_and_refuses_to_guess() -> None:
    async with wired(Recorder()) as (wire, _):
        wire.owner.peer = None
        host = wire.far.host
        for peer in (None, 5, [b"key"], [1, 2, 3, 4], b"an address......"):
            with pytest.raises(BadMessage, match="who calls"):
                host.caller(wire.owner, SimpleNamespace(peer=peer))
        honest = SimpleNamespace(peer=[b"key", b"namespace", 1, b"address"])
        assert host.caller(wire.owner, honest) == Caller(b"key", b"namespace", 1, b"address")


# --- notifications


async def test_a_notification_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    server = Recorder()
    async with wired(server) as (wire, probe):
        for number in (1, -1, 2):
            await probe.note(number)
        await probe.two("a")
        assert [heard for heard in server.heard if isinstance(heard, tuple)] == [(NEAR, 1), (NEAR, 2)]
        assert wire.far.host.errors == 1
    assert "cannot be taken" in caplog.text


async def test_asynchronous_notifications_run_one_after_another_in_order() -> None:
    server = Recorder()
    server.slow = True
    async with wired(server) as (_, probe):
        for number in range(5):
            await probe.note(number)
        server.slow = False
        await probe.note(5)
        await wait_all_tasks_blocked()
        assert server.heard == []
        server.go.set()
        await wait_all_tasks_blocked()
        assert server.heard == [(NEAR, number) for number in range(6)]
        await probe.note(6)
        assert server.heard[-1] == (NEAR, 6)


async def test_one_that_fails_does_not_stop_those_that_wait(caplog: pytest.LogCaptureFixture) -> None:
    server = Recorder()
    server.slow = True
    server.go.set()
    async with wired(server) as (_, probe):
        for number in (12, 13, 14):
            await probe.note(number)
        await wait_all_tasks_blocked()
    assert [number for _, number in server.heard] == [12, 14]
    assert "unlucky" in caplog.text


async def test_notifications_that_wait_keep_their_own_caller() -> None:
    server = Recorder()
    server.slow = True
    async with wired(server) as (wire, probe):
        await probe.note(0)
        for index, address in enumerate((b"a" * 16, b"b" * 16), 1):
            wire.owner.peer = Caller(bytes(32), bytes(32), 2, address)
            await probe.note(index)
        server.go.set()
        await wait_all_tasks_blocked()
    assert server.heard == [(NEAR, 0), (b"a" * 16, 1), (b"b" * 16, 2)]


async def test_notifications_of_a_session_that_has_ended_are_given_up() -> None:
    server = Recorder()
    server.slow = True
    async with wired(server) as (wire, probe):
        for number in range(3):
            await probe.note(number)
        wire.cut()
        server.go.set()
        await wait_all_tasks_blocked()
        assert server.heard == [(NEAR, 0)]
        assert wire.far.host.resources[RESOURCE].inboxes == {}


async def test_notifications_to_nobody_give_their_room_back() -> None:
    async with wired(Recorder()) as (wire, _):
        nobody = wire.open(Probe, b"another resource")
        for _ in range(20):
            await nobody.fill(bytes(60_000))
        assert wire.owner.counters["dropped"] == 20


async def test_a_notification_of_an_unknown_method_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="firefly")
    async with wired(Recorder()) as (wire, probe):
        wire.far.host.resources[RESOURCE].handlers.clear()
        for _ in range(20):
            await probe.fill(bytes(60_000))
        assert wire.owner.counters["dropped"] == 20
    assert "has no method" in caplog.text


async def test_room_cannot_be_gathered_by_notifications_that_are_served_at_once() -> None:
    server = Recorder()
    async with wired(server) as (wire, probe):
        for _ in range(100):
            await probe.fill(bytes(60_000))
        window = wire.owner.notices._windows[RESOURCE]
        assert window.room <= window.size


# --- the table


async def test_resources_come_and_go() -> None:
    async with open_workers() as workers:
        host = Host(None, workers)  # type: ignore[arg-type]
        host.add(RESOURCE, Recorder(), 1)
        assert host.resources[RESOURCE].access == 1
        assert host.resources[RESOURCE].proto == "probe.Probe"
        host.remove(RESOURCE)
        host.remove(RESOURCE)
        assert host.resources == {}
        host.signed(None, [b"statement"])  # type: ignore[arg-type]


def test_every_server_describes_itself() -> None:
    class Described(Server):
        proto, schema = "a.B", b"compiled"

    description = describe(Described())
    assert (description.proto, description.schema) == ("a.B", b"compiled")


async def test_a_method_that_the_class_does_not_have_is_missing() -> None:
    class Bare(Server):
        methods = (ONCE,)

    async with wired(Bare()) as (_, probe):
        with pytest.raises(NoSuchMethod, match="not implemented"):
            await probe.once(1)


def test_a_name_that_is_a_keyword_has_an_underscore() -> None:
    class Keyword(Server):
        def import_(self) -> int:
            return 5

    handler = _handler(Keyword(), Method("import", "p/P.import", 1, Nothing, int))
    assert handler.run() == 5
