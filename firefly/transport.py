"""Frames over a non-blocking stream socket: one reader task, one writer task, plain calls between them.

The writer pulls: `next_frame` is asked when the socket takes more, so batches grow with load. After a batch was read,
what it caused is written in the same step; so is a lone call (`kick(now=True)`). Everything else waits for the writer
task, one turn later, and leaves together (docs/concepts/architecture.md, Performance is designed in).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio

from firefly.errors import GlowError

SMALL_READ, LARGE_READ = 72 * 2**10, 256 * 2**10
CALM = 32
"""Reads after the start, or a rest, that are expected to bring little."""
WORK_LIMIT = 2**20
"""Bytes handled before other tasks get a turn."""

WOULD_BLOCK = (BlockingIOError, InterruptedError)


class _Buffer(threading.local):
    """Where the sockets of a thread are read into while little is expected: a new buffer of SMALL_READ for each message
    leaves holes in the heap. A copy does not use it: chunks of 64 KiB would take 15 % longer.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(SMALL_READ))


_buffer = _Buffer()


class Socket(Protocol):
    """What is needed of a socket that does not block: a `socket.socket` has it, and so has what wraps one.

    `recv` may give more than was asked for, so that nothing is left where the operating system cannot see it.
    """

    def setblocking(self, flag: bool, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: memoryview, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class FramedSocket:
    """Owns `sock` from here on and closes it in `close`.

    `next_frame()` gives the next whole frame to write, None if there is none. `received(data)` gets what was read;
    what it raises ends `run`, as does the end of the stream (returns) and an OSError (raised). While `full()` nothing
    is read: who asks on and on without reading the answers has to wait.
    """

    def __init__(
        self,
        sock: Socket,
        next_frame: Callable[[], bytes | None],
        received: Callable[[bytes], None],
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._next_frame = next_frame
        self._received = received
        self._full = full
        self._room: trio.Event | None = None
        self._rest: memoryview | None = None
        self._writer: trio.lowlevel.Task | None = None
        self._woken = False
        self._reading = self._writing = False
        self._written: trio.Event | None = None
        self._failed: OSError | None = None
        self._calm = CALM
        self.closed = False
        self.sent_bytes = 0
        self.received_bytes = 0

    @property
    def blocked(self) -> bool:
        """True while the peer's side takes no more."""
        return self._rest is not None

    def rest(self) -> None:
        """Nothing has been read or written for a while."""
        self._calm = CALM

    def kick(self, now: bool = False) -> None:
        """There is something to write: at once if `now` and the socket is idle, else when the writer has its turn.

        While something is read or written nothing is begun: a frame must not overtake, or split, the one in hand.
        """
        if self._reading or self._writing or self.closed:
            return
        if not now or self._rest is not None or self._woken or self._write():
            self._wake()

    def hurry(self) -> None:
        """There is enough for a frame: it is written at once if the socket is idle, also while something is read."""
        if not self._writing and not self.closed and self._rest is None and self._write():
            self._wake()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            if self._writer is not None:
                trio.lowlevel.reschedule(self._writer)
                self._writer = None

    def _write(self) -> bool:
        """Writes until nothing is left (False), or the socket is full or WORK_LIMIT bytes went (True)."""
        self._writing = True
        try:
            left = self._write_frames()
        finally:
            self._writing = False
            self._wake_reader()
        if not left and self._written is not None:
            self._written.set()
        return left

    def _write_frames(self) -> bool:
        done = 0
        while done < WORK_LIMIT:
            data = self._rest
            if data is None:
                frame = self._next_frame()
                if frame is None:
                    return False
                data = memoryview(frame)
            try:
                count = self._sock.send(data)
            except WOULD_BLOCK:
                count = 0
            except OSError as error:
                self._fail(error)
                return False
            done += count
            self.sent_bytes += count
            self._rest = None if count == len(data) else data[count:]
            if self._rest is not None:
                return True
        return True

    def _wake_reader(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _fail(self, error: OSError) -> None:
        """Nothing can be written any more; the reader is woken to end."""
        self._failed = error
        self._rest = None
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            self.closed = True  # it was not connected any more: nothing is left to shut

    async def run(self) -> None:
        """Reads and writes until the peer closes the stream, `close` is called or something fails."""
        failed: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_writer)
            try:
                await self._run_reader()
            except trio.ClosedResourceError:
                self.closed = True
            except (OSError, GlowError) as error:
                failed = error
            nursery.cancel_scope.cancel()
        if self._written is not None:
            self._written.set()
        failed = failed or self._failed
        if failed is not None and not self.closed:
            raise failed

    async def _run_reader(self) -> None:
        sock, size, since_turn = self._sock, SMALL_READ, 0
        plain, buffer = sock if isinstance(sock, socket.socket) else None, _buffer.view
        while not self.closed:
            if self._full() and self._failed is None:
                self._room = trio.Event()
                await self._room.wait()
                continue
            try:
                if plain is not None and self._calm:
                    self._calm -= 1
                    data = bytes(buffer[: plain.recv_into(buffer)])
                else:
                    data = sock.recv(size)
            except WOULD_BLOCK:
                since_turn = 0
                await trio.lowlevel.wait_readable(sock)
                continue
            if not data:
                return
            self.received_bytes += len(data)
            since_turn += len(data)
            size = LARGE_READ if len(data) >= size else SMALL_READ
            self._reading = True
            try:
                self._received(data)
            finally:
                self._reading = False
            if self.closed:
                return
            if self._rest is None and self._write():
                self._wake()
            if since_turn >= WORK_LIMIT:
                since_turn = 0
                await trio.lowlevel.checkpoint()
            elif len(data) < size:
                await trio.lowlevel.wait_readable(sock)
                since_turn = 0

    async def _run_writer(self) -> None:
        while not self.closed:
            if self._rest is not None:
                try:
                    await trio.lowlevel.wait_writable(self._sock)
                except trio.ClosedResourceError:
                    return
            elif not self._woken:
                self._writer = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort)
            self._woken = False
            if not self.closed and self._write() and self._rest is None:
                self._woken = True
                await trio.lowlevel.checkpoint()

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def drain(self) -> None:
        """Waits until everything that was to be written is written, or `run`, which must be running, has ended."""
        if self.closed or (self._rest is None and not self._write()):
            return
        self._wake()
        self._written = trio.Event()
        await self._written.wait()

    def close(self, last: bytes = b"") -> None:
        """Ends `run`, if it is running, and closes the socket.

        `last` is said before, if the socket is idle and takes it: nobody waits for that.
        """
        if self._sock.fileno() >= 0:
            if last and not self._writing and self._rest is None and self._failed is None:
                with suppress(OSError):
                    self._sock.send(memoryview(last))
            self.closed = True
            self._wake_reader()
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
