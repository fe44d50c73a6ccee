"""What a node must know again after a restart, in one SQLite file: WAL, every change on disk before it counts.

    settings      single values: namespace, namespace-key, label, listening, pages-for
    statements    signed statements as they travel (certificates, names), the newest of each kind and slot
    processes     id, label and specification of every process
    invites       invites that are open
    standing      standing links: the addresses of a node as JSON, and whose key must answer there
    configurations  every configuration file that there was, who made it, and whether the file was replaced yet

All methods but `run` and `use` block; the node calls them through these, one after another on a worker thread. Each is
one transaction; `transaction` joins several. Once it has returned, `kill -9` or a power cut loses nothing of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import trio

from firefly.errors import GlowError

T = TypeVar("T")
KEPT_CONFIGURATIONS = 1000
"""Changes of the configuration that are kept; the oldest goes first."""
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE statements (id BLOB PRIMARY KEY, kind TEXT NOT NULL, slot BLOB NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX statements_by_slot ON statements (kind, slot);
CREATE TABLE processes (id BLOB PRIMARY KEY, label TEXT NOT NULL UNIQUE, specification BLOB NOT NULL);
CREATE TABLE invites (id BLOB PRIMARY KEY, invite BLOB NOT NULL);
CREATE TABLE links (url TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID;
"""
_CONFIGURATIONS = """
CREATE TABLE configurations (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, who TEXT NOT NULL, key BLOB NOT NULL, what TEXT NOT NULL,
    data BLOB NOT NULL, done INTEGER NOT NULL
);
"""
_STANDING = """
CREATE TABLE standing (urls TEXT PRIMARY KEY, key BLOB);
INSERT INTO standing SELECT json_group_array(url), key FROM links GROUP BY coalesce(key, url);
DROP TABLE links;
"""
_MIGRATIONS = (_SCHEMA, _CONFIGURATIONS, _STANDING)
"""Each makes the next version; none is ever changed once it was released."""
VERSION = len(_MIGRATIONS)
ConfigurationRow = tuple[int, float, str, bytes, str]
"""Number, Unix time, who, the key of the node that asked (empty: this one), what."""


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
        for number, migration in enumerate(_MIGRATIONS[version:], version + 1):
            self._database.executescript(f"BEGIN; {migration} PRAGMA user_version = {number}; COMMIT;")

    async def run(self, work: Callable[[Store], T]) -> T:
        """Runs `work(store)` on the worker thread, after what was asked before, as one transaction.

        Raises StoreFailed, and then nothing has changed. Cancelled only before its turn has come.
        """
        return await self.use(lambda store: store._work(work))

    async def use(self, work: Callable[[Store], T]) -> T:
        """Like `run`, but `work` makes its own transactions."""
        return await trio.to_thread.run_sync(work, self, limiter=self._limiter)

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

    def links(self) -> list[tuple[list[str], bytes | None]]:
        """Standing links, the oldest first: (addresses of a node, the key that must answer there)."""
        rows = self._execute("SELECT urls, key FROM standing ORDER BY rowid")
        return [(json.loads(urls), key) for urls, key in rows]

    def set_links(self, links: Sequence[tuple[Sequence[str], bytes | None]]) -> None:
        """Keeps these standing links and no others."""
        self._execute("DELETE FROM standing")
        for urls, key in links:
            self._execute("INSERT INTO standing VALUES (?, ?)", (json.dumps(list(urls)), key))

    def configurations(self) -> list[ConfigurationRow]:
        """Every change of the configuration, newest first."""
        query = "SELECT number, time, who, key, what FROM configurations ORDER BY number DESC"
        return [(number, at, who, bytes(key), what) for number, at, who, key, what in self._execute(query)]

    def configuration(self, number: int) -> bytes | None:
        """The file as that change left it; None if it is not kept."""
        row = self._execute("SELECT data FROM configurations WHERE number = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def add_configuration(self, row: tuple[float, str, bytes, str], data: bytes, done: bool) -> int:
        """Keeps (time, who, key, what) as the newest change, and forgets the oldest of too many. Returns its number."""
        with self.transaction():
            insert = "INSERT INTO configurations (time, who, key, what, data, done) VALUES (?, ?, ?, ?, ?, ?)"
            number = self._execute(insert, (*row, data, done)).lastrowid or 0
            self._execute("DELETE FROM configurations WHERE number <= ?", (number - KEPT_CONFIGURATIONS,))
        return number

    def undone_configurations(self) -> list[tuple[int, bytes]]:
        """(number, data) of changes of which it is not known whether they came to the file."""
        rows = self._execute("SELECT number, data FROM configurations WHERE NOT done ORDER BY number")
        return [(number, bytes(data)) for number, data in rows]

    def finish_configuration(self, number: int) -> None:
        self._execute("UPDATE configurations SET done = 1 WHERE number = ?", (number,))

    def remove_configuration(self, number: int) -> None:
        self._execute("DELETE FROM configurations WHERE number = ?", (number,))
