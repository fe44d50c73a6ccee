"""What a node must know again after a restart, in one SQLite file: WAL, every change on disk before it counts.

All methods but `run` block; the node calls them through `run`, one after another on a worker thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from firefly.errors import GlowError

T = TypeVar("T")
VERSION = 1
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE statements (id BLOB PRIMARY KEY, kind TEXT NOT NULL, slot BLOB NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX statements_by_slot ON statements (kind, slot);
CREATE TABLE processes (id BLOB PRIMARY KEY, label TEXT NOT NULL UNIQUE, specification BLOB NOT NULL);
CREATE TABLE invites (id BLOB PRIMARY KEY, invite BLOB NOT NULL);
CREATE TABLE links (url TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID;
"""


class DamagedStore(GlowError):
    """The state file cannot be read."""


class Store:
    """The state at `path`. Raises DamagedStore."""

    def __init__(self, path: Path) -> None:
        self._limiter = trio.CapacityLimiter(1)
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            path.chmod(0o600)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise DamagedStore(
                f"the state of the node in {path} cannot be read", cause=str(error), hint="restore it from a backup"
            ) from None

    def _migrate(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise DamagedStore("the state was written by a newer version of Glow", hint="upgrade Glow")
        if version < VERSION:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    async def run(self, work: Callable[[Store], T]) -> T:
        """Runs `work(store)` on the worker thread, after what was asked before."""
        return await trio.to_thread.run_sync(work, self, limiter=self._limiter)

    def close(self) -> None:
        self._database.close()

    def get(self, name: str) -> bytes | None:
        row = self._database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def set(self, name: str, value: bytes) -> None:
        self._database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def statements(self) -> list[bytes]:
        """Signed statements, in the order in which they were kept."""
        return [bytes(row[0]) for row in self._database.execute("SELECT data FROM statements ORDER BY rowid")]

    def keep_statement(self, identifier: bytes, kind: str, slot: bytes, data: bytes) -> None:
        """Replaces what was kept of the same kind and slot."""
        self._database.execute("INSERT OR REPLACE INTO statements VALUES (?, ?, ?, ?)", (identifier, kind, slot, data))

    def processes(self) -> list[tuple[bytes, bytes]]:
        """(id, specification) of every process, in the order in which they were made."""
        rows = self._database.execute("SELECT id, specification FROM processes ORDER BY rowid")
        return [(bytes(identifier), bytes(specification)) for identifier, specification in rows]

    def add_process(self, identifier: bytes, label: str, specification: bytes) -> None:
        self._database.execute("INSERT INTO processes VALUES (?, ?, ?)", (identifier, label, specification))

    def remove_process(self, identifier: bytes) -> None:
        self._database.execute("DELETE FROM processes WHERE id = ?", (identifier,))

    def invites(self) -> list[bytes]:
        return [bytes(row[0]) for row in self._database.execute("SELECT invite FROM invites")]

    def add_invite(self, identifier: bytes, invite: bytes) -> None:
        self._database.execute("INSERT OR REPLACE INTO invites VALUES (?, ?)", (identifier, invite))

    def remove_invite(self, identifier: bytes) -> None:
        self._database.execute("DELETE FROM invites WHERE id = ?", (identifier,))

    def links(self) -> list[tuple[str, bytes | None]]:
        """Standing links: (URL, the key that must answer there)."""
        return [(url, key) for url, key in self._database.execute("SELECT url, key FROM links")]

    def add_link(self, url: str, key: bytes | None) -> None:
        self._database.execute("INSERT OR REPLACE INTO links VALUES (?, ?)", (url, key))
