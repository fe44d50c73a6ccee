"""Copies between two places of this device: the engine without a network."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio

from firefly.errors import Busy, GlowError, InvalidArgument
from firefly.interfaces.filesystem import Exists, Mismatch, NotFound, Written
from node.cli.copying import transfer as transfers
from node.cli.copying.local import LocalDisk
from node.cli.copying.place import SMALL, Batches, Reading, part_name, token_of
from node.cli.copying.tree import Copy, Report, Spot
from node.cli.failures import UsageError
from node.cli.progress import Progress

CutPlace = Callable[[Any, int], Any]
BIG = os.urandom(5 * SMALL + 12345)


def spot(path: Path, place: Any = None, into: bool = False) -> Spot:
    return Spot(place or LocalDisk(), str(path), path.name, str(path), into)


async def copy(*places: Spot, recursive: bool = True) -> tuple[Report, list[str]]:
    notes: list[str] = []
    progress = Progress("copying", shown=False)
    report = await Copy(progress, notes.append, recursive=recursive).run(places[:-1], places[-1])
    return report, notes


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"", b"x", BIG], ids=["empty", "small", "big"])
async def test_a_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    report, _ = await copy(spot(tmp_path / "a"), spot(tmp_path / "b"))
    assert tree(tmp_path) == {"a": content, "b": content}
    assert (report.files, report.bytes, report.unchanged) == (1, len(content), 0)


async def test_a_file_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    await copy(spot(tmp_path / "a"), spot(tmp_path / "folder"))
    assert tree(tmp_path / "folder") == {"a": b"x"}


async def test_a_file_over_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new!")
    (tmp_path / "b").write_bytes(b"old")
    await copy(spot(tmp_path / "a"), spot(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"new!"


async def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"same")
    before = (tmp_path / "b").stat().st_mtime_ns
    report, _ = await copy(spot(tmp_path / "a"), spot(tmp_path / "b"))
    assert report.unchanged == 1
    assert (tmp_path / "b").stat().st_mtime_ns == before


async def test_the_same_size_is_not_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").write_bytes(b"5678")
    await copy(spot(tmp_path / "a"), spot(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"1234"


async def test_permissions_are_kept_as_far_as_allowed(tmp_path: Path) -> None:
    for name, mode in (("tool", 0o755), ("secret", 0o600)):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(mode)
        await copy(spot(tmp_path / name), spot(tmp_path / f"{name}2"))
    assert (tmp_path / "tool2").stat().st_mode & 0o111
    assert stat.S_IMODE((tmp_path / "secret2").stat().st_mode) == 0o600


async def test_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "deeper").mkdir(parents=True)
    (source / "empty").mkdir()
    for number in range(30):
        (source / "deep" / f"{number}").write_bytes(bytes(number))
    (source / "deep" / "deeper" / "big").write_bytes(BIG)
    (source / "link").symlink_to("deep")
    report, _ = await copy(spot(source), spot(tmp_path / "target"))
    expected = {name: content for name, content in tree(source).items() if not name.startswith("link")}
    assert tree(tmp_path / "target") == expected
    assert report.files == 31
    assert report.skipped == [f"{source}/link"]
    assert names(tmp_path) == ["source", "target"]


async def test_a_folder_into_a_folder_and_again(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"x")
    (tmp_path / "target").mkdir()
    for unchanged in (0, 1):
        report, _ = await copy(spot(tmp_path / "source"), spot(tmp_path / "target"))
        assert report.unchanged == unchanged
    assert tree(tmp_path / "target") == {"source": None, "source/a": b"x"}


async def test_several_sources(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "target").mkdir()
    await copy(spot(tmp_path / "a"), spot(tmp_path / "b"), spot(tmp_path / "target"))
    assert tree(tmp_path / "target") == {"a": b"a", "b": b"b"}


async def test_names_that_are_no_text_are_reported(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "good").write_bytes(b"x")
    os.mknod(os.fsencode(source) + b"/\xff")
    report, notes = await copy(spot(source), spot(tmp_path / "target"))
    assert tree(tmp_path / "target") == {"good": b"x"}
    assert len(report.failed) == len(notes) == 1


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("bad", "good"):
        (source / name).write_bytes(b"x")
    really_open = os.open

    def refusing(path: str, *arguments: int, **more: int) -> int:
        if path == str(source / "bad"):
            raise PermissionError(13, "Permission denied", path)
        return really_open(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refusing)
    report, _ = await copy(spot(source), spot(tmp_path / "target"))
    assert tree(tmp_path / "target") == {"good": b"x"}
    assert [path for path, _ in report.failed] == [f"{source}/bad"]


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("nothing", "new", NotFound),
        ("folder", "file", Exists),
        ("file", "folder/", Exists),
        ("file", "file", UsageError),
        ("folder", "folder/copy", UsageError),
        ("file", "nowhere/", InvalidArgument),
    ],
)
async def test_what_cannot_be(source: str, target: str, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder" / "file").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(error):
        await copy(spot(tmp_path / source), spot(tmp_path / target, into=target.endswith("/")))
    assert tree(tmp_path) == before


async def test_a_folder_needs_the_flag(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        await copy(spot(tmp_path / "folder"), spot(tmp_path / "new"), recursive=False)


async def test_a_cut_copy_leaves_no_half_file_and_continues(tmp_path: Path, cut_place: CutPlace) -> None:
    (tmp_path / "a").write_bytes(BIG)
    cut = cut_place(LocalDisk(), 3 * SMALL)
    with pytest.raises(GlowError, match="cut"):
        await copy(spot(tmp_path / "a", cut), spot(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    again = cut_place(LocalDisk(), 1 << 40)
    await copy(spot(tmp_path / "a", again), spot(tmp_path / "b"))
    assert tree(tmp_path) == {"a": BIG, "b": BIG}
    assert again.read <= len(BIG) - SMALL  # of 3 MiB read, one may wait and one be on its way to the disk


async def test_little_of_a_cut_copy_is_not_kept(tmp_path: Path, cut_place: CutPlace) -> None:
    (tmp_path / "a").write_bytes(BIG)
    with pytest.raises(GlowError, match="cut"):
        await copy(spot(tmp_path / "a", cut_place(LocalDisk(), 0)), spot(tmp_path / "b"))
    assert tree(tmp_path) == {"a": BIG}


async def test_a_cut_folder_has_no_name_yet_and_continues(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(5):
        (source / f"{number}").write_bytes(bytes([number]) * 100)
    with trio.CancelScope() as scope:

        class Stopping(LocalDisk):
            async def digest(self, path: str) -> Written:
                raise AssertionError("nothing is there yet")

            def reading(self, path: str, offset: int) -> AbstractAsyncContextManager[Reading]:
                if path.endswith("3"):
                    scope.cancel()
                return super().reading(path, offset)

        await copy(spot(source, Stopping()), spot(tmp_path / "target"))
    assert scope.cancelled_caught
    assert not (tmp_path / "target").exists()
    await copy(spot(source), spot(tmp_path / "target"))
    assert tree(tmp_path / "target") == tree(source)
    assert names(tmp_path) == ["source", "target"]


async def test_a_part_of_something_else_is_not_continued(tmp_path: Path) -> None:
    """A damaged part is found at the end; the copy begins anew by itself."""
    source, disk = tmp_path / "a", LocalDisk()
    source.write_bytes(BIG)
    item = await disk.stat(str(source))
    assert item is not None
    part = tmp_path / part_name(token_of(disk, str(source), item, str(tmp_path / "b")))
    part.write_bytes(bytes(2 * SMALL))
    await copy(spot(source), spot(tmp_path / "b"))
    assert tree(tmp_path) == {"a": BIG, "b": BIG}


async def test_a_changed_source_is_another_token(tmp_path: Path) -> None:
    disk = LocalDisk()
    (tmp_path / "a").write_bytes(b"1")
    first = await disk.stat(str(tmp_path / "a"))
    (tmp_path / "a").write_bytes(b"22")
    second = await disk.stat(str(tmp_path / "a"))
    assert first is not None
    assert second is not None
    assert token_of(disk, "a", first, "b") != token_of(disk, "a", second, "b")
    assert token_of(disk, "a", first, "b") != token_of(disk, "a", first, "c")


async def test_two_copies_of_one_file_at_once(tmp_path: Path) -> None:
    disk, path, token = LocalDisk(), str(tmp_path / "b"), bytes(16)
    async with disk.writing(path, token, 10, False):
        with pytest.raises(Busy):
            async with disk.writing(path, token, 10, False):
                raise AssertionError("it is locked")


async def test_what_arrives_otherwise_gets_no_name(tmp_path: Path) -> None:
    disk, path = LocalDisk(), str(tmp_path / "b")

    async def batches() -> Batches:
        yield [b"hello"]

    async with disk.writing(path, bytes(16), 5, False) as writing:
        await writing.append(batches())
        with pytest.raises(Mismatch):
            await writing.commit(Written(5, bytes(32)), 0o644)
    assert tree(tmp_path) == {}


async def test_a_link_is_not_followed_when_writing(tmp_path: Path) -> None:
    disk, token = LocalDisk(), bytes(16)
    (tmp_path / part_name(token)).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        async with disk.writing(str(tmp_path / "b"), token, 1, False):
            raise AssertionError("it was followed")


async def test_tries_again_when_the_way_breaks(
    tmp_path: Path, cut_place: CutPlace, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    (tmp_path / "a").write_bytes(BIG)
    monkeypatch.setattr(transfers, "_RECOVERABLE", (GlowError,))
    cut = cut_place(LocalDisk(), 3 * SMALL)
    await copy(spot(tmp_path / "a", cut), spot(tmp_path / "b"))
    assert tree(tmp_path) == {"a": BIG, "b": BIG}
    assert cut.read < len(BIG) + SMALL
