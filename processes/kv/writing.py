"""Changes of a store. All methods block; one thread at a time may use a writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

LOG_SIZE = 100_000
"""Changes that are kept for watchers,"""
LOG_BYTES = 256 * 2**20
"""or fewer, if the values among them that no key has any more are larger than that."""
_TRIM_STEP = 64
_DEAD = """
revision > ? AND revision <= ? AND NOT EXISTS
(SELECT 1 FROM entries WHERE entries.key = changes.key AND entries.revision = changes.revision)
"""


class WrongRevision(Exception):
    """A key's revision is not the expected one."""

    def __init__(self, key: str, revision: int) -> None:
        super().__init__(key, revision)
        self.key = key
        self.revision = revision


class Writer:
    """The one writer of a store. `revision` is that of the last change."""

    def __init__(self, database: sqlite3.Connection, *, log_size: int = LOG_SIZE, log_bytes: int = LOG_BYTES) -> None:
        self._database = database
        self._log_size = log_size
        self._log_bytes = log_bytes
        self.revision = self._floor = self._superseded = 0
        self._load()

    def _load(self) -> None:
        found = self._database.execute("SELECT revision, floor, superseded FROM state").fetchone()
        self.revision, self._floor, self._superseded = found

    def close(self) -> None:
        self._database.close()

    def commit(self, writes: list[Callable[[], object]]) -> None:
        """Runs the writes in one transaction, which is on disk when this returns. Of an error nothing is left."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for write in writes:
                write()
            self._trim()
            state = self.revision, self._floor, self._superseded
            self._database.execute("UPDATE state SET revision = ?, floor = ?, superseded = ?", state)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._load()
            raise

    # --- inside `commit`

    def put(self, key: str, value: bytes, expected: int | None, expires: float | None, now: float) -> int:
        """The revision of the change. Raises WrongRevision."""
        name = key.encode()
        self._replace(key, name, expected, now)
        self.revision += 1
        self._database.execute("INSERT INTO changes VALUES (?, ?, ?)", (self.revision, name, value))
        self._database.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (name, self.revision, expires))
        return self.revision

    def delete(self, key: str, expected: int | None, now: float) -> bool:
        """False if there was no such key. Raises WrongRevision."""
        name = key.encode()
        there = self._replace(key, name, expected, now)
        if there:
            self._remove(name)
        return there

    def expire(self, now: float, limit: int) -> int:
        """Removes keys whose time has come, at most `limit`; returns how many."""
        found = "SELECT key FROM entries WHERE expires <= ? ORDER BY expires, key LIMIT ?"
        names = [name for (name,) in self._database.execute(found, (now, limit))]
        for name in names:
            self._supersede(*self._entry(name)[:2])
            self._remove(name)
        return len(names)

    def _entry(self, name: bytes) -> tuple[int, int, float | None]:
        """(revision, bytes of the value, when it expires); revision 0 if there is no such key."""
        row = self._database.execute(
            "SELECT revision, length(value), expires FROM entries JOIN changes USING (revision) WHERE entries.key = ?",
            (name,),
        ).fetchone()
        return row or (0, 0, None)

    def _replace(self, key: str, name: bytes, expected: int | None, now: float) -> bool:
        """Gives up a key's present value, if it has one that has not expired. Raises WrongRevision."""
        revision, size, expires = self._entry(name)
        there = revision > 0 and (expires is None or expires > now)
        if expected is not None and expected != (revision if there else 0):
            raise WrongRevision(key, revision if there else 0)
        self._supersede(revision, size)
        return there

    def _supersede(self, revision: int, size: int) -> None:
        if revision > self._floor:
            self._superseded += size
        elif revision:
            self._database.execute("DELETE FROM changes WHERE revision = ?", (revision,))

    def _remove(self, name: bytes) -> None:
        self.revision += 1
        self._database.execute("INSERT INTO changes VALUES (?, ?, NULL)", (self.revision, name))
        self._database.execute("DELETE FROM entries WHERE key = ?", (name,))

    def _trim(self) -> None:
        """Moves the floor up until the log is within its bounds."""
        if self.revision - self._floor > self._log_size:
            self._trim_to(self.revision - self._log_size)
        while self._superseded > self._log_bytes and self._floor < self.revision:
            self._trim_to(min(self._floor + _TRIM_STEP, self.revision))

    def _trim_to(self, floor: int) -> None:
        span = self._floor, floor
        (size,) = self._database.execute(f"SELECT total(length(value)) FROM changes WHERE {_DEAD}", span).fetchone()
        self._database.execute(f"DELETE FROM changes WHERE {_DEAD}", span)
        self._superseded -= int(size)
        self._floor = floor
