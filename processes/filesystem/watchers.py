"""Those who are told of changes: a thread and a bounded queue for each."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial

import trio

from firefly.errors import Busy, GlowError, Interrupted
from firefly.interfaces.filesystem import Change
from processes.background import Background, run_until_stopped
from processes.filesystem.hops import Hops
from processes.filesystem.tree import Tree
from processes.filesystem.watch import Watching

MAX_WATCHERS = 32
"""Each has a thread."""
MAX_WAITING = 10_000
"""Changes that wait for a watcher; one that is slower is told so."""


class _Inbox:
    """What one watcher was not given yet."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._waiting: list[Change] = []
        self._error: GlowError | None = None
        self._arrived = trio.Event()

    def put(self, changes: list[Change]) -> None:
        if len(self._waiting) + len(changes) > MAX_WAITING:
            self.end(Busy("changes came faster than they were read", hint="list the folder and watch again"))
        else:
            self._waiting += changes
            self._arrived.set()

    def end(self, error: GlowError) -> None:
        """The first reason counts; it comes after what waits."""
        self._error = self._error or error
        self.stop.set()
        self._arrived.set()

    async def take(self) -> list[Change]:
        """At least one change. Raises what ended the watch."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._arrived = trio.Event()
            await self._arrived.wait()
        taken, self._waiting = self._waiting, []
        return taken


class Watchers:
    """All watchers of one process; their threads are tasks of `background`."""

    def __init__(self, tree: Tree, background: Background) -> None:
        self._tree = tree
        self._background = background
        self._limiter = trio.CapacityLimiter(MAX_WATCHERS)
        self._count = 0

    async def changes(self, path: str, hop: Hops) -> AsyncGenerator[Change, None]:
        """Raises what Watching does; Busy for one watcher too many or too slow, Interrupted if the process stops."""
        with self._counted():
            watching = await hop(partial(Watching, self._tree, path))
            inbox = _Inbox()
            try:
                self._background.start_soon(self._run, watching, inbox)
                while True:
                    for change in await inbox.take():
                        yield change
            finally:
                inbox.stop.set()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._count >= MAX_WATCHERS:
            raise Busy(f"{MAX_WATCHERS} watchers are here already", hint="end one, or watch a folder above for both")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def _run(self, watching: Watching, inbox: _Inbox) -> None:
        soon = trio.lowlevel.current_trio_token().run_sync_soon

        def run() -> None:
            try:
                watching.run(inbox.stop, lambda changes: soon(inbox.put, changes))
            except GlowError as error:
                soon(inbox.end, error)
            finally:
                watching.close()

        try:
            await run_until_stopped(run, inbox.stop, self._limiter)
        finally:
            soon(inbox.end, Interrupted("the process that watches the files has stopped", hint="watch again"))
