"""The kv process: a small store of keys and values that survives anything but its disk."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import trio

from firefly import Context
from firefly.errors import Busy, GlowError, InvalidArgument, TooLarge
from firefly.interfaces.kv import Change, Conflict, Entry, KVServer, Page, TooOld
from processes.kv.store import Changes, Damaged, KVStore, Row, WrongRevision

T = TypeVar("T")
MAX_KEY, MAX_VALUE = 1024, 2**20
"""Bytes."""
MAX_PAGE = 1000
MAX_PAGE_BYTES = 8 * 2**20
MAX_WAITING = 4096
"""Writes that wait for the next commit."""
WATCH_BATCH = 256
EXPIRE_BATCH = 256


class Unusable(GlowError):
    """The store's file cannot be read or written."""


class _Write:
    """A write that waits for its commit."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.done = trio.Event()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except WrongRevision as error:
            self.error = error


class KVProcess(KVServer):
    """One writer: all writes that wait while a commit runs go into the next one, so a sync serves them all."""

    async def start(self, context: Context) -> None:
        """Raises Unusable if the file is damaged."""
        try:
            self._store = KVStore(context.folder / "kv.sqlite")
        except Damaged as error:
            raise Unusable(
                "the store cannot be read", cause=str(error), hint="restore its folder from a backup"
            ) from None
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: list[_Write] = []
        self._work = trio.Event()
        self._changed = trio.Event()
        self._expiry_changed = trio.Event()
        context.nursery.start_soon(self._commit_waiting)
        context.nursery.start_soon(self._expire)

    async def stop(self) -> None:
        if hasattr(self, "_store"):
            await self._in_thread(self._store.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)

    # --- writing

    async def _commit_waiting(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[_Write]) -> None:
        try:
            with trio.CancelScope(shield=True):
                await self._in_thread(partial(self._store.commit, [write.run for write in batch]))
        except Exception as error:
            for write in batch:
                write.error = Unusable("the store could not be written; nothing was changed", cause=str(error))
        for write in batch:
            write.done.set()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _write(self, work: Callable[[], T]) -> T:
        if len(self._waiting) >= MAX_WAITING:
            raise Busy(f"over {MAX_WAITING} writes wait for the disk", retry_after=0.1)
        write = _Write(work)
        self._waiting.append(write)
        self._work.set()
        await write.done.wait()
        if isinstance(write.error, WrongRevision):
            raise Conflict(write.error.key, write.error.revision)
        if write.error is not None:
            raise write.error
        result: T = write.result
        return result

    async def put(self, key: str, value: bytes, expected: int | None, ttl: float | None) -> int:
        check_key(key)
        if len(value) > MAX_VALUE:
            raise TooLarge(f"a value has at most {MAX_VALUE} bytes, not {len(value)}", hint="keep big things in files")
        if ttl is not None and not 0 < ttl < 1e10:
            raise InvalidArgument("a time to live is a number of seconds above 0")
        now = time.time()
        expires = None if ttl is None else now + ttl
        logged = await self._write(lambda: self._store.put(key, value, expected, expires, time.time()))
        if ttl is not None:
            self._expiry_changed.set()
        return logged.revision

    async def delete(self, key: str, expected: int | None) -> bool:
        check_key(key)
        return await self._write(lambda: self._store.delete(key, expected, time.time())) is not None

    async def _expire(self) -> None:
        """Removes expired keys, which readers do not see any more, and so tells the watchers."""
        while True:
            self._expiry_changed = trio.Event()
            when = await self._in_thread(self._store.next_expiry)
            with trio.move_on_after(3600.0 if when is None else max(0.0, when - time.time())):
                await self._expiry_changed.wait()
            if when is not None and when <= time.time():
                await self._write(lambda: self._store.expire(time.time(), EXPIRE_BATCH))

    # --- reading

    async def _row(self, key: str) -> Row | None:
        check_key(key)
        return await self._in_thread(lambda: self._store.get(key, time.time()))

    async def get(self, key: str) -> bytes | None:
        row = await self._row(key)
        return None if row is None else row.value

    async def entry(self, key: str) -> Entry | None:
        row = await self._row(key)
        return None if row is None else _entry(row)

    async def list(self, prefix: str, after: str, limit: int) -> Page:
        wanted = max(1, min(limit, MAX_PAGE))
        rows = await self._in_thread(lambda: self._store.list(prefix, after, wanted + 1, time.time()))
        shown = rows[:0]
        size = 0
        for row in rows[:wanted]:
            size += len(row.value)
            if shown and size > MAX_PAGE_BYTES:
                break
            shown.append(row)
        more = len(rows) > len(shown)
        return Page([_entry(row) for row in shown], shown[-1].key if more else None)

    async def watch(self, prefix: str, since: int | None) -> AsyncIterator[Change]:
        last = self._store.revision if since is None else since
        while True:
            changed = self._changed
            for logged in await self._changes(last):
                last = logged.revision
                if logged.key.startswith(prefix):
                    yield Change(logged.key, logged.revision, logged.value)
            if last >= self._store.revision:
                await changed.wait()

    async def _changes(self, since: int) -> Changes:
        """The next changes after a revision. Raises TooOld if some of them are not kept any more."""
        oldest, changes = await self._in_thread(lambda: (self._store.oldest(), self._store.changes(since, WATCH_BATCH)))
        if since < oldest:
            raise TooOld(oldest)
        return changes


def check_key(key: str) -> None:
    """Raises InvalidArgument for an empty key, TooLarge for one over 1 KiB of UTF-8."""
    if not key:
        raise InvalidArgument("a key is not empty")
    if len(key.encode()) > MAX_KEY:
        raise TooLarge(f"a key has at most {MAX_KEY} bytes of UTF-8")


def _entry(row: Row) -> Entry:
    expires = None if row.expires is None else datetime.fromtimestamp(row.expires, UTC)
    return Entry(row.key, row.value, row.revision, expires)
