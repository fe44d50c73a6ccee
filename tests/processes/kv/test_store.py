"""Writes that share a transaction do not share their fate, unless the disk decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from processes.kv.reading import Reader
from processes.kv.store import Store, Unusable, unusable
from processes.kv.writing import Writer, WrongRevision


async def outcomes(store: Store, works: list[Callable[[Writer], Any]]) -> list[object]:
    """What becomes of writes that wait together."""
    found: list[object] = [None] * len(works)

    async def write(index: int, work: Callable[[Writer], Any]) -> None:
        try:
            found[index] = await store.write(work)
        except Exception as error:
            found[index] = type(error)

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as writers:
            for index, work in enumerate(works):
                writers.start_soon(write, index, work)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(store.serve)
        nursery.cancel_scope.cancel()
    return found


def put(writer: Writer, key: str, value: bytes = b"x", expected: int | None = None) -> int:
    return writer.put(key, value, expected, None, 0.0)


async def test_a_write_that_fails_harms_no_other(tmp_path: Path) -> None:
    def too_much(writer: Writer) -> int:
        put(writer, "left over")
        raise sqlite3.OperationalError("database or disk is full")

    store = Store(tmp_path / "kv")
    works = [partial(put, key="a"), too_much, partial(put, key="b", expected=9), partial(put, key="c")]
    found = await outcomes(store, works)
    assert found[1:3] == [Unusable, WrongRevision]
    assert {found[0], found[3]} == {1, 2}
    assert store._reader.revision() == 2
    assert store._reader.get("left over", 0.0) is None
    store.close()


async def test_reads_see_what_was_acknowledged(tmp_path: Path) -> None:
    store = Store(tmp_path / "kv")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.serve)
        for number in range(20):
            changed = store.changed
            revision = await store.write(partial(put, key=f"{number}"))
            assert changed.is_set()
            assert await store.read(Reader.revision) == revision
        nursery.cancel_scope.cancel()
    assert store.changed.is_set() is False
    store.close()


async def test_an_error_of_a_read_is_its_own(tmp_path: Path) -> None:
    def broken(_: Reader) -> None:
        raise sqlite3.DatabaseError("malformed")

    store = Store(tmp_path / "kv")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.serve)
        with pytest.raises(Unusable):
            await store.read(broken)
        assert await store.read(Reader.revision) == 0
        nursery.cancel_scope.cancel()
    store.close()


def test_a_full_disk_has_its_own_hint() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert "room" in unusable(full).hint
    assert "room" not in unusable(sqlite3.DatabaseError("malformed")).hint
