"""Pieces of files are whole, in order, and end only with the file."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from firefly.errors import GlowError, Interrupted
from processes.background import Background
from processes.filesystem import reading
from processes.filesystem.hops import Hops
from processes.filesystem.reading import PIECE, Reading, digest_of, hash_piece, read_piece

DATA = os.urandom(3 * PIECE + 5)


def hops() -> Hops:
    return Hops(trio.CapacityLimiter(2), "read", "file")


def a_file(folder: Path, data: bytes = DATA) -> io.FileIO:
    (folder / "file").write_bytes(data)
    return io.FileIO(folder / "file")


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    async with trio.open_nursery() as nursery:
        opened = await Background.open(nursery)
        yield opened
        await opened.close()


class Dribbling(io.FileIO):
    """A file of a disk that gives less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1000)) or b""


def test_a_piece_is_short_only_at_the_end(tmp_path: Path) -> None:
    a_file(tmp_path).close()
    with Dribbling(tmp_path / "file") as file:
        assert read_piece(file, PIECE) == DATA[:PIECE]
        file.seek(len(DATA) - 1500)
        assert read_piece(file, PIECE) == DATA[-1500:]
        assert read_piece(file, PIECE) == b""


async def test_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DIGEST_PIECE", PIECE)
    monkeypatch.setattr(reading, "_BUFFER", 70_000)
    with a_file(tmp_path) as file:
        for size in (None, 0, 1, PIECE, PIECE + 1, len(DATA), len(DATA) + 1):
            file.seek(0)
            count, digest = await digest_of(file, hops(), size)
            assert count == len(DATA[:size])
            assert digest.digest() == hashlib.sha256(DATA[:size]).digest()
        digest = hashlib.sha256()
        file.seek(5)
        assert hash_piece(file, digest, 10) == 10
        assert digest.digest() == hashlib.sha256(DATA[5:15]).digest()


async def test_a_file_that_shrinks_meanwhile_just_ends(tmp_path: Path) -> None:
    async with background() as tasks:
        found = Reading(a_file(tmp_path, DATA * 3), 0, None)
        os.truncate(tmp_path / "file", 2 * PIECE + 1)
        assert b"".join([piece async for piece in found.pieces(tasks, hops())]) == DATA[: 2 * PIECE + 1]


async def test_a_disk_that_fails_meanwhile_is_told(tmp_path: Path) -> None:
    class Failing(io.FileIO):
        left = 2

        def read(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError(5, "Input/output error")
            return super().read(size) or b""

    a_file(tmp_path).close()
    got: list[bytes] = []
    async with background() as tasks:
        pieces = Reading(Failing(tmp_path / "file"), 0, None).pieces(tasks, hops())
        with pytest.raises(GlowError, match="Input/output"):
            got.extend([piece async for piece in _noted(pieces, got)])
    assert b"".join(got) == DATA[: 2 * PIECE]


async def _noted(pieces: AsyncIterator[bytes], got: list[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        got.append(piece)
        yield piece


async def test_the_end_of_the_process_is_not_the_end_of_the_file(tmp_path: Path) -> None:
    async with background() as tasks:
        await tasks.close()
        found = Reading(a_file(tmp_path), 0, None)
        with pytest.raises(Interrupted):
            await anext(found.pieces(tasks, hops()))
        assert found._file.closed
