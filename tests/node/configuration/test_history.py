"""Every change with who and when, the way back, and nothing untrue whenever it ends."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import node.configuration.history as module
from firefly.errors import InvalidArgument
from node.configuration.document import parse
from node.configuration.errors import BadConfiguration, UnreadableConfiguration, UnwritableConfiguration
from node.configuration.history import EDITED, Author, Entry, History
from node.store import KEPT_CONFIGURATIONS, Store

ALICE, LAPTOP = Author("alice"), Author("laptop", bytes(range(32)))
CHANGE = """
import sys
from pathlib import Path
from node.configuration.history import Author, History
from node.store import Store

home = Path(sys.argv[1])
history = History(home / "config.toml", Store(home / "state.sqlite"))
number = int(sys.argv[2])
while True:
    number += 1
    entry, _ = history.set("programs.limit", str(number), Author("alice"))
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.sqlite")
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def history(path: Path, store: Store) -> History:
    return History(path, store, now=itertools.count(1000.0).__next__)


def told(history: History) -> list[tuple[int, str, str]]:
    return [(entry.number, entry.who, entry.what) for entry in history.entries()]


def test_a_change_is_in_the_file_and_in_the_history(history: History, path: Path) -> None:
    entry, values = history.set("log.level", "debug", ALICE)
    assert entry == Entry(1, datetime.fromtimestamp(1000, UTC), "alice", b"", 'log.level = "debug"')
    assert values == parse(path.read_bytes(), path) == {"log.level": "debug"}
    path_before = path.read_bytes()
    again, _ = history.set("log.level", '"debug"', ALICE)
    assert again is None
    removed, values = history.set("log.level", None, LAPTOP)
    assert (removed and removed.key, values) == (LAPTOP.key, {})
    assert [history.text(number) for number in (2, 1, 0)] == [path.read_bytes(), path_before, b""]
    assert told(history) == [(2, "laptop", "log.level unset"), (1, "alice", 'log.level = "debug"')]


def test_an_edited_file_is_kept_before_anything_else_happens(history: History, path: Path) -> None:
    path.write_bytes(b"# mine\nprograms.limit = 20\n")
    history.set("log.level", "info", ALICE)
    assert path.read_bytes().startswith(b"# mine\n")
    assert told(history) == [(2, "alice", 'log.level = "info"'), (1, EDITED, "programs.limit = 20")]
    assert history.text(1) == b"# mine\nprograms.limit = 20\n"
    history.look()
    assert len(history.entries()) == 2


@pytest.mark.parametrize(("key", "text"), [("log.levle", "info"), ("log.level", "loud"), ("log.levle", None)])
def test_what_does_not_fit_changes_nothing(key: str, text: str | None, history: History, path: Path) -> None:
    with pytest.raises(BadConfiguration):
        history.set(key, text, ALICE)
    assert not path.exists()
    assert history.entries() == []


def test_a_file_that_cannot_be_used_is_mended_by_what_makes_it_good(history: History, path: Path) -> None:
    path.write_bytes(b"log.level = 5\n")
    with pytest.raises(BadConfiguration, match="cannot be used"):
        history.set("programs.limit", "20", ALICE)
    assert path.read_bytes() == b"log.level = 5\n"
    _, values = history.set("log.level", "info", ALICE)
    assert values == {"log.level": "info"}
    path.write_bytes(b"log.levle = 5\n")
    _, values = history.set("log.levle", None, ALICE)
    assert values == {}


def test_the_way_back_and_forth(history: History, path: Path) -> None:
    history.set("log.level", "info", ALICE)
    first = path.read_bytes()
    history.set("log.level", "debug", ALICE)
    entry, values = history.rollback(None, LAPTOP)
    assert (path.read_bytes(), values) == (first, {"log.level": "info"})
    assert entry is not None
    assert (entry.number, entry.who, entry.what) == (3, "laptop", 'rollback to 1: log.level = "info"')
    assert history.rollback(None, ALICE)[1] == {"log.level": "debug"}
    assert history.rollback(0, ALICE)[1] == {}
    assert history.rollback(1, ALICE)[1] == {"log.level": "info"}
    assert history.rollback(1, ALICE)[0] is None


def test_before_the_first_change_there_was_no_file(history: History, path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        history.rollback(None, ALICE)
    assert caught.value.hint == "glow config history"
    history.set("log.level", "info", ALICE)
    assert history.rollback(None, ALICE)[1] == {}
    assert path.read_bytes() == b""


def test_back_from_edits_that_cannot_be_used(history: History, path: Path) -> None:
    history.set("log.level", "info", ALICE)
    for data in (b"nonsense", b"\xff\0", b"x = 1"):
        path.write_bytes(data)
        history.look()
    assert history.rollback(None, ALICE)[1] == {"log.level": "info"}
    assert history.text(3) == b"\xff\0"
    with pytest.raises(BadConfiguration, match="no way back to 3"):
        history.rollback(3, ALICE)
    with pytest.raises(InvalidArgument, match="no change 99"):
        history.rollback(99, ALICE)


def test_back_from_a_file_that_cannot_be_read(history: History, path: Path) -> None:
    history.set("log.level", "info", ALICE)
    path.write_bytes(b"#" * 100_000)
    with pytest.raises(UnreadableConfiguration):
        history.set("log.level", "debug", ALICE)
    assert history.rollback(None, ALICE)[1] == {"log.level": "info"}
    assert parse(path.read_bytes(), path) == {"log.level": "info"}


def test_the_oldest_go_first(history: History, store: Store) -> None:
    for number in range(KEPT_CONFIGURATIONS + 5):
        store.add_configuration((0.0, "alice", b"", str(number)), b"", done=True)
    numbers = [entry.number for entry in history.entries()]
    assert numbers == list(range(KEPT_CONFIGURATIONS + 5, 5, -1))
    with pytest.raises(InvalidArgument):
        history.text(5)


class Killed(BaseException):
    """Stands for the end of the OS process at one place."""


@pytest.mark.parametrize("replaced", [False, True])
def test_an_end_between_store_and_file_is_settled(
    replaced: bool, history: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.set("log.level", "info", ALICE)
    before = path.read_bytes()

    def write_and_die(path: Path, data: bytes) -> None:
        if replaced:
            path.write_bytes(data)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "write", write_and_die)
        with pytest.raises(Killed):
            history.set("log.level", "debug", LAPTOP)
    assert (history.look() == before) is not replaced
    expected = [(1, "alice", 'log.level = "info"')]
    assert told(history) == ([(2, "laptop", 'log.level = "debug"')] if replaced else []) + expected


def test_a_file_that_could_not_be_written_is_no_change(
    history: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise UnwritableConfiguration("no", "the disk is full", "df")

    monkeypatch.setattr(module, "write", fail)
    with pytest.raises(UnwritableConfiguration):
        history.set("log.level", "debug", ALICE)
    assert history.entries() == []
    assert not path.exists()


def test_kill_9_at_any_moment_loses_and_invents_nothing(tmp_path: Path, path: Path) -> None:
    said = 99
    for _ in range(4):
        command = [sys.executable, "-c", CHANGE, str(tmp_path), str(said)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(8):
                said = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            said = max([said, *(int(line) for line in child.stdout if line.endswith("\n"))])
        store = Store(tmp_path / "state.sqlite")
        history = History(path, store)
        values = parse(history.look(), path)
        entries = history.entries()
        store.close()
        assert {entry.who for entry in entries} == {"alice"}
        assert entries[0].what == f"programs.limit = {values['programs.limit']}"
        assert [entry.number for entry in entries] == list(range(len(entries), 0, -1))
        assert values["programs.limit"] in (said, said + 1)
        said = values["programs.limit"]
