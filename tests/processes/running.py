"""Processes under test, started as a node would, and called over a real conversation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from firefly import Context
from firefly.interfaces.filesystem import FileSystem, FileSystemServer
from firefly.interfaces.kv import KV
from firefly.testing import serving
from processes.filesystem.process import FileSystemProcess
from processes.kv.process import KVProcess

REPOSITORY = Path(__file__).parents[2]


@asynccontextmanager
async def started(process: Any, folder: Path, **configuration: str) -> AsyncIterator[Any]:
    """The process between its start and its end, which comes as from a node: first its nursery, then `stop`."""
    begun = False
    try:
        async with trio.open_nursery() as nursery:
            await process.start(Context(bytes(16), "label", folder, configuration, nursery))
            begun = True
            yield process
            nursery.cancel_scope.cancel()
    finally:
        if begun and hasattr(process, "stop"):
            with trio.CancelScope(shield=True):
                await process.stop()


@asynccontextmanager
async def files_of(
    root: Path, writable: str = "yes", kind: type[FileSystemServer] = FileSystemProcess
) -> AsyncIterator[FileSystem]:
    """A client of a filesystem process."""
    async with (
        started(kind(), root, root=str(root), writable=writable) as process,
        serving(process, FileSystem) as files,
    ):
        yield files


@asynccontextmanager
async def kv_of(folder: Path) -> AsyncIterator[KV]:
    """A client of a kv process."""
    async with started(KVProcess(), folder) as process, serving(process, KV) as kv:
        yield kv


def command(script: str, *arguments: object) -> list[str]:
    """An OS process that runs `script`."""
    return [sys.executable, "-c", script, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def on_small_disk(folder: Path, size: str, program: list[str]) -> list[str]:
    """The same program with `folder` a real disk of that size, made without root. Skips where that is not allowed."""
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f'mount -t tmpfs -o size={size} none "$0" && exec "$@"'
    whole = [*inside, mount, str(folder)]
    try:
        allowed = subprocess.run([*whole, "true"], capture_output=True, timeout=60).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system does not let a user mount a small disk of its own")
    return [*whole, *program]
