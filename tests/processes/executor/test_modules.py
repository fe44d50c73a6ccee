"""The store of modules that were uploaded."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firefly.errors import InvalidArgument, TooLarge
from firefly.interfaces.executor import NoSpace
from processes.executor import modules as modules_module
from processes.executor.modules import MAX_MODULE, ModuleStore
from tests.processes.executor.programs import digest


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def put(store: ModuleStore, *pieces: bytes) -> bytes:
    source: Any = stream(*pieces)
    name = await store.receive(source)
    (store.compiled / f"{name.hex()}-made").write_bytes(bytes(10))
    await store.compiled_now(name)
    return name


async def test_a_module_is_kept_under_its_hash_also_after_a_restart(tmp_path: Path) -> None:
    name = await put(ModuleStore(tmp_path), b"one", b"two")
    assert name == digest(b"onetwo")
    assert (tmp_path / "modules" / name.hex()).read_bytes() == b"onetwo"
    assert ModuleStore(tmp_path).use(name)
    assert not ModuleStore(tmp_path).use(digest(b"other"))


async def test_the_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "compiled").mkdir(mode=0o777)
    store = ModuleStore(tmp_path)
    assert [place.stat().st_mode & 0o777 for place in (store.modules, store.compiled)] == [0o700, 0o700]


async def test_what_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    store = ModuleStore(tmp_path)
    with pytest.raises(TooLarge, match="64 MiB"):
        await put(store, *[bytes(2**20)] * (MAX_MODULE // 2**20), b"x")
    assert os.listdir(store.modules) == []


async def test_an_upload_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise InvalidArgument("the caller's disk is gone")

    store = ModuleStore(tmp_path)
    source: Any = broken()
    with pytest.raises(InvalidArgument):
        await store.receive(source)
    assert os.listdir(store.modules) == []


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    store = ModuleStore(tmp_path)
    store.modules.rmdir()
    with pytest.raises(NoSpace):
        await put(store, b"x")


async def test_the_least_recently_used_go_with_what_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules_module, "MAX_MODULES", 2)
    store = ModuleStore(tmp_path)
    first, second = await put(store, b"first"), await put(store, b"second")
    assert store.use(first)
    third = await put(store, b"third")
    assert [store.use(name) for name in (first, second, third)] == [True, False, True]
    assert second not in store.prepared
    assert len(os.listdir(store.modules)) == len(os.listdir(store.compiled)) == 2


async def test_what_was_compiled_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules_module, "MAX_TOTAL", 30)
    store = ModuleStore(tmp_path)
    first, second = await put(store, b"1"), await put(store, b"2")
    third = await put(store, b"3456")
    assert [store.use(name) for name in (first, second, third)] == [False, True, True]


async def test_leftovers_of_an_upload_go_and_strange_files_stay(tmp_path: Path) -> None:
    ModuleStore(tmp_path)
    (tmp_path / "modules" / ".upload-1234").write_bytes(b"x")
    (tmp_path / "modules" / "notes.txt").write_bytes(b"x")
    ModuleStore(tmp_path)
    assert os.listdir(tmp_path / "modules") == ["notes.txt"]
