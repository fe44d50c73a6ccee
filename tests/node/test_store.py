"""The state file: what is kept is kept, whatever happens to the OS process that kept it."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import node.store as module
from node.store import VERSION, DamagedStore, Store, StoreFailed

VERSION_1 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE statements (id BLOB PRIMARY KEY, kind TEXT NOT NULL, slot BLOB NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX statements_by_slot ON statements (kind, slot);
CREATE TABLE processes (id BLOB PRIMARY KEY, label TEXT NOT NULL UNIQUE, specification BLOB NOT NULL);
CREATE TABLE invites (id BLOB PRIMARY KEY, invite BLOB NOT NULL);
CREATE TABLE links (url TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID;
INSERT INTO settings VALUES ('label', x'6e6173');
INSERT INTO processes VALUES (x'01', 'files', x'02');
PRAGMA user_version = 1;
"""
"""The state as the first version wrote it."""
WRITE = """
import sys
from pathlib import Path
from node.store import Store

store = Store(Path(sys.argv[1]))
number = int(store.get("number") or b"-1")
while True:
    number += 1
    with store.transaction():
        store.set("number", str(number).encode())
        store.add_process(number.to_bytes(16, "big"), str(number), b"specification")
        store.set_links([*store.links(), ([f"tcp://{number}"], None)])
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def test_what_is_kept_is_there_after_a_restart(path: Path) -> None:
    store = Store(path)
    store.set("namespace", b"key")
    store.keep_statement(b"id", "name", b"slot", b"signed")
    store.add_process(b"p", "files", b"specification")
    store.add_invite(b"i", b"invite")
    store.set_links([(["tcp://nas:1", "tcp://ä:2"], b"its key"), (["tcp://other:1"], None)])
    store.close()
    store = Store(path)
    assert store.get("namespace") == b"key"
    assert store.statements() == [b"signed"]
    assert store.processes() == [(b"p", b"specification")]
    assert store.invites() == [b"invite"]
    assert store.links() == [(["tcp://nas:1", "tcp://ä:2"], b"its key"), (["tcp://other:1"], None)]
    store.remove_process(b"p")
    store.remove_invite(b"i")
    assert (store.processes(), store.invites()) == ([], [])
    store.close()


def test_what_was_never_kept_is_none(path: Path) -> None:
    store = Store(path)
    assert store.get("namespace") is None
    store.close()


def test_the_newest_statement_of_a_slot_is_kept_in_the_order_of_keeping(path: Path) -> None:
    store = Store(path)
    for identifier, kind, slot in ((b"1", "name", b"a"), (b"2", "name", b"b"), (b"3", "certificate", b"a")):
        store.keep_statement(identifier, kind, slot, identifier)
    store.keep_statement(b"4", "name", b"a", b"4")
    store.keep_statement(b"2", "name", b"b", b"2")
    assert sorted(store.statements()) == [b"2", b"3", b"4"]
    assert store.statements().index(b"4") > store.statements().index(b"3")
    store.close()


def test_it_is_durable_and_for_its_owner_alone(path: Path) -> None:
    store = Store(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store._execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_nothing_acknowledged_is_lost_by_kill_9_and_nothing_is_there_in_part(path: Path) -> None:
    said = -1
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(20):
                said = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            said = max([said, *(int(line) for line in child.stdout if line.endswith("\n"))])
        store = Store(path)
        number = int(store.get("number") or b"-1")
        assert number >= said
        assert len(store.processes()) == len(store.links()) == number + 1
        store.close()


def test_a_transaction_that_fails_changes_nothing(path: Path) -> None:
    store = Store(path)

    def fail() -> None:
        with store.transaction():
            store.set("label", b"nas")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert store.get("label") is None
    with store.transaction():
        store.set("label", b"nas")
    assert store.get("label") == b"nas"
    store.close()


async def test_work_runs_in_order_on_one_thread(path: Path) -> None:
    store = Store(path)
    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(store.run, lambda _, number=number: seen.append(number))
            await trio.testing.wait_all_tasks_blocked()
    assert seen == list(range(20))
    store.close()


async def test_work_is_one_transaction(path: Path) -> None:
    store = Store(path)

    def work(store: Store) -> None:
        store.add_process(b"1", "files", b"")
        store.add_process(b"2", "files", b"")

    with pytest.raises(StoreFailed, match="cannot be read or written") as caught:
        await store.run(work)
    assert "UNIQUE" in caught.value.cause
    assert await store.run(Store.processes) == []
    assert await store.run(lambda store: store.get("label")) is None
    store.close()


async def test_a_full_disk_is_a_typed_error_and_the_store_lives_on(path: Path) -> None:
    store = Store(path)
    store.set("label", b"nas")
    (pages,) = store._execute("PRAGMA page_count").fetchone()
    store._execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFailed) as caught:
        await store.run(lambda store: store.set("blob", bytes(100_000)))
    assert "full" in caught.value.cause
    assert "disk" in caught.value.hint
    store._execute("PRAGMA max_page_count = 100000")
    await store.run(lambda store: store.set("blob", b"small"))
    assert (store.get("label"), store.get("blob")) == (b"nas", b"small")
    store.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 2000])
def test_a_damaged_file_is_a_typed_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedStore) as caught:
        Store(path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(DamagedStore):
        Store(tmp_path / "nowhere" / "state.sqlite")


def test_the_state_of_version_1_is_carried_over(path: Path) -> None:
    database = sqlite3.connect(path)
    database.executescript(VERSION_1)
    rows = [("tcp://b:1", b"its key"), ("tcp://a:1", b"its key"), ("tcp://c:1", None), ("tcp://d:1", None)]
    database.executemany("INSERT INTO links VALUES (?, ?)", rows)
    database.commit()
    database.close()
    store = Store(path)
    assert sorted(store.links()) == [
        (["tcp://a:1", "tcp://b:1"], b"its key"),
        (["tcp://c:1"], None),
        (["tcp://d:1"], None),
    ]
    store.close()


def test_the_state_of_a_newer_version_is_not_touched(path: Path) -> None:
    Store(path).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(DamagedStore, match="newer version"):
        Store(path)


def test_the_state_of_the_first_version_is_taken_over(path: Path) -> None:
    database = sqlite3.connect(path)
    database.executescript(VERSION_1)
    database.close()
    for _ in range(2):
        store = Store(path)
        assert (store.get("label"), store.processes()) == (b"nas", [(b"\x01", b"\x02")])
        assert store._execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert store.add_configuration((1.0, "alice", b"", "x"), b"data", done=True) == len(store.configurations())
        store.close()


def test_a_migration_that_fails_leaves_the_state_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = sqlite3.connect(path)
    database.executescript(VERSION_1)
    monkeypatch.setattr(module, "_MIGRATIONS", ("", "CREATE TABLE later (x); CREATE TABLE settings (x);"))
    monkeypatch.setattr(module, "VERSION", 2)
    with pytest.raises(DamagedStore):
        Store(path)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert database.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []
    database.close()
