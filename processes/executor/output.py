"""What a running program writes, on its way from wasmtime's threads to the task that sends it."""

from __future__ import annotations

import errno
import threading

import trio

PIECE = 60_000
"""Bytes of one item, so that it fits one packet."""
MAX_WAITING = 1 << 20
"""Bytes that wait for their reader, each write counted with its overhead; then the program waits in its write."""
OVERHEAD = 128
STDOUT, STDERR = 1, 2


class OutputBuffer:
    """Bounded. `write` is called on any thread, everything else on trio's.

    Once the program has written more than `limit` bytes, `exceeded` is true and what is over is dropped.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.exceeded = False
        self._token = trio.lowlevel.current_trio_token()
        self._pieces: list[tuple[int, bytes]] = []
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._arrived = trio.Event()

    def write(self, stream: int, data: bytes) -> int:
        """How much of it was taken, or a negative error number. Blocks while too much waits."""
        with self._changed:
            while self._waiting >= MAX_WAITING and not self._closed:
                self._changed.wait()
            if self._closed or self.exceeded:
                return -errno.EIO
            taken = data[: self._left]
            self._left -= len(taken)
            self.exceeded = len(taken) < len(data)
            first = not self._pieces
            if taken:
                self._pieces.append((stream, taken))
                self._waiting += len(taken) + OVERHEAD
        if first or self.exceeded:
            self._wake()
        return len(data)

    def _wake(self) -> None:
        try:
            self._token.run_sync_soon(self._notice)
        except trio.RunFinishedError:
            self.close()

    def _notice(self) -> None:
        self._arrived.set()

    def close(self) -> None:
        """The program has ended, or is to end: what it writes from now on fails, what it wrote can still be read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._notice()

    async def next(self) -> list[tuple[int, bytes]] | None:
        """What was written since the last time, in pieces of one stream each; None after the end."""
        while not self._pieces:
            if self._closed or self.exceeded:
                return None
            await self._arrived.wait()
            self._arrived = trio.Event()
        with self._changed:
            taken, self._pieces = self._pieces, []
            self._waiting = 0
            self._changed.notify_all()
        return joined(taken)


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Small writes to one stream become one piece, large ones several."""
    runs: list[tuple[int, list[bytes]]] = []
    for stream, data in pieces:
        if runs and runs[-1][0] == stream:
            runs[-1][1].append(data)
        else:
            runs.append((stream, [data]))
    whole = ((stream, b"".join(run)) for stream, run in runs)
    return [(stream, data[start : start + PIECE]) for stream, data in whole for start in range(0, len(data), PIECE)]
