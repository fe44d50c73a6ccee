"""The modules that were uploaded, by their hash, in the folder of the executor. The least recently used ones go."""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import trio

from firefly.errors import Busy, TooLarge
from firefly.interfaces.executor import NoSpace
from firefly.runtime import ArgumentStream

MAX_MODULE, MAX_TOTAL, MAX_MODULES = 64 * 2**20, 2**30, 256
"""Bytes of one module, of all; how many."""
MAX_UPLOADS = 8
PIECE = 256 * 1024
UPLOAD = ".upload-"
_NAME = re.compile(r"[0-9a-f]{64}")


class ModuleStore:
    """Files `HASH` in `modules`; what was compiled from them is `HASH-…` in `compiled`, counts and goes with them.

    `prepared` are those that are known to be compiled.
    """

    def __init__(self, folder: Path) -> None:
        """Blocks. Raises OSError."""
        self.modules, self.compiled = folder / "modules", folder / "compiled"
        for place in (self.modules, self.compiled):
            place.mkdir(mode=0o700, exist_ok=True)
            place.chmod(0o700)
        self.prepared: set[bytes] = set()
        self._uploads = 0
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        for file in sorted(self.modules.iterdir(), key=lambda file: file.stat().st_mtime):
            if file.name.startswith(UPLOAD):
                file.unlink()
            elif _NAME.fullmatch(file.name):
                digest = bytes.fromhex(file.name)
                self._sizes[digest] = self._size(digest)

    def use(self, digest: bytes) -> bool:
        """Whether the module is here; then it counts as just used."""
        if digest not in self._sizes:
            return False
        self._sizes.move_to_end(digest)
        return True

    async def receive(self, data: ArgumentStream[bytes]) -> bytes:
        """Takes a module; returns its hash. Raises TooLarge, NoSpace, Busy, and what broke the stream."""
        if self._uploads >= MAX_UPLOADS:
            raise Busy(f"{self._uploads} modules are on their way here already")
        self._uploads += 1
        temporary = self.modules / f"{UPLOAD}{os.urandom(8).hex()}"
        try:
            digest = await _write(temporary, data)
            await trio.to_thread.run_sync(os.replace, temporary, self.modules / digest.hex())
        except OSError as error:
            raise NoSpace(error.strerror or str(error)) from None
        finally:
            self._uploads -= 1
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(lambda: temporary.unlink(missing_ok=True))
        self._sizes.setdefault(digest, 0)
        self.use(digest)
        return digest

    async def compiled_now(self, digest: bytes) -> None:
        """A module was compiled: those that were not used for the longest time go, while there are too many."""
        self.prepared.add(digest)
        self._sizes[digest] = await trio.to_thread.run_sync(self._size, digest)
        while len(self._sizes) > MAX_MODULES or sum(self._sizes.values()) > MAX_TOTAL:
            await self.remove(next(iter(self._sizes)))

    async def remove(self, digest: bytes) -> None:
        self._sizes.pop(digest, None)
        self.prepared.discard(digest)
        await trio.to_thread.run_sync(self._remove, digest)

    def _files(self, digest: bytes) -> list[Path]:
        return [self.modules / digest.hex(), *self.compiled.glob(f"{digest.hex()}-*")]

    def _size(self, digest: bytes) -> int:
        return sum(file.stat().st_size for file in self._files(digest))

    def _remove(self, digest: bytes) -> None:
        for file in self._files(digest):
            file.unlink(missing_ok=True)


async def _write(path: Path, data: ArgumentStream[bytes]) -> bytes:
    """The hash of what came, once it is in the file. Raises TooLarge, OSError."""
    digest, size = hashlib.sha256(), 0
    file = await trio.to_thread.run_sync(lambda: path.open("wb", buffering=0))
    try:
        async with aclosing(_pieces(data)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_MODULE:
                    raise TooLarge(
                        f"a module has at most {MAX_MODULE // 2**20} MiB",
                        hint="keep data in files, and give the job their folder: glow run --folder",
                    )
                digest.update(piece)
                await trio.to_thread.run_sync(file.write, piece)
    finally:
        file.close()
    return digest.digest()


async def _pieces(data: ArgumentStream[bytes]) -> AsyncGenerator[bytes, None]:
    """The stream in pieces that are worth a hop to a thread."""
    waiting: list[bytes] = []
    size = 0
    async for item in data:
        waiting.append(item)
        size += len(item)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
