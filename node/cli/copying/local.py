"""The disk of this device as one end of a copy. Everything that can block runs in a thread, a chunk at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from firefly.errors import Busy
from firefly.interfaces.filesystem import Kind, Mismatch, Written
from firefly.runtime import ITEM_SIZE
from node.cli.copying.place import AHEAD, CHUNK, SMALL, Batches, Item, Reading, Writing, part_name

_in_thread = trio.to_thread.run_sync


class LocalDisk:
    """The files that this user can reach. Paths may be relative to the working directory."""

    name = "this device"

    def join(self, folder: str, name: str) -> str:
        return os.path.join(folder, name)

    def beside(self, path: str, name: str) -> str:
        return os.path.join(os.path.dirname(os.path.abspath(path)), name)

    def whole(self, path: str) -> str:
        return os.path.realpath(path)

    async def stat(self, path: str) -> Item | None:
        return await _in_thread(_stat, path)

    async def children(self, path: str) -> list[tuple[str, Item]]:
        return await _in_thread(_children, path)

    async def mkdir(self, path: str) -> None:
        await _in_thread(os.mkdir, path)

    async def rename(self, old: str, new: str) -> None:
        await _in_thread(os.rename, old, new)

    async def digest(self, path: str) -> Written:
        return await _in_thread(_digest, path)

    @asynccontextmanager
    async def reading(self, path: str, offset: int) -> AsyncIterator[Reading]:
        """Reads and hashes ahead of whoever takes the batches."""
        reader = _Reader(path)
        try:
            await _in_thread(reader.begin, offset)
            async with trio.open_nursery() as nursery:
                ahead, batches = trio.open_memory_channel[list[bytes]](AHEAD)
                nursery.start_soon(reader.run, ahead)
                yield Reading(batches, reader.whole)
                nursery.cancel_scope.cancel()
        finally:
            reader.close()

    @asynccontextmanager
    async def writing(self, path: str, token: bytes, size: int, fresh: bool) -> AsyncIterator[Writing]:
        """The part stays for a later run if it is worth it, unless it was committed."""
        part = self.beside(path, part_name(token))
        writer = await _in_thread(partial(_Writer, part, path, fresh=fresh))
        try:
            yield writer
        finally:
            writer.close()


def _stat(path: str) -> Item | None:
    try:
        return _item(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _item(found: os.stat_result) -> Item:
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}
    kind = kinds.get(stat.S_IFMT(found.st_mode), Kind.OTHER)
    size = found.st_size if kind == Kind.FILE else 0
    return Item(kind, size, f"{found.st_mtime_ns}-{found.st_ino}", stat.S_IMODE(found.st_mode))


def _children(path: str) -> list[tuple[str, Item]]:
    with os.scandir(path) as entries:
        return sorted((entry.name, _item(entry.stat(follow_symlinks=False))) for entry in entries)


def _digest(path: str) -> Written:
    with open(path, "rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return Written(file.tell(), digest)


def _hash_start(descriptor: int, size: int) -> hashlib._Hash:
    """SHA-256 so far of the first `size` bytes; leaves the descriptor behind them."""
    hasher = hashlib.sha256()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while size and (data := os.read(descriptor, min(size, CHUNK))):
        hasher.update(data)
        size -= len(data)
    return hasher


def _open_part(part: str) -> int:
    """Raises OSError, about the folder where it is the folder's fault."""
    try:
        return os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise type(error)(error.errno, error.strerror, os.path.dirname(part)) from None


class _Reader:
    """Reads one file into pieces that fit an item of a stream each."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._hasher = hashlib.sha256()
        self._size = 0

    def begin(self, offset: int) -> None:
        """Skips what the other end has, and hashes it."""
        self._hasher = _hash_start(self._descriptor, offset)
        self._size = os.lseek(self._descriptor, 0, os.SEEK_CUR)

    async def run(self, ahead: trio.MemorySendChannel[list[bytes]]) -> None:
        async with ahead:
            while batch := await _in_thread(self._chunk):
                await ahead.send(batch)

    def _chunk(self) -> list[bytes]:
        batch: list[bytes] = []
        for _ in range(CHUNK // ITEM_SIZE):
            piece = os.read(self._descriptor, ITEM_SIZE)
            if not piece:
                break
            self._hasher.update(piece)
            self._size += len(piece)
            batch.append(piece)
        return batch

    async def whole(self) -> Written:
        return Written(self._size, self._hasher.digest())

    def close(self) -> None:
        os.close(self._descriptor)


class _Writer:
    """Writes one part. It is locked, so two runs of the same command do not write one part at once."""

    def __init__(self, part: str, final: str, *, fresh: bool) -> None:
        self._part = part
        self._final = final
        self._descriptor = _open_part(part)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if fresh:
                os.ftruncate(self._descriptor, 0)
            self.kept = os.fstat(self._descriptor).st_size
            self._hasher = _hash_start(self._descriptor, self.kept)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Busy(f"another command is writing {final}", hint="let it finish, or stop it") from None
        except OSError:
            os.close(self._descriptor)
            raise
        self._size = self.kept
        self._open = True

    async def append(self, batches: Batches) -> None:
        """Collects chunks from the network while a thread writes those before."""
        async with trio.open_nursery() as nursery:
            ahead, chunks = trio.open_memory_channel[list[bytes]](AHEAD)
            nursery.start_soon(self._run, chunks)
            async with ahead:
                chunk: list[bytes] = []
                size = 0
                async for batch in batches:
                    chunk += batch
                    size += sum(map(len, batch))
                    if size >= CHUNK:
                        await ahead.send(chunk)
                        chunk, size = [], 0
                if chunk:
                    await ahead.send(chunk)

    async def _run(self, chunks: trio.MemoryReceiveChannel[list[bytes]]) -> None:
        async for chunk in chunks:
            await _in_thread(self._write, chunk)

    def _write(self, chunk: list[bytes]) -> None:
        for piece in chunk:
            self._hasher.update(piece)
            written = os.write(self._descriptor, piece)
            while written < len(piece):
                written += os.write(self._descriptor, memoryview(piece)[written:])
            self._size += len(piece)

    async def commit(self, expected: Written, mode: int) -> None:
        if (self._size, self._hasher.digest()) != (expected.size, expected.digest):
            os.unlink(self._part)
            raise Mismatch(self._final, self._size, self._hasher.digest())
        await _in_thread(self._name, mode)

    def _name(self, mode: int) -> None:
        """On disk before it has its name, so that a power cut leaves no half file under it."""
        created = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        os.fchmod(self._descriptor, mode & (created | (created & 0o444) >> 2))
        os.fsync(self._descriptor)
        os.replace(self._part, self._final)
        self._close()

    def close(self) -> None:
        """Ends a part that was not committed: kept if there is much of it."""
        if not self._open:
            return
        if self._size < SMALL and os.path.exists(self._part):
            os.unlink(self._part)
        self._close()

    def _close(self) -> None:
        self._open = False
        os.close(self._descriptor)
