"""The kv process: a small store of keys and values that survives anything but its disk."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from operator import methodcaller

import trio

from firefly import Context
from firefly.errors import GlowError, InvalidArgument, TooLarge
from firefly.interfaces.kv import Change, Conflict, Entry, KVServer, Page, TooOld
from processes.background import Background
from processes.kv.database import Damaged
from processes.kv.reading import NotKept, Reader, Row
from processes.kv.store import Store, Unusable
from processes.kv.writing import WrongRevision

log = logging.getLogger("glow.kv")
MAX_KEY, MAX_VALUE = 1024, 2**20
"""Bytes; of a key in UTF-8."""
MAX_TTL = 100 * 365 * 86400.0
MAX_PAGE = 1000
WATCH_BATCH = 256
EXPIRE_BATCH = 256
MAX_NAP = 60.0
"""Seconds after which the clock is looked at again: it may have been set, or the device been asleep."""


class KVProcess(KVServer):
    """Keeps its store in `kv.sqlite` in its folder. It has no configuration."""

    async def start(self, context: Context) -> None:
        """Raises Unusable if the file is damaged or cannot be opened."""
        path = context.folder / "kv.sqlite"
        try:
            self._store = await trio.to_thread.run_sync(Store, path)
        except Damaged as error:
            raise Unusable(
                "the store cannot be opened",
                cause=str(error),
                hint=f"restore {path} from a backup, or move it away to begin anew",
            ) from None
        self._sooner = trio.Event()
        self._background = await Background.open(context.nursery)
        self._background.start_soon(self._store.serve)
        self._background.start_soon(self._expire)

    async def stop(self) -> None:
        await self._background.close()
        await trio.to_thread.run_sync(self._store.close)

    # --- writing

    async def put(self, key: str, value: bytes, expected: int | None, ttl: float | None) -> int:
        check_key(key)
        if len(value) > MAX_VALUE:
            raise TooLarge(f"a value has at most {MAX_VALUE} bytes, not {len(value)}", hint="keep big things in files")
        if ttl is not None and not 0 < ttl <= MAX_TTL:
            raise InvalidArgument("a time to live is a number of seconds above 0, at most 100 years")
        now = time.time()
        expires = None if ttl is None else now + ttl
        try:
            revision = await self._store.write(lambda to: to.put(key, value, expected, expires, now), len(value))
        except WrongRevision as error:
            raise Conflict(error.key, error.revision) from None
        if ttl is not None:
            self._sooner.set()
        return revision

    async def delete(self, key: str, expected: int | None) -> bool:
        check_key(key)
        now = time.time()
        try:
            return await self._store.write(lambda to: to.delete(key, expected, now))
        except WrongRevision as error:
            raise Conflict(error.key, error.revision) from None

    async def _expire(self) -> None:
        """Removes keys that have expired, and are hidden since, so that watchers hear of it."""
        while True:
            self._sooner = trio.Event()
            try:
                when = await self._store.read(Reader.next_expiry)
                left = MAX_NAP if when is None else when - time.time()
                if left <= 0:
                    await self._store.write(lambda to: to.expire(time.time(), EXPIRE_BATCH))
                    continue
            except GlowError as error:
                log.warning("expired keys could not be removed yet: %s: %s", error.message, error.cause)
                left = MAX_NAP
            with trio.move_on_after(min(left, MAX_NAP)):
                await self._sooner.wait()

    # --- reading

    async def _row(self, key: str) -> Row | None:
        check_key(key)
        now = time.time()
        return await self._store.read(lambda reader: reader.get(key, now))

    async def get(self, key: str) -> bytes | None:
        row = await self._row(key)
        return None if row is None else row.value

    async def entry(self, key: str) -> Entry | None:
        row = await self._row(key)
        return None if row is None else to_entry(row)

    async def list(self, prefix: str, after: str, limit: int) -> Page:
        wanted, now = max(1, min(limit, MAX_PAGE)), time.time()
        rows, more = await self._store.read(lambda reader: reader.page(prefix, after, wanted, now))
        return Page([to_entry(row) for row in rows], rows[-1].key if more else None)

    async def watch(self, prefix: str, since: int | None) -> AsyncIterator[Change]:
        """A watcher that is slow reads on in the log; it is told TooOld when that no longer reaches back so far."""
        last = await self._store.read(Reader.revision) if since is None else since
        while True:
            changed = self._store.changed
            try:
                found = await self._store.read(methodcaller("changes", prefix, last, WATCH_BATCH))
            except NotKept as error:
                raise TooOld(error.oldest) from None
            for change in found.changes:
                yield Change(change.key, change.revision, change.value)
            last = found.upto
            if found.last:
                await changed.wait()


def check_key(key: str) -> None:
    """Raises InvalidArgument for an empty key, TooLarge for one over 1 KiB of UTF-8."""
    if not key:
        raise InvalidArgument("a key is not empty")
    if len(key.encode()) > MAX_KEY:
        raise TooLarge(f"a key has at most {MAX_KEY} bytes of UTF-8")


def to_entry(row: Row) -> Entry:
    expires = None if row.expires is None else datetime.fromtimestamp(row.expires, UTC)
    return Entry(row.key, row.value, row.revision, expires)
