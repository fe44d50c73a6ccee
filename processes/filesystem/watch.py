"""Changes below a folder, as the operating system tells them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import trio
from watchfiles import Change as Kind
from watchfiles import watch

from firefly.errors import Busy
from firefly.interfaces.filesystem import Change, ChangeCreated, ChangeModified, ChangeRemoved
from processes.filesystem.tree import Refused, split

MAX_WAITING = 10_000
_CHANGES = {Kind.added: ChangeCreated, Kind.modified: ChangeModified, Kind.deleted: ChangeRemoved}
STEP = 50
"""Milliseconds over which changes are collected."""


class Watching:
    """Watches `path` below `root` from the first item asked for until the iteration ends."""

    def __init__(self, root: Path, path: str) -> None:
        self._root = root.resolve()
        self._path = self._root / path
        self._stop = threading.Event()
        self._waiting: list[Change] = []
        self._arrived = trio.Event()
        self._overflow = False

    async def changes(self) -> AsyncIterator[Change]:
        """Raises Busy if the watcher was too slow to be told everything."""
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run, token)
            try:
                while True:
                    await self._arrived.wait()
                    self._arrived = trio.Event()
                    if self._overflow:
                        raise Busy("changes came faster than they were read", hint="list the folder and watch again")
                    waiting, self._waiting = self._waiting, []
                    for change in waiting:
                        yield change
            finally:
                self._stop.set()
                nursery.cancel_scope.cancel()

    async def _run(self, token: trio.lowlevel.TrioToken) -> None:
        await trio.to_thread.run_sync(self._watch, token, abandon_on_cancel=True)

    def _watch(self, token: trio.lowlevel.TrioToken) -> None:
        events = watch(
            self._path,
            stop_event=self._stop,
            step=STEP,
            watch_filter=None,
            raise_interrupt=False,
            rust_timeout=500,
            yield_on_timeout=False,
        )
        for batch in events:
            changes = [change for kind, name in sorted(batch) if (change := self._change(kind, name)) is not None]
            if changes:
                token.run_sync_soon(self._take, changes)

    def _take(self, changes: list[Change]) -> None:
        if len(self._waiting) + len(changes) > MAX_WAITING:
            self._overflow = True
            self._waiting.clear()
        else:
            self._waiting += changes
        self._arrived.set()

    def _change(self, kind: Kind, name: str) -> Change | None:
        """The change as a path relative to the root; None for what is not served."""
        try:
            path = Path(name).relative_to(self._root).as_posix()
            split(path)
        except (ValueError, Refused):
            return None
        return _CHANGES[kind](path)
