"""The file behind a store: SQLite in WAL mode, every transaction on disk before it is acknowledged.

A value stands once, with the change that made it; an entry names that change. The log is the changes after `floor`;
at or below it only those remain that are still some key's value. Keys are UTF-8 bytes, so that their order is that of
the bytes, and `prefix + 0xff` is beyond all keys that begin with it. Times are Unix seconds.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 1
CHECKED = 64 * 2**20
"""Bytes up to which a file is read through at the start, to find damage early; later, damage is found when read."""
_SCHEMA = """
CREATE TABLE changes (revision INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB);
CREATE TABLE entries (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, expires REAL) WITHOUT ROWID;
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
CREATE TABLE state (revision INTEGER NOT NULL, floor INTEGER NOT NULL, superseded INTEGER NOT NULL);
INSERT INTO state VALUES (0, 0, 0);
"""


class Damaged(Exception):
    """The file is no store, or cannot be read."""


def open_database(path: Path) -> sqlite3.Connection:
    """The connection that writes; makes the file if it is missing. Raises Damaged."""
    try:
        database = _connect(path)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
    except sqlite3.Error as error:
        raise Damaged(f"{path}: {error}") from None
    return database


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that sees what was last committed. Raises Damaged."""
    try:
        database = _connect(path)
        database.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise Damaged(f"{path}: {error}") from None
    return database


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that any one thread at a time may use."""
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise Damaged(f"{path} is of version {version}; this process reads version {VERSION}")
    elif path.stat().st_size <= CHECKED:
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise Damaged(f"{path}: {verdict}")
