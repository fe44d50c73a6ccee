"""What a store holds. All methods block; one thread at a time may use a reader, beside the writer's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

PAGE_BYTES = 8 * 2**20
"""Of a page of entries or changes; at least one is in it."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a key has."""

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


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes up to revision `upto`; `last` says that there are no later ones yet."""

    changes: list[Logged]
    upto: int
    last: bool


class NotKept(Exception):
    """The changes after a revision are not known; those after `oldest` are."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class Reader:
    """Sees what was last committed."""

    def __init__(self, database: sqlite3.Connection, *, page_bytes: int = PAGE_BYTES) -> None:
        self._database = database
        self._page_bytes = page_bytes

    def close(self) -> None:
        self._database.close()

    def snapshot(self, works: list[Callable[[], None]]) -> None:
        """Runs works that all see the same state."""
        self._database.execute("BEGIN")
        try:
            for work in works:
                work()
        finally:
            self._database.execute("COMMIT")

    def revision(self) -> int:
        """Of the last change."""
        (revision,) = self._database.execute("SELECT revision FROM state").fetchone()
        return int(revision)

    def get(self, key: str, now: float) -> Row | None:
        row = self._database.execute(
            "SELECT value, revision, expires FROM entries JOIN changes USING (revision)"
            " WHERE entries.key = ? AND (expires IS NULL OR expires > ?)",
            (key.encode(), now),
        ).fetchone()
        return None if row is None else Row(key, *row)

    def page(self, prefix: str, after: str, limit: int, now: float) -> tuple[list[Row], bool]:
        """Up to `limit` rows of keys that begin with `prefix`, in key order, after `after`; whether more follow."""
        first, end = prefix.encode(), prefix.encode() + b"\xff"
        rows = self._database.execute(
            "SELECT entries.key, value, revision, expires FROM entries JOIN changes USING (revision)"
            " WHERE entries.key >= ? AND entries.key < ? AND entries.key > ? AND (expires IS NULL OR expires > ?)"
            " ORDER BY entries.key",
            (first, end, after.encode(), now),
        )
        shown: list[Row] = []
        size = 0
        for name, value, revision, expires in rows:
            size += len(value)
            if len(shown) == limit or (shown and size > self._page_bytes):
                rows.close()
                return shown, True
            shown.append(Row(name.decode(), value, revision, expires))
        return shown, False

    def changes(self, prefix: str, since: int, limit: int) -> Changes:
        """Up to `limit` changes after a revision, of keys that begin with `prefix`. Raises NotKept."""
        revision, floor = self._database.execute("SELECT revision, floor FROM state").fetchone()
        if not floor <= since <= revision:
            raise NotKept(floor if since < floor else revision)
        rows = self._database.execute(
            "SELECT revision, key, value FROM changes WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision",
            (since, prefix.encode(), prefix.encode() + b"\xff"),
        )
        found: list[Logged] = []
        size = 0
        for number, name, value in rows:
            found.append(Logged(name.decode(), number, value))
            size += len(value or b"")
            if len(found) == limit or size >= self._page_bytes:
                rows.close()
                return Changes(found, number, number == revision)
        return Changes(found, revision, True)

    def next_expiry(self) -> float | None:
        (when,) = self._database.execute("SELECT min(expires) FROM entries WHERE expires IS NOT NULL").fetchone()
        return None if when is None else float(when)
