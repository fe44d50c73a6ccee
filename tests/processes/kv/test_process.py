"""The kv process as its callers see it, over a real conversation, and after it was killed."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from firefly.errors import GlowError, Interrupted, InvalidArgument, TooLarge
from firefly.interfaces.kv import KV, Change, Conflict, TooOld
from firefly.testing import serving
from processes.kv.process import MAX_KEY, MAX_VALUE, KVProcess
from processes.kv.store import Unusable
from processes.kv.writing import Writer
from tests.processes.running import command, environment, kv_of, on_small_disk, started


async def test_the_whole_interface(tmp_path: Path) -> None:
    async with kv_of(tmp_path) as kv:
        assert await kv.get("a") is None
        assert await kv.entry("a") is None
        assert await kv.put("a", b"1") == 1
        assert await kv.put("b", b"2", expected=0) == 2
        with pytest.raises(Conflict) as caught:
            await kv.put("b", b"3", expected=0)
        assert (caught.value.key, caught.value.revision) == ("b", 2)
        assert await kv.get("a") == b"1"
        entry = await kv.entry("b")
        assert entry is not None
        assert (entry.key, entry.value, entry.revision, entry.expires) == ("b", b"2", 2, None)
        with pytest.raises(Conflict):
            await kv.delete("a", expected=5)
        assert await kv.delete("a", expected=1)
        assert not await kv.delete("a")
    async with kv_of(tmp_path) as kv:
        assert await kv.get("b") == b"2"
        assert await kv.put("c", b"") == 4


async def test_bounds(tmp_path: Path) -> None:
    async with kv_of(tmp_path) as kv:
        key, value = "é" * (MAX_KEY // 2), os.urandom(MAX_VALUE)
        await kv.put(key, value)
        assert await kv.get(key) == value
        with pytest.raises(TooLarge):
            await kv.put(key + "a", b"")
        with pytest.raises(TooLarge):
            await kv.put("a", value + b"x")
        for call in (kv.put("", b""), kv.get(""), kv.entry(""), kv.delete("")):
            with pytest.raises(InvalidArgument):
                await call
        for ttl in (0.0, -1.0, float("nan"), float("inf"), 1e12):
            with pytest.raises(InvalidArgument):
                await kv.put("a", b"", ttl=ttl)


async def test_lists_come_in_pages(tmp_path: Path) -> None:
    expected = [f"a/{number:03}" for number in range(25)]
    async with kv_of(tmp_path) as kv:
        async with trio.open_nursery() as nursery:
            for key in [*expected, "a", "b", "a0"]:
                nursery.start_soon(kv.put, key, b"x")
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await kv.list("a/", after, 10)
            seen += [entry.key for entry in page.entries]
            after = page.next
        assert seen == expected
        assert len((await kv.list(limit=5000)).entries) == 28
        assert len((await kv.list(limit=0)).entries) == 1


async def test_a_page_of_large_values_is_short(tmp_path: Path) -> None:
    async with kv_of(tmp_path) as kv:
        for number in range(12):
            await kv.put(f"{number:02}", bytes(MAX_VALUE))
        page = await kv.list()
        assert 0 < len(page.entries) < 12
        rest = await kv.list("", page.next or "")
        assert len(page.entries) + len(rest.entries) == 12


# --- watching


async def take(changes: Any, count: int) -> list[Change]:
    return [await anext(changes) for _ in range(count)]


async def test_a_watch_from_a_revision(tmp_path: Path) -> None:
    async with kv_of(tmp_path) as kv:
        await kv.put("a/1", b"1")
        await kv.put("b", b"2")
        await kv.put("a/2", b"3")
        async with kv.watch("a/", 0) as changes:
            assert await take(changes, 2) == [Change("a/1", 1, b"1"), Change("a/2", 3, b"3")]
            await kv.delete("a/1")
            await kv.put("b", b"x")
            await kv.put("a/3", b"5")
            assert await take(changes, 2) == [Change("a/1", 4, None), Change("a/3", 6, b"5")]
        async with kv.watch("", 3) as changes:
            assert [change.revision for change in await take(changes, 3)] == [4, 5, 6]
        with pytest.raises(TooOld) as caught:
            await anext(kv.watch("", 7))
        assert caught.value.oldest == 6


async def test_a_watch_from_now_on(tmp_path: Path) -> None:
    async def put_until_told() -> None:
        while not told.is_set():
            await kv.put("a", b"new")

    told = trio.Event()
    async with kv_of(tmp_path) as kv, trio.open_nursery() as nursery:
        await kv.put("a", b"old")
        async with kv.watch() as changes:
            nursery.start_soon(put_until_told)
            change = await anext(changes)
            told.set()
        assert change.value == b"new"


async def test_watchers_miss_nothing_while_much_is_written(tmp_path: Path) -> None:
    async def write(name: int) -> None:
        for number in range(50):
            await kv.put(f"{name}/{number}", b"x")

    async def watch(prefix: str, count: int) -> None:
        async with kv.watch(prefix, 0) as changes:
            revisions = [change.revision for change in await take(changes, count)]
        assert revisions == sorted(set(revisions))

    async with kv_of(tmp_path) as kv, trio.open_nursery() as nursery:
        nursery.start_soon(watch, "", 500)
        nursery.start_soon(watch, "7/", 50)
        for name in range(10):
            nursery.start_soon(write, name)


async def test_watches_and_writes_hear_that_the_process_stops(tmp_path: Path) -> None:
    async with started(KVProcess(), tmp_path) as process:
        await process.put("a", b"1", None, None)
        async with aclosing(process.watch("", 0)) as changes:
            await anext(changes)
            await process.stop()
            with pytest.raises(Interrupted):
                await anext(changes)
        with pytest.raises(Interrupted):
            await process.put("a", b"2", None, None)
        with pytest.raises(Interrupted):
            await process.get("a")


async def test_a_waiting_watch_hears_that_the_process_stops(tmp_path: Path) -> None:
    async def watch(changes: AsyncIterator[Change]) -> None:
        with pytest.raises(Interrupted):
            await anext(changes)
        heard.set()

    heard = trio.Event()
    async with started(KVProcess(), tmp_path) as process, trio.open_nursery() as nursery:
        revision = await process.put("a", b"1", None, None)
        async with aclosing(process.watch("", revision)) as changes:
            nursery.start_soon(watch, changes)
            await trio.testing.wait_all_tasks_blocked()
            await process.stop()
            await heard.wait()


# --- time to live


async def test_expired_keys_vanish_and_are_told(tmp_path: Path) -> None:
    async with kv_of(tmp_path) as kv:
        before = datetime.now(UTC)
        await kv.put("later", b"x", ttl=1000.0)
        entry = await kv.entry("later")
        assert entry is not None
        assert entry.expires is not None
        assert 990 < (entry.expires - before).total_seconds() < 1100
        await kv.put("soon", b"x", ttl=0.01)
        await kv.put("sooner", b"x", ttl=0.001)
        async with kv.watch("", 3) as changes:
            assert {change.key for change in await take(changes, 2)} == {"soon", "sooner"}
        assert [entry.key for entry in (await kv.list()).entries] == ["later"]
        assert await kv.put("soon", b"y", expected=0) == 6


async def test_keys_that_expired_while_nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kv_of(tmp_path) as kv:
        await kv.put("a", b"x", ttl=50.0)
    later = time.time() + 100
    monkeypatch.setattr("time.time", lambda: later)
    async with kv_of(tmp_path) as kv, kv.watch("", 1) as changes:
        assert await anext(changes) == Change("a", 2, None)


# --- the disk


async def test_writes_that_wait_together_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    commit = Writer.commit

    def counted(self: Writer, writes: list[Any]) -> None:
        sizes.append(len(writes))
        commit(self, writes)

    monkeypatch.setattr(Writer, "commit", counted)
    async with kv_of(tmp_path) as kv:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(kv.put, f"{number}", b"x")
        assert sum(sizes) == 200
        assert len(sizes) < 100


async def test_a_conflict_harms_no_other_write(tmp_path: Path) -> None:
    conflicts: list[str] = []

    async def put(key: str, expected: int | None) -> None:
        try:
            await kv.put(key, b"x", expected)
        except Conflict as error:
            conflicts.append(error.key)

    async with kv_of(tmp_path) as kv:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(put, f"{number:03}", 7 if number % 10 == 0 else 0)
        assert sorted(conflicts) == [f"{number:03}" for number in range(0, 100, 10)]
        assert len((await kv.list(limit=1000)).entries) == 90


async def test_damage_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "kv.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.RaisesGroup(pytest.RaisesExc(Unusable, match="cannot be opened")) as caught:
        async with kv_of(tmp_path):
            pass
    error = caught.value.exceptions[0]
    assert isinstance(error, GlowError)
    assert "not a database" in error.cause
    assert "kv.sqlite" in error.hint


async def test_damage_that_is_found_later_is_said_too(tmp_path: Path) -> None:
    async with started(KVProcess(), tmp_path) as process, serving(process, KV) as kv:
        await kv.put("a", b"1")
        with sqlite3.connect(tmp_path / "kv.sqlite") as other:
            other.execute("DROP TABLE changes")
        other.close()
        for call in (kv.get("a"), kv.put("a", b"2")):
            with pytest.raises(GlowError, match="cannot be used") as caught:
                await call
            assert "changes" in caught.value.cause


FILL = """
import sys, trio
from pathlib import Path
from firefly.errors import GlowError
from tests.processes.running import kv_of

async def main():
    async with kv_of(Path(sys.argv[1])) as kv:
        await kv.put("kept", b"here")
        done = 0
        try:
            for number in range(40):
                await kv.put(f"{number:02}", bytes(2**20))
                done = number + 1
        except GlowError as error:
            print(error.message, "|", error.hint)
        page = await kv.list("", "", 1000)
        print(0 < done < 40, await kv.get("kept"), await kv.get(f"{done:02}"))

trio.run(main)
"""
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))"


@pytest.mark.parametrize("how", ["a file can grow no more", "the disk is full"])
def test_a_full_disk_loses_nothing(tmp_path: Path, how: str) -> None:
    if how == "the disk is full":
        program, hint = on_small_disk(tmp_path, "16m", command(FILL, tmp_path)), "make room on the disk of its node"
    else:
        program, hint = command(LIMITED + FILL, tmp_path), "look at the disk of its node"
    done = subprocess.run(program, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"the store cannot be used | {hint}", "True b'here' None"]


PUT = """
import sys, trio
from pathlib import Path
from tests.processes.running import kv_of

async def main():
    async with kv_of(Path(sys.argv[1])) as kv, trio.open_nursery() as nursery:
        async def put(name):
            number = 0
            while True:
                revision = await kv.put(f"{name}/{number}", str(number).encode() * 20)
                print(name, number, revision, flush=True)
                number += 1
        for name in range(8):
            nursery.start_soon(put, name)

trio.run(main)
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[str, tuple[bytes, int]] = {}
    for turn in range(10):
        await trio.to_thread.run_sync(_put_until_killed, tmp_path, random.Random(turn).randint(1, 400), acknowledged)
        async with kv_of(tmp_path) as kv:
            for key, (value, revision) in acknowledged.items():
                entry = await kv.entry(key)
                assert entry is not None
                assert entry.value == value
                assert entry.revision >= revision  # the next turn has put it again, maybe without saying so


def _put_until_killed(folder: Path, count: int, acknowledged: dict[str, tuple[bytes, int]]) -> None:
    with subprocess.Popen(command(PUT, folder), stdout=subprocess.PIPE, text=True, env=environment()) as program:
        assert program.stdout is not None
        for seen, line in enumerate(program.stdout):
            if line.endswith("\n"):
                name, number, revision = line.split()
                acknowledged[f"{name}/{number}"] = number.encode() * 20, int(revision)
            if seen == count:
                program.kill()
