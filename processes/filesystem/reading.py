"""Files on their way out: pieces that are read while the one before is being sent, and digests."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import trio

from firefly.errors import Interrupted
from processes.background import Background
from processes.filesystem.hops import Hops

PIECE = 2**20
"""Bytes of one hop to a thread."""
DIGEST_PIECE = 64 * 2**20
"""Bytes that are hashed in one hop; between two of them a call can be cancelled."""
_BUFFER = 4 * 2**20
"""Bytes of one read to hash: each takes the interpreter's lock twice, and waits for it."""


def read_piece(file: io.FileIO, size: int) -> bytes:
    """The next `size` bytes, fewer only at the end of the file. Blocks."""
    data = file.read(size)
    if not data or len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and (data := file.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def hash_piece(file: io.FileIO, digest: Any, size: int) -> int:
    """Adds the next `size` bytes to a digest; returns how many there were. Blocks."""
    buffer = memoryview(bytearray(min(_BUFFER, size)))
    done = 0
    while done < size:
        count = file.readinto(buffer[: size - done])
        if not count:
            break
        digest.update(buffer[:count])
        done += count
    return done


async def digest_of(file: io.FileIO, hop: Hops, size: int | None = None) -> tuple[int, Any]:
    """(bytes, SHA-256 object) of what follows in a file, of at most `size` bytes."""
    digest, done = hashlib.sha256(), 0
    while size is None or done < size:
        step = DIGEST_PIECE if size is None else min(DIGEST_PIECE, size - done)
        count = await hop(partial(hash_piece, file, digest, step))
        done += count
        if count < step:
            break
    return done, digest


class Reading:
    """An open file that is being sent from `offset` on, at most `size` bytes.

    What follows the first piece is read by a task of its own, ahead of who takes the pieces: at most three in memory.
    """

    def __init__(self, file: io.FileIO, offset: int, size: int | None) -> None:
        """Owns the file from now on, and reads the first piece. Blocks. Raises OSError."""
        self._file = file
        self._left = size
        self._complete = False  # everything was handed over
        try:
            if offset >= os.fstat(file.fileno()).st_size:
                self._left = 0
            else:
                file.seek(offset)
            self._first = self._next()
        except OSError:
            file.close()
            raise
        if self._is_last(self._first):
            self._complete = True
            file.close()

    def _next(self) -> bytes:
        piece = read_piece(self._file, PIECE if self._left is None else min(PIECE, self._left))
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def _is_last(self, piece: bytes) -> bool:
        return len(piece) < PIECE or self._left == 0

    async def pieces(self, background: Background, hop: Hops) -> AsyncGenerator[bytes, None]:
        """All pieces. Raises what reading them raised; Interrupted if the process stops before."""
        if self._complete:
            yield self._first
            return
        send, receive = trio.open_memory_channel[bytes | Exception](1)
        try:
            background.start_soon(self._read_ahead, send, hop)
        except Interrupted:
            self._file.close()
            raise
        with receive:
            yield self._first
            async for piece in receive:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        if not self._complete:
            raise Interrupted("the process that serves the file has stopped", hint="try again")

    async def _read_ahead(self, send: trio.MemorySendChannel[bytes | Exception], hop: Hops) -> None:
        with send, self._file:
            try:
                while not self._complete:
                    piece = await hop(self._next)
                    await send.send(piece)
                    self._complete = self._is_last(piece)
            except trio.BrokenResourceError:
                return  # whoever took the pieces has gone
            except Exception as error:
                await send.send(error)
