"""The forward process before real sockets of this device."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from firefly.errors import Interrupted, InvalidArgument
from firefly.interfaces.forward import Forward, Refused, WrongKind
from firefly.interfaces.streams import Datagram
from firefly.testing import serving
from processes.configuration import BadConfiguration
from processes.forward.process import ForwardProcess, parse_target
from tests.processes.running import started

HOST = "127.0.0.1"


@asynccontextmanager
async def forward_to(target: str, folder: Path) -> AsyncIterator[tuple[Forward, ForwardProcess]]:
    async with started(ForwardProcess(), folder, target=target) as process, serving(process, Forward) as forward:
        yield forward, process


@asynccontextmanager
async def service(handler: Callable[[trio.SocketStream], Awaitable[object]]) -> AsyncIterator[str]:
    """A tcp service; yields its target."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await handler(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield f"tcp://{HOST}:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def shout(stream: trio.SocketStream) -> None:
    """Answers everything in capitals once all has come."""
    whole = b"".join([bytes(part) async for part in stream])
    await stream.send_all(whole.upper())


async def source(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        await trio.lowlevel.checkpoint()
        yield piece


async def test_a_connection_carries_bytes_both_ways_and_both_ends(tmp_path: Path) -> None:
    async with service(shout) as target, forward_to(target, tmp_path) as (forward, process):
        assert await forward.target() == target
        sent = [bytes([65 + number % 26]) * 50_000 for number in range(40)]
        sequence = await forward.connect()
        async with sequence.exchange(source(*sent, b"end")) as answers:
            assert b"".join([piece async for piece in answers]) == b"".join(sent) + b"END"
        with pytest.raises(InvalidArgument, match="once"):
            async for _ in sequence.exchange(source()):
                pass
        await wait_all_tasks_blocked()
        assert process._open == 0


async def test_a_reader_that_pauses_holds_up_the_target(tmp_path: Path) -> None:
    written = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal written
        with suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(bytes(100_000))
                written += 100_000

    async with service(flood) as target, forward_to(target, tmp_path) as (forward, process):
        sequence = await forward.connect()
        async with sequence.exchange(source()) as answers:
            await anext(answers)
            await wait_all_tasks_blocked(0.05)
            before = written
            await wait_all_tasks_blocked(0.05)
            assert written == before  # what fits the buffers between them, and no more
        with trio.fail_after(5):
            while process._open:
                await wait_all_tasks_blocked()


async def test_a_target_that_breaks_off_and_a_caller_that_leaves(tmp_path: Path) -> None:
    async def read_one(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)

    endless = trio.Event()

    async def for_ever() -> AsyncIterator[bytes]:
        yield b"first"
        await endless.wait()
        yield b"never"

    async with service(read_one) as target, forward_to(target, tmp_path) as (forward, process):
        sequence = await forward.connect()
        with trio.fail_after(5):
            async with sequence.exchange(for_ever()) as answers:
                with pytest.raises(Interrupted, match="broke"):  # unread bytes at its close are a reset
                    await answers.next_batch()
        held = await forward.connect()
        assert process._open == 1
        held.release()
        with trio.fail_after(5):
            while process._open:
                await wait_all_tasks_blocked()


async def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    with trio.socket.socket() as taken:
        await taken.bind((HOST, 0))  # bound, and nobody listens
        target = f"tcp://{HOST}:{taken.getsockname()[1]}"
        async with forward_to(target, tmp_path) as (forward, process):
            with pytest.raises(Refused) as caught:
                await forward.connect()
            assert caught.value.target == target
            assert caught.value.reason
            with pytest.raises(WrongKind):
                await forward.flow()
            assert process._open == 0


async def test_a_flow_carries_datagrams_whole(tmp_path: Path) -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as echo:
        await echo.bind((HOST, 0))
        target = f"udp://{HOST}:{echo.getsockname()[1]}"
        async with forward_to(target, tmp_path) as (forward, process):
            flow = await forward.flow()
            with trio.fail_after(5):
                async with flow.receive() as answers:
                    for data in (b"", b"short", bytes(65_507)):
                        await flow.send(Datagram(data))
                        got, source_address = await echo.recvfrom(65_536)
                        assert got == data
                        await echo.sendto(got[::-1] + b"", source_address)
                        assert (await anext(answers)).data == data[::-1]
                other = await forward.flow()
                assert process._open == 2
                flow.release()
                other.release()
                while process._open:
                    await wait_all_tasks_blocked()
            with pytest.raises(WrongKind):
                await forward.connect()


async def test_datagrams_to_nobody_are_lost_and_the_flow_goes_on(tmp_path: Path) -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as later:
        await later.bind((HOST, 0))
        port = later.getsockname()[1]
    async with forward_to(f"udp://{HOST}:{port}", tmp_path) as (forward, _):
        flow = await forward.flow()
        for _ in range(3):
            await flow.send(Datagram(b"lost"))
        await forward.target()
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as late:
            await late.bind((HOST, port))
            with trio.fail_after(5):
                await flow.send(Datagram(b"found"))
                assert (await late.recvfrom(100))[0] == b"found"


@pytest.mark.parametrize(
    "target", ["", "web", "http://a:80", "tcp://a", "tcp://:80", "udp://a:99999", "tcp://a:80/x", "tcp://[::1"]
)
def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        parse_target(target)
    assert caught.value.hint


def test_targets() -> None:
    assert str(parse_target("tcp://localhost:80")) == "tcp://localhost:80"
    assert str(parse_target("udp://[::1]:53")) == "udp://[::1]:53"
