"""Frames over a real socket pair arrive whole and in order, whatever the socket takes at a time."""

import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from firefly.errors import BadMessage
from firefly.transport import WORK_LIMIT, FramedSocket


class End:
    """One end: what waits to be written, and what was read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting: deque[bytes] = deque()
        self.data = bytearray()
        self.more = trio.Event()
        self.asked = 0
        self.full = False
        self.pump = FramedSocket(sock, self._next_frame, self._received, lambda: self.full)

    def _next_frame(self) -> bytes | None:
        self.asked += 1
        return self.waiting.popleft() if self.waiting else None

    def _received(self, data: bytes) -> None:
        self.data += data
        self.more.set()
        self.more = trio.Event()

    def send(self, *frames: bytes, now: bool = False) -> None:
        self.waiting += frames
        self.pump.kick(now)

    async def until(self, size: int) -> bytes:
        while len(self.data) < size:
            await self.more.wait()
        return bytes(self.data)


@pytest.fixture
def pair() -> Iterator[tuple[End, End]]:
    ends = tuple(map(End, socket.socketpair()))
    for end in ends:
        end.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    yield ends[0], ends[1]
    for end in ends:
        end.sock.close()


@asynccontextmanager
async def running(*ends: End) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.pump.run)
        await wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def test_frames_arrive(pair: tuple[End, End]) -> None:
    near, far = pair
    async with running(near, far):
        near.send(b"one", b"two")
        assert await far.until(6) == b"onetwo"
        far.send(b"back")
        assert await near.until(4) == b"back"
    assert (near.pump.sent_bytes, near.pump.received_bytes) == (6, 4)


async def test_what_the_socket_does_not_take_at_once_follows(pair: tuple[End, End]) -> None:
    near, far = pair
    frames = [struct.pack(">I", number) * 5_000 for number in range(200)]
    async with running(near):
        near.send(*frames)
        await wait_all_tasks_blocked()
        assert near.pump.blocked
        assert len(near.waiting) > 190
        async with running(far):
            assert await far.until(sum(map(len, frames))) == b"".join(frames)
        assert not near.pump.blocked


async def test_much_goes_both_ways_at_the_same_time(pair: tuple[End, End]) -> None:
    near, far = pair
    up, down = [b"u" * 70_000] * 60, [b"d" * 70_000] * 60
    async with running(near, far):
        near.send(*up)
        far.send(*down)
        assert await far.until(70_000 * 60) == b"".join(up)
        assert await near.until(70_000 * 60) == b"".join(down)


async def test_a_lone_frame_leaves_at_once_and_others_in_the_writers_turn(pair: tuple[End, End]) -> None:
    near, _ = pair
    async with running(near):
        near.send(b"now", now=True)
        assert near.pump.sent_bytes == 3
        near.send(b"later")
        near.send(b"and together", now=True)
        assert near.pump.sent_bytes == 3
        await wait_all_tasks_blocked()
        assert near.pump.sent_bytes == 3 + 5 + 12


async def test_before_it_runs_frames_wait_for_it(pair: tuple[End, End]) -> None:
    near, far = pair
    near.send(b"early")
    async with running(near, far):
        assert await far.until(5) == b"early"


async def test_more_than_is_written_in_one_turn_is_written_in_the_next(pair: tuple[End, End]) -> None:
    near, far = pair
    near.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * WORK_LIMIT)
    frames = [bytes(WORK_LIMIT // 8)] * 20
    async with running(near, far):
        near.send(*frames, now=True)
        assert len(await far.until(len(frames) * WORK_LIMIT // 8)) == len(frames) * WORK_LIMIT // 8


async def test_what_was_read_is_answered_in_the_same_step(pair: tuple[End, End]) -> None:
    near, far = pair
    sent_while_reading: list[int] = []

    def answer(data: bytes) -> None:
        far.send(b"first", now=True)
        far.send(b"second", now=True)
        sent_while_reading.append(far.pump.sent_bytes)

    far.pump._received = answer
    async with running(near, far):
        near.send(b"question")
        assert await near.until(11) == b"firstsecond"
    assert sent_while_reading == [0]


async def test_a_frame_that_is_caused_by_taking_another_does_not_overtake_it(pair: tuple[End, End]) -> None:
    near, far = pair
    frames = deque([b"a" * 3000, b"b" * 3000, b"c" * 30_000, b"d" * 3000])

    def next_frame() -> bytes | None:
        if not frames:
            return None
        frame = frames.popleft()
        near.pump.kick(now=True)
        return frame

    near.pump._next_frame = next_frame
    async with running(near, far):
        near.pump.kick(now=True)
        assert await far.until(39_000) == b"a" * 3000 + b"b" * 3000 + b"c" * 30_000 + b"d" * 3000


async def test_it_ends_when_the_peer_closes(pair: tuple[End, End]) -> None:
    near, far = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.pump.run)
        far.sock.sendall(b"last words")
        far.sock.close()
    assert bytes(near.data) == b"last words"


async def test_it_ends_when_it_is_closed(pair: tuple[End, End]) -> None:
    near, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.pump.run)
        await wait_all_tasks_blocked()
        near.pump.close()
        near.pump.close()
    near.send(b"too late", now=True)
    assert near.pump.sent_bytes == 0
    assert near.sock.fileno() == -1


async def test_it_ends_when_it_is_closed_while_the_socket_is_full(pair: tuple[End, End]) -> None:
    near, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.pump.run)
        near.send(*[bytes(60_000)] * 20)
        await wait_all_tasks_blocked()
        assert near.pump.blocked
        near.pump.close()


async def test_it_can_be_closed_by_what_it_reads(pair: tuple[End, End]) -> None:
    near, far = pair
    near.pump._received = lambda data: near.pump.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.pump.run)
        far.sock.sendall(b"go")
    assert near.pump.closed


async def test_a_peer_that_breaks_the_rules_ends_it_with_that_error(pair: tuple[End, End]) -> None:
    near, far = pair

    def refuse(data: bytes) -> None:
        raise BadMessage("no")

    near.pump._received = refuse
    far.sock.sendall(b"nonsense")
    with pytest.raises(BadMessage, match="no"):
        await near.pump.run()


async def test_a_connection_that_breaks_ends_it_with_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        near = End(client)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with pytest.raises(ConnectionResetError):
            await near.pump.run()
        near.pump.close()


async def test_writing_to_a_peer_that_is_gone_ends_it(pair: tuple[End, End]) -> None:
    near, far = pair
    far.sock.close()
    near.send(b"to nobody", now=True)
    with trio.fail_after(30), suppress(OSError):
        await near.pump.run()
    near.send(b"still nobody", now=True)
    assert near.pump.sent_bytes == 0


async def test_draining_waits_until_all_is_written(pair: tuple[End, End]) -> None:
    near, far = pair
    async with running(near):
        await near.pump.drain()
        near.send(*[bytes(60_000)] * 20)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.pump.drain)
            await wait_all_tasks_blocked()
            assert near.waiting
            nursery.start_soon(far.pump.run)
            await far.until(20 * 60_000)
            await wait_all_tasks_blocked()
            far.pump.close()
        assert not near.waiting


async def test_draining_ends_when_the_socket_does(pair: tuple[End, End]) -> None:
    near, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.pump.run)
        near.send(*[bytes(60_000)] * 20)
        await wait_all_tasks_blocked()
        nursery.start_soon(near.pump.drain)
        await wait_all_tasks_blocked()
        near.pump.close()
    await near.pump.drain()


async def test_a_reader_that_always_has_something_lets_others_have_their_turn(pair: tuple[End, End]) -> None:
    near, far = pair
    turns: list[int] = []

    async def other() -> None:
        while len(far.data) < 30 * WORK_LIMIT:
            turns.append(len(far.data))
            await trio.lowlevel.checkpoint()

    near.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * WORK_LIMIT)
    async with running(near, far), trio.open_nursery() as nursery:
        near.send(*[bytes(WORK_LIMIT // 8)] * 240)
        nursery.start_soon(other)
        await far.until(30 * WORK_LIMIT)
    steps = [after - before for before, after in pairwise(turns)]
    assert max(steps) <= 2 * WORK_LIMIT


async def test_what_is_enough_for_a_frame_leaves_while_something_is_read(pair: tuple[End, End]) -> None:
    near, far = pair
    seen: list[bytes] = []

    def hurrying(data: bytes) -> None:
        near.waiting.append(b"early")
        near.pump.kick(True)  # waits until all is read
        assert near.waiting
        near.pump.hurry()
        assert not near.waiting
        seen.append(far.sock.recv(100))
        near.data += data

    near.pump._received = hurrying
    async with running(near):
        far.sock.sendall(b"go")
        with trio.fail_after(5):
            while not near.data:
                await trio.lowlevel.checkpoint()
    assert seen == [b"early"]


async def test_hurry_does_not_overtake_what_is_being_written(pair: tuple[End, End]) -> None:
    near, far = pair
    frames = deque([b"first ", b"second"])

    def next_frame() -> bytes | None:
        near.pump.hurry()  # what taking a frame causes
        return frames.popleft() if frames else None

    near.pump._next_frame = next_frame
    async with running(near, far):
        near.pump.kick(True)
        assert await far.until(12) == b"first second"


async def test_hurry_waits_behind_what_the_socket_has_not_taken(pair: tuple[End, End]) -> None:
    near, far = pair
    big = bytes(WORK_LIMIT)
    async with running(near):
        near.send(big, now=True)
        assert near.pump.blocked
        near.waiting.append(b"later")
        near.pump.hurry()
        assert near.waiting
        async with running(far):
            assert await far.until(len(big) + 5) == big + b"later"


async def test_while_it_is_full_nothing_is_read(pair: tuple[End, End]) -> None:
    near, far = pair
    async with running(near, far):
        far.full = True
        near.send(b"one")
        await wait_all_tasks_blocked()
        assert not far.data
        far.full = False
        far.send(b"what made it full")
        assert await far.until(3) == b"one"


async def test_one_that_is_full_ends_with_its_peer(pair: tuple[End, End]) -> None:
    near, far = pair
    near.full = True
    with pytest.RaisesGroup(pytest.RaisesExc((BrokenPipeError, ConnectionResetError))):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.pump.run)
            await wait_all_tasks_blocked()
            near.send(bytes(100_000))
            await wait_all_tasks_blocked()
            far.sock.close()


async def test_the_last_word_is_said_when_the_socket_is_idle(pair: tuple[End, End]) -> None:
    near, far = pair
    near.pump.close(b"farewell")
    with trio.fail_after(5):
        await far.pump.run()
    assert far.data == b"farewell"
    near.pump.close(b"again")  # which nobody hears


async def test_the_last_word_does_not_split_what_the_socket_has_not_taken(pair: tuple[End, End]) -> None:
    near, far = pair
    near.send(bytes(WORK_LIMIT), now=True)
    assert near.pump.blocked
    near.pump.close(b"farewell")
    with trio.fail_after(5):
        await far.pump.run()
    assert set(far.data) == {0}
