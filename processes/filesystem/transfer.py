"""Files on their way: read in pieces, written under a temporary name, synced, renamed. All functions block."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from typing import Any

from processes.filesystem.tree import HIDDEN, Tree

PIECE = 2**20
"""Bytes of one hop to a thread."""
ABANDONED = 7 * 86400.0
"""Seconds after which an unfinished upload is removed."""
_CREATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def partial_name(path: str, token: bytes) -> str:
    """The name of an unfinished upload, in the folder of its target."""
    return HIDDEN + "part-" + hashlib.blake2b(path.encode() + b"\0" + token, digest_size=16).hexdigest()


def read_piece(descriptor: int, offset: int, size: int) -> bytes:
    return os.pread(descriptor, size, offset)


def digest_file(descriptor: int, size: int | None = None) -> tuple[int, Any]:
    """(bytes read, SHA-256 object) of a file from its beginning, of at most `size` bytes."""
    digest, offset = hashlib.sha256(), 0
    while size is None or offset < size:
        data = os.pread(descriptor, PIECE if size is None else min(PIECE, size - offset), offset)
        if not data:
            break
        digest.update(data)
        offset += len(data)
    return offset, digest


@dataclass
class Upload:
    """A file that is being written beside its target, and the digest of what it holds up to `size`."""

    folder: int
    name: str
    descriptor: int
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    @classmethod
    def open(cls, tree: Tree, path: str, temporary: str, offset: int = 0) -> Upload:
        """Opens or makes the temporary file in the target's folder and goes on from `offset`.

        Raises Refused, OSError; EINVAL if less than `offset` bytes are there.
        """
        with tree.parent(path) as (parent, _):
            folder = os.dup(parent)
        try:
            descriptor = os.open(temporary, _CREATE, 0o644, dir_fd=folder)
        except OSError:
            os.close(folder)
            raise
        upload = cls(folder, temporary, descriptor)
        try:
            upload.size, upload.digest = digest_file(descriptor, offset)
            if upload.size < offset:
                raise OSError(22, f"only {upload.size} bytes of it are here")
            os.ftruncate(descriptor, offset)
        except OSError:
            upload.close()
            raise
        return upload

    def write(self, pieces: list[bytes]) -> None:
        """Appends. Raises OSError; what was written before stays."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                count = os.pwrite(self.descriptor, view, self.size)
                self.digest.update(view[:count])
                self.size += count
                view = view[count:]

    def finish(self, name: str) -> None:
        """Gives the file its name: synced, renamed, the folder synced."""
        os.fsync(self.descriptor)
        os.rename(self.name, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)

    def discard(self) -> None:
        os.unlink(self.name, dir_fd=self.folder)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self.folder)


def remove_abandoned(tree: Tree, path: str = "", depth: int = 0) -> int:
    """Removes unfinished files that nobody went on with for 7 days; returns how many."""
    removed = 0
    with tree.folder(path) as folder:
        for name in os.listdir(folder):
            if name.startswith(HIDDEN):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if time.time() - found.st_mtime > ABANDONED:
                    os.unlink(name, dir_fd=folder)
                    removed += 1
    return removed
