"""Uploads that can be continued: one writer for each, and the digests of those that wait for their next call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from firefly.errors import Busy, InvalidArgument
from processes.filesystem.hops import Hops
from processes.filesystem.reading import digest_of
from processes.filesystem.transfer import Unfinished, partial_name
from processes.filesystem.tree import Tree

RESTING = 16
"""Unfinished files that are kept open between two calls; the digest of any other is computed again."""


class _Writer:
    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.ended = trio.Event()


class Uploads:
    """The unfinished uploads of one process."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._writers: dict[str, _Writer] = {}
        self._resting: OrderedDict[str, Unfinished] = OrderedDict()
        self._closed = False

    def close(self) -> None:
        self._closed = True
        while self._resting:
            self._resting.popitem()[1].close()

    @asynccontextmanager
    async def opened(self, path: str, token: bytes, offset: int | None, hop: Hops) -> AsyncIterator[Unfinished]:
        """An unfinished file with its digest up to `offset`, cut there; None: of all it holds. 0 makes a missing one.

        A call on the same upload that still runs, say of a client that lost its way, is ended first and raises Busy.
        Raises Refused, OSError; InvalidArgument if less than `offset` bytes are there.
        """
        name = partial_name(path, token)
        async with self._only_writer(name):
            unfinished = await self._open(path, name, offset, hop)
            try:
                yield unfinished
            finally:
                self._rest(name, unfinished)

    @asynccontextmanager
    async def _only_writer(self, name: str) -> AsyncIterator[None]:
        while (other := self._writers.get(name)) is not None:
            other.scope.cancel()
            await other.ended.wait()
        writer = self._writers[name] = _Writer()
        try:
            with writer.scope:
                yield
        finally:
            del self._writers[name]
            writer.ended.set()
        if writer.scope.cancelled_caught:
            raise Busy("another call goes on with this upload")

    async def _open(self, path: str, name: str, offset: int | None, hop: Hops) -> Unfinished:
        resting = self._resting.pop(name, None)
        if resting is not None:
            fits = False
            try:
                fits = await hop(resting.is_as_left) and offset in (None, resting.size)
            finally:
                if not fits:
                    resting.close()
            if fits:
                return resting
        unfinished = await hop(partial(Unfinished.open, self._tree, path, name, create=offset == 0))
        try:
            await self._hash(unfinished, offset, hop)
        except BaseException:
            unfinished.close()
            raise
        return unfinished

    async def _hash(self, unfinished: Unfinished, offset: int | None, hop: Hops) -> None:
        length = unfinished.length()
        if offset is not None and offset > length:
            raise InvalidArgument(f"only {length} bytes of this upload are here", hint="go on from there")
        wanted = length if offset is None else offset
        unfinished.size, unfinished.digest = await digest_of(unfinished.file, hop, wanted)
        if offset is not None:
            await hop(unfinished.cut)

    def _rest(self, name: str, unfinished: Unfinished) -> None:
        if unfinished.file.closed:
            return
        if self._closed:
            unfinished.close()
            return
        unfinished.rest()
        self._resting[name] = unfinished
        if len(self._resting) > RESTING:
            self._resting.popitem(last=False)[1].close()
