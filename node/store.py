"""What a node must know again after a restart, in one SQLite file: WAL, every change on disk before it counts.

    settings      single values: namespace, namespace-key, label, listening, pages-for
    statements    signed statements as they travel (certificates, names), the newest of each kind and slot
    processes     id, label and specification of every process
    invites       invites that are open
    links         standing links, and whose key must answer there

All methods but `run` block; the node calls them through `run`, one after another on a worker thread. Each is one
transaction; `transaction` joins several. Once it has returned, `kill -9` or a power cut loses nothing of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


class StoreFailed(GlowError):
    """A change could not be written, or the state not be read: a full disk, most often."""


class Store:
    """The state at `path`. Raises DamagedStore."""

    def __init__(self, path: Path) -> None:
        self._limiter = trio.CapacityLimiter(1)
        with ExitStack() as on_failure:
            try:
                self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
                on_failure.callback(self._database.close)
                path.chmod(0o600)
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=FULL")
                self._migrate()
            except sqlite3.Error as error:
                raise DamagedStore(
                    f"the state of the node in {path} cannot be read", cause=str(error), hint="restore it from a backup"
                ) from None
            on_failure.pop_all()

    def _migrate(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise DamagedStore("the state was written by a newer version of Glow", hint="upgrade Glow")
        if version < VERSION:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    async def run(self, work: Callable[[Store], T]) -> T:
        """Runs `work(store)` on the worker thread, after what was asked before, as one transaction.

        Raises StoreFailed, and then nothing has changed. Cancelled only before its turn has come.
        """
        return await trio.to_thread.run_sync(self._work, work, limiter=self._limiter)

    def _work(self, work: Callable[[Store], T]) -> T:
        with self.transaction():
            return work(self)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is changed in the block is kept as a whole, or not at all if the block or the disk fails."""
        self._execute("BEGIN")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._execute("ROLLBACK")
            raise

    def _execute(self, statement: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, parameters)
        except sqlite3.Error as error:
            raise StoreFailed(
                "the state of the node cannot be read or written",
                cause=str(error),
                hint="see whether its disk is full or read-only",
            ) from error

    def close(self) -> None:
        self._database.close()

    def get(self, name: str) -> bytes | None:
        row = self._execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def set(self, name: str, value: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def statements(self) -> list[bytes]:
        """Signed statements, in the order in which they were kept."""
        return [bytes(row[0]) for row in self._execute("SELECT data FROM statements ORDER BY rowid")]

    def keep_statement(self, identifier: bytes, kind: str, slot: bytes, data: bytes) -> None:
        """Replaces what was kept of the same kind and slot."""
        row = identifier, kind, slot, data
        self._execute("INSERT OR REPLACE INTO statements VALUES (?, ?, ?, ?)", row)

    def processes(self) -> list[tuple[bytes, bytes]]:
        """(id, specification) of every process, in the order in which they were made."""
        rows = self._execute("SELECT id, specification FROM processes ORDER BY rowid")
        return [(bytes(identifier), bytes(specification)) for identifier, specification in rows]

    def add_process(self, identifier: bytes, label: str, specification: bytes) -> None:
        self._execute("INSERT INTO processes VALUES (?, ?, ?)", (identifier, label, specification))

    def remove_process(self, identifier: bytes) -> None:
        self._execute("DELETE FROM processes WHERE id = ?", (identifier,))

    def invites(self) -> list[bytes]:
        return [bytes(row[0]) for row in self._execute("SELECT invite FROM invites")]

    def add_invite(self, identifier: bytes, invite: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO invites VALUES (?, ?)", (identifier, invite))

    def remove_invite(self, identifier: bytes) -> None:
        self._execute("DELETE FROM invites WHERE id = ?", (identifier,))

    def links(self) -> list[tuple[str, bytes | None]]:
        """Standing links: (URL, the key that must answer there)."""
        return [(url, key) for url, key in self._execute("SELECT url, key FROM links")]

    def add_link(self, url: str, key: bytes | None) -> None:
        self._execute("INSERT OR REPLACE INTO links VALUES (?, ?)", (url, key))
