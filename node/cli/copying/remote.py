"""A file system of some node as one end of a copy, through the FileSystem interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from firefly.interfaces.core import Location
from firefly.interfaces.filesystem import FileSystem, Stat, Written
from node.cli.address import join
from node.cli.copying.place import SMALL, Batches, Item, Reading, Writing
from node.cli.files import entries, stat_or_none
from node.cli.output import iso_time


class RemoteFiles:
    """The files of one resource; `name` is its whole address, which a change of labels does not change."""

    def __init__(self, files: FileSystem, location: Location) -> None:
        self._files = files
        self.name = f"glow://{location.node.hex()}/{location.resource.hex()}"

    def join(self, folder: str, name: str) -> str:
        return join(folder, name)

    def beside(self, path: str, name: str) -> str:
        return join(path.rpartition("/")[0], name)

    def whole(self, path: str) -> str:
        return path

    async def stat(self, path: str) -> Item | None:
        found = await stat_or_none(self._files, path)
        return None if found is None else _item(found)

    async def children(self, path: str) -> list[tuple[str, Item]]:
        return [(entry.name, _item(entry.stat)) async for entry in entries(self._files, path)]

    async def mkdir(self, path: str) -> None:
        await self._files.mkdir(path)

    async def rename(self, old: str, new: str) -> None:
        await self._files.rename(old, new)

    async def digest(self, path: str) -> Written:
        return await self._files.digest(path)

    @asynccontextmanager
    async def reading(self, path: str, offset: int) -> AsyncIterator[Reading]:
        """The owner computes the digest while the bytes are on their way."""
        known = trio.Event()
        found: list[Written] = []

        async def ask() -> None:
            found.append(await self._files.digest(path))
            known.set()

        async def whole() -> Written:
            await known.wait()
            return found[0]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            async with self._files.read(path, offset) as stream:
                yield Reading(stream.batches(), whole)
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def writing(self, path: str, token: bytes, size: int, fresh: bool) -> AsyncIterator[Writing]:
        kept = 0 if fresh or size <= SMALL else await self._files.unfinished(path, token)
        yield _Upload(self._files, path, token, kept)


class _Upload:
    """An unfinished upload; the owner keeps what came when it is cut."""

    def __init__(self, files: FileSystem, path: str, token: bytes, kept: int) -> None:
        self._files = files
        self._path = path
        self._token = token
        self.kept = kept

    async def append(self, batches: Batches) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            async for batch in batches:
                for piece in batch:
                    yield piece

        await self._files.upload(self._path, self._token, self.kept, pieces())

    async def commit(self, expected: Written, mode: int) -> None:
        await self._files.commit(self._path, self._token, expected)


def _item(found: Stat) -> Item:
    return Item(found.kind, found.size, iso_time(found.modified), found.mode)
