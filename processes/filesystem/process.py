"""The filesystem process: a folder of this device, read-only or writable, and nothing outside of it."""

from __future__ import annotations

import builtins
import os
import stat as modes
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from firefly import Context
from firefly.errors import Denied
from firefly.interfaces.filesystem import (
    Change,
    Entry,
    FileSystemServer,
    Info,
    Kind,
    Mismatch,
    Page,
    Place,
    ReadOnly,
    Stat,
    Written,
)
from firefly.runtime import ArgumentStream, current_call
from processes.background import Background, run_until_stopped
from processes.configuration import BadConfiguration, check_names
from processes.filesystem.edits import make_folder, make_folders, remove, rename
from processes.filesystem.failures import explained
from processes.filesystem.hops import Hops
from processes.filesystem.reading import PIECE, Reading, digest_of
from processes.filesystem.transfer import (
    Unfinished,
    fresh_name,
    partial_name,
    remove_abandoned,
    unfinished_size,
)
from processes.filesystem.tree import Tree
from processes.filesystem.uploads import Uploads
from processes.filesystem.watchers import Watchers

MAX_PAGE = 1000
THREADS = 16
"""Of one process, watchers aside."""
YES_NO = {"yes": True, "no": False}
_LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
HINT = "glow create filesystem --label files root=FOLDER writable=no"


class FileSystemProcess(FileSystemServer):
    """Configuration: `root`, the folder; `writable`, yes or no (default)."""

    async def start(self, context: Context) -> None:
        """Raises BadConfiguration."""
        self._root, self._writable = read_configuration(context.configuration)
        try:
            self._tree = await trio.to_thread.run_sync(Tree, self._root)
        except OSError as error:
            raise BadConfiguration(
                f"the folder {self._root} cannot be served", cause=error.strerror or str(error)
            ) from None
        self._limiter = trio.CapacityLimiter(THREADS)
        self._background = await Background.open(context.nursery)
        self._uploads = Uploads(self._tree)
        self._watchers = Watchers(self._tree, self._background)
        if self._writable:
            self._background.start_soon(self._clean_up)

    async def stop(self) -> None:
        try:
            await self._background.close()
        finally:
            self._uploads.close()
            self._tree.close()

    async def _clean_up(self) -> None:
        """Looks for abandoned uploads everywhere, beside all other work."""
        stop = threading.Event()
        await run_until_stopped(partial(remove_abandoned, self._tree, stop.is_set), stop, self._limiter)

    def _hops(self, method: str, path: str) -> Hops:
        return Hops(self._limiter, method, path)

    def _must_be_writable(self, path: str) -> None:
        if not self._writable:
            raise ReadOnly(path)

    # --- looking

    async def info(self) -> Info:
        def work() -> Info:
            with self._tree.folder("") as folder:
                return Info(self._writable, *folder.space())

        return await self._hops("info", "")(work)

    async def stat(self, path: str) -> Stat:
        return to_stat(await self._hops("stat", path)(partial(self._tree.stat, path)))

    async def list(self, path: str, after: str, limit: int) -> Page:
        wanted = max(1, min(limit, MAX_PAGE))
        found, following = await self._hops("list", path)(partial(self._tree.page, path, after, wanted))
        return Page([Entry(name, to_stat(status)) for name, status in found], following)

    async def digest(self, path: str) -> Written:
        hop = self._hops("digest", path)
        with await hop(partial(self._tree.open_file, path)) as file:
            size, digest = await digest_of(file, hop)
        return Written(size, digest.digest())

    async def read(self, path: str, offset: int, size: int | None) -> AsyncIterator[bytes]:
        """The runtime cuts the pieces so that each item fits a packet."""
        hop = self._hops("read", path)
        reading = await hop(lambda: Reading(self._tree.open_file(path), offset, size))
        async with aclosing(reading.pieces(self._background, hop)) as pieces:
            async for piece in pieces:
                yield piece

    async def watch(self, path: str) -> AsyncIterator[Change]:
        async with aclosing(self._watchers.changes(path, self._hops("watch", path))) as changes:
            async for change in changes:
                yield change

    def place(self) -> Place:
        if not current_call().caller.local:
            raise Denied("only this device's own processes may know where a folder lies")
        return Place(str(self._root), self._writable)

    # --- changing

    async def write(self, path: str, data: ArgumentStream[bytes]) -> Written:
        self._must_be_writable(path)
        hop = self._hops("write", path)
        unfinished = await hop(lambda: Unfinished.open(self._tree, path, fresh_name(), create=True))
        try:
            await _receive(unfinished, data, hop)
            await hop(unfinished.finish)
        except BaseException:
            with trio.CancelScope(shield=True), closing(unfinished):
                await hop(unfinished.discard)
            raise
        unfinished.close()
        return Written(unfinished.size, unfinished.digest.digest())

    async def unfinished(self, path: str, token: bytes) -> int:
        self._must_be_writable(path)
        name = partial_name(path, token)
        return await self._hops("unfinished", path)(partial(unfinished_size, self._tree, path, name))

    async def upload(self, path: str, token: bytes, offset: int, data: ArgumentStream[bytes]) -> Written:
        self._must_be_writable(path)
        hop = self._hops("upload", path)
        async with self._uploads.opened(path, token, offset, hop) as unfinished:
            await _receive(unfinished, data, hop)
        return Written(unfinished.size, unfinished.digest.digest())

    async def commit(self, path: str, token: bytes, expected: Written) -> Written:
        self._must_be_writable(path)
        hop = self._hops("commit", path)
        async with self._uploads.opened(path, token, None, hop) as unfinished:
            found = Written(unfinished.size, unfinished.digest.digest())
            if found != expected:
                if found.size >= expected.size:  # it can never become right
                    await hop(unfinished.discard)
                raise Mismatch(path, found.size, found.digest)
            await hop(unfinished.finish)
            unfinished.close()
        return found

    async def mkdir(self, path: str, parents: bool) -> None:
        self._must_be_writable(path)
        await self._hops("mkdir", path)(partial(make_folders if parents else make_folder, self._tree, path))

    async def remove(self, path: str, recursive: bool) -> None:
        self._must_be_writable(path)
        await self._hops("remove", path)(partial(remove, self._tree, path, recursive))

    async def rename(self, from_: str, to: str) -> None:
        self._must_be_writable(from_)

        def work() -> None:
            with self._tree.parent(from_) as (source, old):
                source.stat(old)
                with explained("rename", to), self._tree.parent(to) as (target, new):
                    rename(source, old, target, new)

        await self._hops("rename", from_)(work)


async def _receive(unfinished: Unfinished, data: ArgumentStream[bytes], hop: Hops) -> None:
    """Writes what comes, a good piece in one hop while the next one arrives; also what came before the stream broke."""
    pieces: builtins.list[bytes] = []
    size = 0
    try:
        async for item in data:
            pieces.append(item)
            size += len(item)
            if size >= PIECE:
                ready, pieces, size = pieces, [], 0
                await hop(partial(unfinished.write, ready))
    finally:
        if pieces:
            with trio.CancelScope(shield=True):
                await hop(partial(unfinished.write, pieces))


def read_configuration(given: dict[str, str]) -> tuple[Path, bool]:
    """(root, writable). Raises BadConfiguration."""
    check_names("the filesystem", given, ("root", "writable"), HINT)
    if not given.get("root"):
        raise BadConfiguration("the filesystem has no root", hint=HINT)
    root = Path(os.path.expanduser(given["root"]))
    if not root.is_absolute():
        raise BadConfiguration(f"the root is a whole path, not {given['root']!r}", hint=HINT)
    writable = given.get("writable", "no").lower()
    if writable not in YES_NO:
        raise BadConfiguration(f"writable is yes or no, not {writable!r}", hint=HINT)
    return root, YES_NO[writable]


def to_stat(found: os.stat_result) -> Stat:
    mode = found.st_mode
    kinds = ((modes.S_ISREG, Kind.FILE), (modes.S_ISDIR, Kind.FOLDER), (modes.S_ISLNK, Kind.LINK))
    kind = next((kind for test, kind in kinds if test(mode)), Kind.OTHER)
    size = found.st_size if kind is Kind.FILE else 0
    return Stat(kind, size, to_time(found.st_mtime), modes.S_IMODE(mode))


def to_time(seconds: float) -> datetime:
    """A disk may hold times that no calendar has: then the nearest that it has."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_TIME), UTC)
