"""The filesystem process as its callers see it, over a real conversation."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from firefly.errors import Busy, GlowError, Internal, Interrupted, InvalidArgument
from firefly.interfaces.filesystem import (
    BadPath,
    ChangeCreated,
    Exists,
    FileSystem,
    Kind,
    Mismatch,
    NotAFile,
    NotAFolder,
    NotEmpty,
    NotFound,
    ReadOnly,
    Written,
)
from processes.configuration import BadConfiguration
from processes.filesystem.process import FileSystemProcess, to_time
from processes.filesystem.reading import PIECE
from tests.processes.running import command, environment, files_of, on_small_disk, started

BIG = os.urandom(3 * PIECE + 12345)
TOKEN = b"token"


def written(data: bytes) -> Written:
    return Written(len(data), hashlib.sha256(data).digest())


async def whole(files: FileSystem, path: str, *arguments: Any) -> bytes:
    return b"".join([item async for item in files.read(path, *arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


# --- looking


async def test_info_and_stat(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("12345")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    async with files_of(tmp_path, writable="no") as files:
        info = await files.info()
        assert not info.writable
        assert 0 < info.free <= info.total
        found = await files.stat("file")
        assert (found.kind, found.size, found.mode) == (Kind.FILE, 5, 0o640)
        assert found.modified.timestamp() == pytest.approx((tmp_path / "file").stat().st_mtime)
        page = await files.list("")
        assert [(entry.name, entry.stat.kind, entry.stat.size) for entry in page.entries] == [
            ("file", Kind.FILE, 5),
            ("folder", Kind.FOLDER, 0),
            ("link", Kind.LINK, 0),
            ("pipe", Kind.OTHER, 0),
        ]
        assert (await files.stat("")).kind == Kind.FOLDER


async def test_lists_come_in_pages(tmp_path: Path) -> None:
    expected = [f"{number:04}" for number in range(2100)]
    for name in expected:
        (tmp_path / name).touch()
    async with files_of(tmp_path) as files:
        seen: list[str] = []
        after: str | None = ""
        sizes = []
        while after is not None:
            page = await files.list("", after, 5000)
            sizes.append(len(page.entries))
            seen += [entry.name for entry in page.entries]
            after = page.next
        assert seen == expected
        assert sizes == [1000, 1000, 100]
        assert len((await files.list("", "", 0)).entries) == 1


def test_times_that_no_calendar_has() -> None:
    assert to_time(-5).year == 1970
    assert to_time(1e18).year == 9999


async def test_a_file_is_read_in_items_that_fit_a_packet(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BIG)
    async with files_of(tmp_path) as files:
        items = [item async for item in files.read("big")]
        assert b"".join(items) == BIG
        assert 60_000 <= max(map(len, items)) <= 64 * 1024
        assert await files.digest("big") == written(BIG)


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (0, 0),
        (0, 1),
        (5, 10),
        (PIECE, PIECE),
        (PIECE - 1, 2),
        (0, 2 * PIECE),
        (0, len(BIG)),
        (1, None),
        (len(BIG) - 1, None),
        (len(BIG), None),
        (2**63, 5),
        (0, 2**64 - 1),
        (2**64 - 1, 2**64 - 1),
    ],
)
async def test_a_part_of_a_file(tmp_path: Path, offset: int, size: int | None) -> None:
    (tmp_path / "big").write_bytes(BIG)
    async with files_of(tmp_path) as files:
        assert await whole(files, "big", offset, size) == BIG[offset:][:size]


async def test_a_reader_that_leaves_lets_go_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BIG * 4)
    async with started(FileSystemProcess(), tmp_path, root=str(tmp_path)) as process:
        before = len(os.listdir("/dev/fd"))
        async with aclosing(process.read("big", 0, None)) as pieces:
            assert await anext(pieces) == BIG[:PIECE]
        await trio.testing.wait_all_tasks_blocked()
        while len(os.listdir("/dev/fd")) > before:
            await trio.lowlevel.checkpoint()


async def test_a_read_that_the_end_of_the_process_cuts_says_so(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BIG * 4)
    async with started(FileSystemProcess(), tmp_path, root=str(tmp_path)) as process:
        pieces = process.read("big", 0, None)
        await anext(pieces)
        await process.stop()
        with pytest.raises(Interrupted):
            await _exhaust(pieces)


async def _exhaust(items: AsyncIterator[object]) -> None:
    async for _ in items:
        pass


# --- changing


async def test_a_file_is_written_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    async with files_of(tmp_path) as files:
        pieces = [BIG[start : start + 50_000] for start in range(0, len(BIG), 50_000)]
        assert await files.write("file", pieces) == written(BIG)
        assert await files.write("empty", []) == written(b"")
        assert (tmp_path / "file").read_bytes() == BIG
        assert names(tmp_path) == ["empty", "file"]


async def test_a_write_that_breaks_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")

    def breaking() -> Iterable[bytes]:
        yield BIG
        raise InvalidArgument("no more")

    async with files_of(tmp_path) as files:
        with pytest.raises(InvalidArgument):
            await files.write("file", breaking())
        with trio.CancelScope() as scope:
            await files.write("file", _then_cancel(scope))
        assert (tmp_path / "file").read_text() == "old"
        while names(tmp_path) != ["file"]:
            await trio.lowlevel.checkpoint()


async def _then_cancel(scope: trio.CancelScope) -> AsyncIterator[bytes]:
    yield BIG
    scope.cancel()
    await trio.sleep_forever()


async def test_an_upload_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    def breaking() -> Iterable[bytes]:
        yield BIG[: 2 * PIECE + 777]
        raise InvalidArgument("cut")

    async with files_of(tmp_path) as files:
        assert await files.unfinished("file", TOKEN) == 0
        with pytest.raises(InvalidArgument, match="cut"):
            await files.upload("file", TOKEN, 0, breaking())
        kept = 2 * PIECE + 777
        assert await files.unfinished("file", TOKEN) == kept
        assert await files.unfinished("file", b"other") == 0
        assert (await files.list("")).entries == []
    async with files_of(tmp_path) as files:  # the process was started again meanwhile
        assert await files.unfinished("file", TOKEN) == kept
        assert await files.upload("file", TOKEN, kept, [BIG[kept:]]) == written(BIG)
        assert await files.commit("file", TOKEN, written(BIG)) == written(BIG)
        assert (tmp_path / "file").read_bytes() == BIG
        assert names(tmp_path) == ["file"]


@settings(max_examples=20)
@given(data=st.data())
async def test_uploads_in_any_pieces(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = data.draw(st.binary(max_size=200))
    folder = tmp_path_factory.mktemp("share")
    async with files_of(folder) as files:
        at = 0
        for _ in range(data.draw(st.integers(1, 4))):
            end = data.draw(st.integers(at, len(content)))
            assert await files.upload("file", TOKEN, at, [content[at:end]]) == written(content[:end])
            at = data.draw(st.integers(0, end))  # less may be known to have arrived than has
        await files.upload("file", TOKEN, at, [content[at:]])
        await files.commit("file", TOKEN, written(content))
        assert (folder / "file").read_bytes() == content


async def test_a_commit_of_something_else_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    async with files_of(tmp_path) as files:
        with pytest.raises(NotFound):
            await files.commit("file", TOKEN, written(b"new"))
        await files.upload("file", TOKEN, 0, [b"ne"])
        with pytest.raises(Mismatch) as caught:
            await files.commit("file", TOKEN, written(b"new"))
        assert (caught.value.size, caught.value.digest) == (2, written(b"ne").digest)
        assert await files.unfinished("file", TOKEN) == 2
        await files.upload("file", TOKEN, 2, [b"x"])
        with pytest.raises(Mismatch):
            await files.commit("file", TOKEN, written(b"new"))
        assert names(tmp_path) == ["file"]
        assert (tmp_path / "file").read_text() == "old"


async def test_what_somebody_changed_on_the_disk_is_not_committed(tmp_path: Path) -> None:
    async with files_of(tmp_path) as files:
        await files.upload("file", TOKEN, 0, [b"new"])
        (partial,) = names(tmp_path)
        (tmp_path / partial).write_bytes(b"bad")
        os.utime(tmp_path / partial, (1, 1))
        with pytest.raises(Mismatch):
            await files.commit("file", TOKEN, written(b"new"))


async def test_more_than_is_there_cannot_be_continued(tmp_path: Path) -> None:
    async with files_of(tmp_path) as files:
        with pytest.raises(NotFound):
            await files.upload("file", TOKEN, 1, [b"x"])
        await files.upload("file", TOKEN, 0, [b"123"])
        with pytest.raises(InvalidArgument, match="3 bytes"):
            await files.upload("file", TOKEN, 4, [b"x"])
        with pytest.raises(InvalidArgument):
            await files.upload("file", TOKEN, 2**64 - 1, [b"x"])
        assert await files.unfinished("file", TOKEN) == 3


async def test_a_newer_call_takes_an_upload_over(tmp_path: Path) -> None:
    began = trio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield BIG[:PIECE]
        began.set()
        await trio.sleep_forever()

    async def first() -> None:
        with pytest.raises(Busy, match="another call"):
            await files.upload("file", TOKEN, 0, stuck())

    async with files_of(tmp_path) as files, trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await began.wait()
        while (kept := await files.unfinished("file", TOKEN)) == 0:
            await trio.lowlevel.checkpoint()
        assert await files.upload("file", TOKEN, kept, [BIG[kept:]]) == written(BIG)


async def test_folders_and_names(tmp_path: Path) -> None:
    async with files_of(tmp_path) as files:
        await files.mkdir("a/b", parents=True)
        await files.write("a/b/file", [b"x"])
        await files.rename("a/b/file", "a/other")
        await files.remove("a/b")
        assert names(tmp_path) == ["a", "other"]
        await files.remove("a", recursive=True)
        assert names(tmp_path) == []


async def test_a_watch_tells_what_is_written(tmp_path: Path) -> None:
    async def write_until_told() -> None:
        number = 0
        while not told.is_set():
            number += 1
            await files.write(f"file{number}", [b"x"])

    told = trio.Event()
    async with files_of(tmp_path) as files, trio.open_nursery() as nursery:
        nursery.start_soon(write_until_told)
        async with files.watch() as changes:
            while not isinstance(change := await anext(changes), ChangeCreated):
                continue
            told.set()
        assert change.value.startswith("file")


# --- what is refused

Call = Callable[[FileSystem, str], Awaitable[Any]]
LOOKING: dict[str, Call] = {
    "stat": lambda files, path: files.stat(path),
    "list": lambda files, path: files.list(path),
    "read": whole,
    "digest": lambda files, path: files.digest(path),
    "watch": lambda files, path: anext(files.watch(path)),
}
CHANGING: dict[str, Call] = {
    "write": lambda files, path: files.write(path, [b"x"]),
    "unfinished": lambda files, path: files.unfinished(path, TOKEN),
    "upload": lambda files, path: files.upload(path, TOKEN, 0, [b"x"]),
    "commit": lambda files, path: files.commit(path, TOKEN, written(b"x")),
    "mkdir": lambda files, path: files.mkdir(path),
    "remove": lambda files, path: files.remove(path),
    "rename": lambda files, path: files.rename(path, "new"),
    "rename to": lambda files, path: files.rename("file", path),
}


@pytest.mark.parametrize("call", (LOOKING | CHANGING).values(), ids=LOOKING | CHANGING)
async def test_no_method_leads_out(tmp_path: Path, call: Call) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "link").symlink_to(outside)
    (root / "file").write_text("mine")
    async with files_of(root) as files:
        for path in ("../outside/secret", str(outside / "secret"), "link/secret", "./file", "e\u0301", "a\0", "a\\b"):
            with pytest.raises(BadPath) as caught:
                await call(files, path)
            assert caught.value.reason
    assert names(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert names(root) == ["file", "link"]


@pytest.mark.parametrize("call", CHANGING.values(), ids=CHANGING)
async def test_a_folder_that_is_not_writable_is_not_changed(tmp_path: Path, call: Call) -> None:
    (tmp_path / "file").write_text("x")
    async with files_of(tmp_path, writable="no") as files:
        with pytest.raises(ReadOnly):
            await call(files, "file")
    assert names(tmp_path) == ["file"]


ANSWERED = {name: call for name, call in (LOOKING | CHANGING).items() if name != "watch"}
MISSING = {name: call for name, call in (LOOKING | CHANGING).items() if name not in ("unfinished", "rename to")}


@pytest.mark.parametrize("call", MISSING.values(), ids=MISSING)
async def test_what_is_not_there(tmp_path: Path, call: Call) -> None:
    (tmp_path / "file").write_text("x")
    async with files_of(tmp_path) as files:
        with pytest.raises(NotFound):
            await call(files, "missing/file")
        with pytest.raises((NotFound, NotAFolder)):
            await call(files, "file/inner")
        with pytest.raises(NotFound) as caught:
            await files.rename("file", "missing/file")
        assert caught.value.path == "missing/file"


async def test_the_wrong_kind(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    async with files_of(tmp_path) as files:
        cases: list[tuple[Awaitable[Any], type[GlowError]]] = [
            (whole(files, "folder"), NotAFile),
            (whole(files, ""), NotAFile),
            (files.digest("folder"), NotAFile),
            (files.write("folder", [b"x"]), NotAFile),
            (files.upload("folder", TOKEN, 0, [b"x"]), BadPath),
            (files.list("file"), NotAFolder),
            (files.mkdir("file"), Exists),
            (files.mkdir("folder"), Exists),
            (files.rename("file", "folder"), Exists),
            (files.rename("folder", "folder/inner/deeper"), BadPath),
            (files.remove("folder"), NotEmpty),
            (files.remove("", recursive=True), BadPath),
            (files.write("", [b"x"]), BadPath),
            (files.stat("x" * 300), BadPath),
        ]
        for call, expected in cases:
            with pytest.raises(expected):
                await call
    assert names(tmp_path) == ["file", "folder", "inner"]


@settings(max_examples=50)
@given(path=st.text(max_size=20), token=st.binary(max_size=64), number=st.integers(0, 2**64 - 1))
async def test_any_arguments_get_an_answer(
    path: str, token: bytes, number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with files_of(tmp_path_factory.mktemp("share")) as files:
        calls: list[Awaitable[Any]] = [call(files, path) for name, call in ANSWERED.items()]
        calls += [files.upload(path, token, number, []), whole(files, path, number, number), files.list("", path, 5)]
        for call in calls:
            try:
                await call
            except Internal as error:
                pytest.fail(f"{path!r}: {error.message}")
            except GlowError:
                continue


# --- configuration


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({}, "no root"),
        ({"root": ""}, "no root"),
        ({"root": "relative"}, "whole path"),
        ({"root": "/nowhere/at/all"}, "cannot be served"),
        ({"root": "/etc/passwd"}, "cannot be served"),
        ({"root": "/", "writable": "maybe"}, "yes or no"),
        ({"root": "/", "colour": "red"}, "colour"),
    ],
)
async def test_bad_configurations(tmp_path: Path, configuration: dict[str, str], reason: str) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(BadConfiguration, match=reason)):
        async with started(FileSystemProcess(), tmp_path, **configuration):
            pass


# --- a full disk

FILL = """
import sys, trio
from pathlib import Path
from firefly.interfaces.filesystem import NoSpace
from tests.processes.running import files_of

async def main():
    root = Path(sys.argv[1])
    async with files_of(root) as files:
        await files.write("small", [b"small"])
        much = [bytes(2**20)] * 32
        for attempt in (files.write("big", much), files.upload("big", b"token", 0, much)):
            try:
                await attempt
            except NoSpace as error:
                print("no space for", error.path)
        print(await files.unfinished("big", b"token") > 0, [entry.name for entry in (await files.list("")).entries])
        await files.remove("small")
        await files.write("small", [b"again"])
        print(b"".join([item async for item in files.read("small")]))

trio.run(main)
"""
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))"


@pytest.mark.parametrize("how", ["a file can grow no more", "the disk is full"])
def test_a_full_disk(tmp_path: Path, how: str) -> None:
    if how == "the disk is full":
        program = on_small_disk(tmp_path, "8m", command(FILL, tmp_path))
    else:
        program = command(LIMITED + FILL, tmp_path)
    done = subprocess.run(program, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["no space for big"] * 2 + ["True ['small']", "b'again'"]
