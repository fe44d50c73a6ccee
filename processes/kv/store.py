"""The store behind a kv process: one SQLite file, WAL, every transaction on disk before it is acknowledged.

All methods block; one thread at a time may use a store. Times are Unix seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LOG_SIZE = 100_000
"""Changes that are kept for watchers."""
VERSION = 1
_SCHEMA = """
CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, expires REAL) WITHOUT ROWID;
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB);
"""


class Damaged(Exception):
    """The file is no store, or cannot be read."""


class WrongRevision(Exception):
    """A key's revision is not the expected one."""

    def __init__(self, key: str, revision: int) -> None:
        super().__init__(key, revision)
        self.key = key
        self.revision = revision


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    value: bytes
    revision: int
    expires: float | None


@dataclass(frozen=True, slots=True)
class Logged:
    """A change; `value` is None if the key went."""

    key: str
    revision: int
    value: bytes | None


Rows = list[Row]
Changes = list[Logged]


class KVStore:
    """Raises Damaged if `path` cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            elif version != VERSION:
                raise Damaged(f"{path} is of version {version}, this process reads {VERSION}")
            self.revision = self._last_revision()
        except sqlite3.DatabaseError as error:
            raise Damaged(f"{path}: {error}") from None

    def _last_revision(self) -> int:
        (last,) = self._database.execute(
            "SELECT max(coalesce((SELECT max(revision) FROM log), 0), coalesce((SELECT max(revision) FROM entries), 0))"
        ).fetchone()
        return int(last)

    def close(self) -> None:
        self._database.close()

    def commit(self, writes: list[Callable[[], None]]) -> None:
        """Runs the writes in one transaction; on disk when this returns. A write must not raise."""
        before = self.revision
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for write in writes:
                write()
            self._database.execute("DELETE FROM log WHERE revision <= ?", (self.revision - LOG_SIZE,))
            self._database.execute("COMMIT")
        except BaseException:
            self.revision = before
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    # --- inside `commit`

    def put(self, key: str, value: bytes, expected: int | None, expires: float | None, now: float) -> Logged:
        """Raises WrongRevision."""
        self._expect(key, expected, now)
        self.revision += 1
        self._database.execute(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (key, value, self.revision, expires)
        )
        return self._log(key, value)

    def delete(self, key: str, expected: int | None, now: float) -> Logged | None:
        """None if there was no such key. Raises WrongRevision."""
        self._expect(key, expected, now)
        if self.get(key, now) is None:
            return None
        self.revision += 1
        self._database.execute("DELETE FROM entries WHERE key = ?", (key,))
        return self._log(key, None)

    def expire(self, now: float, limit: int) -> Changes:
        """Removes keys whose time has come, at most `limit`."""
        rows = self._database.execute("SELECT key FROM entries WHERE expires <= ? LIMIT ?", (now, limit)).fetchall()
        gone = []
        for (key,) in rows:
            self.revision += 1
            self._database.execute("DELETE FROM entries WHERE key = ?", (key,))
            gone.append(self._log(key, None))
        return gone

    def _expect(self, key: str, expected: int | None, now: float) -> None:
        if expected is not None:
            row = self.get(key, now)
            revision = row.revision if row is not None else 0
            if revision != expected:
                raise WrongRevision(key, revision)

    def _log(self, key: str, value: bytes | None) -> Logged:
        self._database.execute("INSERT INTO log VALUES (?, ?, ?)", (self.revision, key, value))
        return Logged(key, self.revision, value)

    # --- reading

    def get(self, key: str, now: float) -> Row | None:
        row = self._database.execute(
            "SELECT key, value, revision, expires FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?)",
            (key, now),
        ).fetchone()
        return None if row is None else Row(*row)

    def list(self, prefix: str, after: str, limit: int, now: float) -> Rows:
        """Rows whose key begins with `prefix`, in the order of their UTF-8 bytes, after the key `after`."""
        rows = self._database.execute(
            "SELECT key, value, revision, expires FROM entries WHERE key >= ? AND key > ? "
            "AND substr(key, 1, ?) = ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?",
            (prefix, after, len(prefix), prefix, now, limit),
        )
        return [Row(*row) for row in rows]

    def oldest(self) -> int:
        """The first revision from which a watch can go on."""
        (first,) = self._database.execute("SELECT min(revision) FROM log").fetchone()
        return self.revision if first is None else int(first) - 1

    def changes(self, since: int, limit: int) -> Changes:
        rows = self._database.execute(
            "SELECT key, revision, value FROM log WHERE revision > ? ORDER BY revision LIMIT ?", (since, limit)
        )
        return [Logged(*row) for row in rows]

    def next_expiry(self) -> float | None:
        (when,) = self._database.execute("SELECT min(expires) FROM entries WHERE expires IS NOT NULL").fetchone()
        return None if when is None else float(when)
