"""The filesystem process: a local folder, read-only or writable, and nothing outside of it."""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import trio

from firefly import Context
from firefly.errors import Denied, GlowError, InvalidArgument
from firefly.interfaces.filesystem import (
    BadPath,
    Change,
    Entry,
    Exists,
    FileSystemServer,
    Info,
    Kind,
    Mismatch,
    NoSpace,
    NotAFile,
    NotAFolder,
    NotEmpty,
    NotFound,
    Page,
    ReadOnly,
    Stat,
    Written,
)
from firefly.runtime import ArgumentStream
from processes.filesystem.transfer import PIECE, Upload, digest_file, partial_name, read_piece, remove_abandoned
from processes.filesystem.tree import HIDDEN, Refused, Tree
from processes.filesystem.watch import Watching

T = TypeVar("T")
MAX_PAGE = 1000
YES, NO = ("yes", "true", "1"), ("no", "false", "0", "")


class BadConfiguration(GlowError):
    """The process cannot run as it is configured."""


class FileSystemProcess(FileSystemServer):
    """Configuration: `root`, the folder; `writable`, yes or no (default)."""

    async def start(self, context: Context) -> None:
        """Raises BadConfiguration."""
        given = context.configuration
        unknown = sorted(set(given) - {"root", "writable"})
        if unknown or not given.get("root"):
            raise BadConfiguration(
                f"the filesystem does not know {unknown[0]!r}" if unknown else "the filesystem has no root",
                hint="glow create filesystem --label files root=FOLDER writable=no",
            )
        writable = given.get("writable", "no").lower()
        if writable not in YES + NO:
            raise BadConfiguration(f"writable is yes or no, not {writable!r}")
        self._writable = writable in YES
        try:
            self._tree = await trio.to_thread.run_sync(lambda: Tree(Path(given["root"]).expanduser()))
        except OSError as error:
            raise BadConfiguration(f"the folder {given['root']} cannot be served", cause=str(error)) from None
        if self._writable:
            await trio.to_thread.run_sync(remove_abandoned, self._tree)

    async def stop(self) -> None:
        if hasattr(self, "_tree"):
            self._tree.close()

    async def _run(self, path: str, work: Callable[[], T]) -> T:
        """Runs blocking work; what it finds wrong is raised as the interface's own errors."""

        def translated() -> T:
            with _errors(path):
                return work()

        return await trio.to_thread.run_sync(translated)

    def _must_be_writable(self, path: str) -> None:
        if not self._writable:
            raise ReadOnly(path)

    # --- looking

    async def info(self) -> Info:
        found = await self._run("", lambda: os.statvfs(self._tree.root))
        return Info(self._writable, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    async def stat(self, path: str) -> Stat:
        return await self._run(path, lambda: _stat(self._tree.stat(path)))

    async def list(self, path: str, after: str, limit: int) -> Page:
        return await self._run(path, lambda: self._page(path, after, max(1, min(limit, MAX_PAGE))))

    def _page(self, path: str, after: str, limit: int) -> Page:
        names = [name for name in self._tree.names(path) if name > after]
        entries = []
        with self._tree.folder(path) as folder:
            for name in names[:limit]:
                try:
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue  # it went while we looked
                entries.append(Entry(name, _stat(found)))
        return Page(entries, names[limit - 1] if len(names) > limit else None)

    async def digest(self, path: str) -> Written:
        def work() -> Written:
            descriptor = self._tree.open_file(path)
            try:
                size, digest = digest_file(descriptor)
            finally:
                os.close(descriptor)
            return Written(size, digest.digest())

        return await self._run(path, work)

    async def read(self, path: str, offset: int, size: int | None) -> AsyncIterator[bytes]:
        """Reads the next piece while the present one is being sent."""
        descriptor = await self._run(path, lambda: self._tree.open_file(path))
        end = None if size is None else offset + size

        def next_piece(start: int) -> bytes:
            with _errors(path):
                return read_piece(descriptor, start, PIECE if end is None else min(PIECE, end - start))

        try:
            send, receive = trio.open_memory_channel[bytes](1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read_ahead, next_piece, offset, send)
                async for piece in receive:
                    yield piece
        finally:
            os.close(descriptor)

    async def watch(self, path: str) -> AsyncIterator[Change]:
        await self._run(path, lambda: self._tree.stat(path))
        watching = Watching(self._tree.root, path)
        async for change in watching.changes():
            yield change

    # --- changing

    async def write(self, path: str, data: ArgumentStream[bytes]) -> Written:
        self._must_be_writable(path)
        temporary = HIDDEN + "new-" + os.urandom(8).hex()
        upload = await self._run(path, lambda: self._begin(path, temporary, 0))
        finished = False
        try:
            await self._receive(path, upload, data)
            await self._run(path, lambda: upload.finish(path.rpartition("/")[2]))
            finished = True
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_end, upload, finished)
        return Written(upload.size, upload.digest.digest())

    async def unfinished(self, path: str, token: bytes) -> int:
        self._must_be_writable(path)

        def work() -> int:
            with self._tree.parent(path) as (folder, _):
                try:
                    return os.stat(partial_name(path, token), dir_fd=folder, follow_symlinks=False).st_size
                except FileNotFoundError:
                    return 0

        return await self._run(path, work)

    async def upload(self, path: str, token: bytes, offset: int, data: ArgumentStream[bytes]) -> Written:
        self._must_be_writable(path)
        upload = await self._run(path, lambda: self._begin(path, partial_name(path, token), offset))
        try:
            await self._receive(path, upload, data)
        finally:
            upload.close()
        return Written(upload.size, upload.digest.digest())

    async def commit(self, path: str, token: bytes, expected: Written) -> Written:
        self._must_be_writable(path)
        return await self._run(path, lambda: self._commit(path, token, expected))

    def _commit(self, path: str, token: bytes, expected: Written) -> Written:
        name = partial_name(path, token)
        with self._tree.parent(path) as (folder, _):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        upload = Upload.open(self._tree, path, name, expected.size)
        try:
            if upload.digest.digest() != expected.digest:
                found = Mismatch(path, upload.size, upload.digest.digest())
                upload.discard()
                raise found
            upload.finish(path.rpartition("/")[2])
        finally:
            upload.close()
        return expected

    def _begin(self, path: str, temporary: str, offset: int) -> Upload:
        with self._tree.parent(path) as (folder, name):
            try:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                found = None
        if found is not None and not modes.S_ISREG(found.st_mode):
            raise Refused(path, "it is not a regular file") if modes.S_ISLNK(found.st_mode) else NotAFile(path)
        return Upload.open(self._tree, path, temporary, offset)

    async def _receive(self, path: str, upload: Upload, data: ArgumentStream[bytes]) -> None:
        """Writes what comes, a good piece in one hop to a thread while the next one gathers."""
        pieces: list[bytes] = []
        size = 0
        async for items in data.batches():
            pieces += items
            size += sum(map(len, items))
            if size >= PIECE:
                ready, pieces, size = pieces, [], 0
                await self._run(path, lambda ready=ready: upload.write(ready))  # type: ignore[misc]
        if pieces:
            await self._run(path, lambda: upload.write(pieces))

    async def mkdir(self, path: str, parents: bool) -> None:
        self._must_be_writable(path)

        def work() -> None:
            segments = path.split("/")
            for depth in range(1 if parents else len(segments), len(segments)):
                try:
                    self._make_folder("/".join(segments[:depth]))
                except FileExistsError:
                    continue
            self._make_folder(path)

        await self._run(path, work)

    def _make_folder(self, path: str) -> None:
        with self._tree.parent(path) as (folder, name):
            os.mkdir(name, dir_fd=folder)
            os.fsync(folder)

    async def remove(self, path: str, recursive: bool) -> None:
        self._must_be_writable(path)

        def work() -> None:
            with self._tree.parent(path) as (folder, name):
                if not modes.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=folder)
                elif recursive:
                    self._tree.remove_tree(folder, name)
                else:
                    os.rmdir(name, dir_fd=folder)
                os.fsync(folder)

        await self._run(path, work)

    async def rename(self, from_: str, to: str) -> None:
        self._must_be_writable(from_)

        def work() -> None:
            with self._tree.parent(from_) as (source, old), self._tree.parent(to) as (target, new):
                os.stat(old, dir_fd=source, follow_symlinks=False)
                try:
                    os.stat(new, dir_fd=target, follow_symlinks=False)
                except FileNotFoundError:
                    os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
                    os.fsync(target)
                    return
                raise Exists(to)

        await self._run(from_, work)


async def _read_ahead(next_piece: Callable[[int], bytes], offset: int, send: trio.MemorySendChannel[bytes]) -> None:
    async with send:
        while True:
            piece = await trio.to_thread.run_sync(next_piece, offset)
            if not piece:
                return
            offset += len(piece)
            await send.send(piece)


def _end(upload: Upload, finished: bool) -> None:
    try:
        if not finished:
            upload.discard()
    finally:
        upload.close()


def _stat(found: os.stat_result) -> Stat:
    mode = found.st_mode
    kinds = ((modes.S_ISREG, Kind.FILE), (modes.S_ISDIR, Kind.FOLDER), (modes.S_ISLNK, Kind.LINK))
    kind = next((kind for test, kind in kinds if test(mode)), Kind.OTHER)
    size = found.st_size if kind is Kind.FILE else 0
    return Stat(kind, size, datetime.fromtimestamp(found.st_mtime, UTC), modes.S_IMODE(mode))


_KNOWN: dict[int, Callable[[str], Any]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotAFolder,
    errno.EISDIR: NotAFile,
    errno.EEXIST: Exists,
    errno.ENOTEMPTY: NotEmpty,
    errno.EROFS: ReadOnly,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.ELOOP: lambda path: BadPath(path, "it is a link, and links are not followed"),
    errno.ENAMETOOLONG: lambda path: BadPath(path, "a name in it is too long"),
}


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """The interface's errors for those of the operating system."""
    try:
        yield
    except Refused as error:
        raise BadPath(error.path, error.reason) from None
    except PermissionError as error:
        raise Denied(
            f"the device does not let this process touch {path!r}",
            cause=error.strerror or "",
            hint="check the owner and the mode of the file on that device",
        ) from None
    except OSError as error:
        known = _KNOWN.get(error.errno or 0)
        if known is not None:
            raise known(path) from None
        if error.errno == errno.EINVAL:
            raise InvalidArgument(f"{path}: {error.strerror}") from None
        raise GlowError(f"{path}: {error.strerror}") from None
