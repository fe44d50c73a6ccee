"""Copies to and from a served file system, over a real conversation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firefly.errors import GlowError
from firefly.interfaces.core import Location
from firefly.interfaces.filesystem import FileSystem, FileSystemServer, NotFound, ReadOnly, Written
from node.cli.copying.local import LocalDisk
from node.cli.copying.place import SMALL
from node.cli.copying.remote import RemoteFiles
from node.cli.copying.tree import Copy, Report, Spot
from node.cli.failures import root_cause
from node.cli.progress import Progress
from processes.filesystem.process import FileSystemProcess
from tests.processes.running import files_of

BIG = os.urandom(4 * SMALL + 12345)
CutPlace = Callable[[Any, int], Any]
LOCATION = Location(bytes(16), bytes(32), "nas", b"r" * 16, "files", FileSystem.proto)


@asynccontextmanager
async def shared(
    folder: Path, writable: str = "yes", kind: type[FileSystemServer] = FileSystemProcess
) -> AsyncIterator[FileSystem]:
    os.makedirs(folder, exist_ok=True)
    async with files_of(folder, writable, kind) as files:
        yield files


def here(path: Path) -> Spot:
    return Spot(LocalDisk(), str(path), path.name, str(path))


def there(files: FileSystem, path: str) -> Spot:
    return Spot(RemoteFiles(files, LOCATION), path, path.rpartition("/")[2] or "files", f"nas:{path}")


async def copy(*places: Spot) -> Report:
    return await Copy(Progress("copying", shown=False), lambda _: None, recursive=True).run(places[:-1], places[-1])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "empty").mkdir()
    for number in range(20):
        (folder / "deep" / f"{number} é").write_bytes(bytes(number))
    (folder / "deep" / "deeper" / "big").write_bytes(BIG)
    return folder


async def test_a_folder_there_and_back(sample: Path, tmp_path: Path) -> None:
    async with shared(tmp_path / "share") as files:
        sent = await copy(here(sample), there(files, "copy"))
        got = await copy(there(files, "copy"), here(tmp_path / "back"))
        again = await copy(there(files, "copy"), here(tmp_path / "again"))
    assert tree(tmp_path / "share" / "copy") == tree(sample) == tree(tmp_path / "back")
    assert names(tmp_path / "share") == ["copy"]
    assert (sent.files, got.files, again.failed) == (21, 21, [])


async def test_a_whole_share(sample: Path, tmp_path: Path) -> None:
    async with shared(sample, "no") as files:
        await copy(there(files, ""), here(tmp_path / "copy"))
    assert tree(tmp_path / "copy") == tree(sample)


async def test_between_two_nodes(sample: Path, tmp_path: Path) -> None:
    async with shared(sample, "no") as one, shared(tmp_path / "other") as two:
        await copy(there(one, "deep"), there(two, "copied"))
    assert tree(tmp_path / "other" / "copied") == tree(sample / "deep")


async def test_what_is_there_already_is_not_sent_again(sample: Path, tmp_path: Path) -> None:
    async with shared(tmp_path / "share") as files:
        await files.mkdir("copy")
        first = await copy(here(sample), there(files, "copy"))
        (sample / "deep" / "new").write_bytes(b"new")
        second = await copy(here(sample), there(files, "copy"))
    assert (first.files, first.unchanged) == (21, 0)
    assert (second.files, second.unchanged) == (22, 21)
    assert tree(tmp_path / "share" / "copy" / "sample") == tree(sample)


async def test_a_share_that_is_read_only(sample: Path, tmp_path: Path) -> None:
    async with shared(tmp_path / "share", "no") as files:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await copy(here(sample), there(files, "copy"))
    assert isinstance(root_cause(caught.value), ReadOnly)
    assert tree(tmp_path / "share") == {}


async def test_a_cut_upload_continues(tmp_path: Path, cut_place: CutPlace) -> None:
    (tmp_path / "big").write_bytes(BIG)
    async with shared(tmp_path / "share") as files:
        with pytest.raises(GlowError, match="cut"):
            await copy(replace(here(tmp_path / "big"), place=cut_place(LocalDisk(), 2 * SMALL)), there(files, "big"))
        assert not (tmp_path / "share" / "big").exists()
        again = cut_place(LocalDisk(), 1 << 40)
        await copy(replace(here(tmp_path / "big"), place=again), there(files, "big"))
    assert tree(tmp_path / "share") == {"big": BIG}
    assert again.read <= len(BIG) - SMALL  # what was cut at 2 MiB has at least its first on disk


async def test_a_cut_download_continues(tmp_path: Path, cut_place: CutPlace) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "big").write_bytes(BIG)
    async with shared(tmp_path / "share") as files:
        source = there(files, "big")
        with pytest.raises(GlowError, match="cut"):
            await copy(replace(source, place=cut_place(source.place, 2 * SMALL)), here(tmp_path / "big"))
        assert not (tmp_path / "big").exists()
        again = cut_place(source.place, 1 << 40)
        await copy(replace(source, place=again), here(tmp_path / "big"))
    assert (tmp_path / "big").read_bytes() == BIG
    assert names(tmp_path) == ["big", "share"]
    assert again.read <= len(BIG) - SMALL  # what was cut at 2 MiB has at least its first on disk


class Lying(FileSystemProcess):
    """Names another digest than what it sends has."""

    async def digest(self, path: str) -> Written:
        written = await super().digest(path)
        return Written(written.size, hashlib.sha256(b"something else").digest())


async def test_what_arrives_is_verified(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "letter").write_bytes(b"hello")
    async with shared(tmp_path / "share", kind=Lying) as files:
        with pytest.raises(GlowError, match="Mismatch"):
            await copy(there(files, "letter"), here(tmp_path / "letter"))
    assert names(tmp_path) == ["share"]


async def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    """A hostile owner cannot make us write beside the target."""

    class Hostile(RemoteFiles):
        async def children(self, path: str) -> list[tuple[str, object]]:  # type: ignore[override]
            item = await super().stat("letter")
            return [("../evil", item), ("..", item), ("a/b", item), ("", item), ("letter", item)]

    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "letter").write_bytes(b"hello")
    async with shared(tmp_path / "share") as files:
        source = Spot(Hostile(files, LOCATION), "", "files", "nas:")
        report = await copy(source, here(tmp_path / "copy"))
    assert tree(tmp_path / "copy") == {"letter": b"hello"}
    assert len(report.failed) == 4
    assert names(tmp_path) == ["copy", "share"]


async def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    async with shared(tmp_path / "share") as files:
        with pytest.raises(NotFound):
            await copy(there(files, "nothing"), here(tmp_path / "x"))
