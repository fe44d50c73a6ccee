"""Between its calls an upload rests, with its digest, and few of them do."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
import trio

from firefly.errors import Busy
from processes.filesystem import uploads as module
from processes.filesystem.hops import Hops
from processes.filesystem.transfer import Unfinished
from processes.filesystem.tree import Tree
from processes.filesystem.uploads import RESTING, Uploads


def hops() -> Hops:
    return Hops(trio.CapacityLimiter(2), "upload", "file")


async def add(uploads: Uploads, path: str, offset: int, data: bytes) -> Unfinished:
    async with uploads.opened(path, b"token", offset, hops()) as unfinished:
        unfinished.write([data])
    return unfinished


async def test_what_rests_is_not_hashed_again(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    uploads = Uploads(tree)
    first = await add(uploads, "file", 0, b"12345")
    with patch.object(module, "digest_of", side_effect=AssertionError("hashed again")):
        assert await add(uploads, "file", 5, b"678") is first
        async with uploads.opened("file", b"token", None, hops()) as unfinished:
            assert unfinished is first
            assert unfinished.size == 8
    again = await add(uploads, "file", 3, b"x")  # from before its end: read anew
    assert again is not first
    assert first.file.closed
    uploads.close()
    assert again.file.closed
    tree.close()


async def test_few_are_kept_open(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    uploads = Uploads(tree)
    before = len(os.listdir("/dev/fd"))
    opened = [await add(uploads, f"file{number}", 0, b"x") for number in range(RESTING + 5)]
    assert [unfinished.file.closed for unfinished in opened] == [True] * 5 + [False] * RESTING
    assert len(os.listdir("/dev/fd")) == before + 2 * RESTING
    uploads.close()
    assert len(os.listdir("/dev/fd")) == before
    await add(uploads, "late", 0, b"x")  # a call that ends after the process
    assert len(os.listdir("/dev/fd")) == before
    tree.close()


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    async def stuck() -> None:
        async with uploads.opened("file", b"token", 0, hops()) as unfinished:
            unfinished.write([b"first"])
            began.set()
            await trio.sleep_forever()

    async def hold() -> None:
        with pytest.raises(Busy):
            await stuck()

    tree = Tree(tmp_path)
    uploads, began = Uploads(tree), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold)
        await began.wait()
        nursery.start_soon(add, uploads, "another", 0, b"x")
        assert (await add(uploads, "file", 0, b"second")).size == 6
    uploads.close()
    tree.close()
