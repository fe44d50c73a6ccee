"""The file of a store is good, or said not to be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from processes.kv.database import Damaged, open_database, open_to_read
from processes.kv.reading import Reader
from processes.kv.writing import Writer


def filled(path: Path) -> bytes:
    """A closed store with entries; returns the file."""
    writer = Writer(open_database(path))
    for number in range(200):
        writer.commit([lambda number=number: writer.put(f"k{number}", bytes(500), None, None, 0.0)])  # type: ignore[misc]
    writer.close()
    return path.read_bytes()


def test_what_is_acknowledged_is_synced(tmp_path: Path) -> None:
    database = open_database(tmp_path / "kv")
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    open_database(tmp_path / "kv").close()
    reading = open_to_read(tmp_path / "kv")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.execute("DELETE FROM entries")
    reading.close()


def test_opened_again(tmp_path: Path) -> None:
    filled(tmp_path / "kv")
    open_database(tmp_path / "kv").close()
    reader = Reader(open_to_read(tmp_path / "kv"))
    assert reader.revision() == 200
    reader.close()


def test_damage_is_found(tmp_path: Path) -> None:
    good = filled(tmp_path / "kv")
    half = len(good) // 2
    for bad in (
        b"not a database" * 100,
        b"\xff" * 100 + good[100:],
        good[:half] + b"\xff" * 4096 + good[half + 4096 :],
        good[: half + 100],
    ):
        (tmp_path / "kv").write_bytes(bad)
        with pytest.raises(Damaged, match="kv"):
            open_database(tmp_path / "kv")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="open"):
        open_database(tmp_path)
    with pytest.raises(Damaged, match="open"):
        open_database(tmp_path / "missing" / "kv")


def test_another_version_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path / "kv")
    database = sqlite3.connect(tmp_path / "kv")
    database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(Damaged, match="version 9"):
        open_database(tmp_path / "kv")


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "kv")
    database.execute("CREATE TABLE entries (a)")
    database.close()
    with pytest.raises(Damaged, match="exists"):
        open_database(tmp_path / "kv")
