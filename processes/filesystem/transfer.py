"""A file on its way in: written under a temporary name beside its target, synced, renamed. All functions block."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from collections.abc import Callable
from typing import Any, Self

from processes.filesystem.folder import Folder
from processes.filesystem.paths import HIDDEN, Refused, is_hidden, join
from processes.filesystem.tree import LINK, Tree, open_regular, stat_or_none

ABANDONED = 7 * 86400.0
"""Seconds after which an unfinished file that nobody went on with is removed."""


def partial_name(path: str, token: bytes) -> str:
    """The name of an unfinished upload, in the folder of its target."""
    return HIDDEN + "part-" + hashlib.blake2b(path.encode() + b"\0" + token, digest_size=16).hexdigest()


def fresh_name() -> str:
    """A temporary name that no one else has."""
    return HIDDEN + "new-" + os.urandom(16).hex()


class Unfinished:
    """A file that is being written beside its target. It holds `size` bytes, whose SHA-256 is `digest`.

    Its user closes it; until then the folder that it is in stays open too.
    """

    def __init__(self, folder: Folder, name: str, target: str, file: io.FileIO) -> None:
        self._folder = folder
        self._name = name
        self._target = target
        self.file = file
        self.size = 0
        self.digest: Any = hashlib.sha256()
        self._left_as: tuple[int, int, int] | None = None

    @classmethod
    def open(cls, tree: Tree, path: str, name: str, *, create: bool) -> Self:
        """The unfinished file `name` of a target, read up to nowhere yet.

        Raises Refused; OSError, EISDIR if the target is no regular file, ENOENT without `create` if there is none.
        """
        folder, target = tree.open_parent(path)
        try:
            _check_target(folder, path, target)
            flags = os.O_RDWR | (os.O_CREAT if create else 0)
            return cls(folder, name, target, open_regular(folder, name, flags))
        except (OSError, Refused):
            folder.close()
            raise

    def length(self) -> int:
        """Bytes that the file holds, hashed or not."""
        return os.fstat(self.file.fileno()).st_size

    def cut(self) -> None:
        """What is beyond `size` goes; the next bytes follow it."""
        self.file.truncate(self.size)
        self.file.seek(self.size)

    def write(self, pieces: list[bytes]) -> None:
        """Appends. Raises OSError; `size` then says what was written before."""
        view = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        while view:
            count = self.file.write(view)
            self.digest.update(view[:count])
            self.size += count
            view = view[count:]

    def finish(self) -> None:
        """Gives the file its name, in place of what had it, and returns when all that is on disk."""
        descriptor = self.file.fileno()
        before = stat_or_none(self._folder, self._target)
        if before is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        os.fsync(descriptor)
        self._folder.rename(self._name, self._folder, self._target)
        self._folder.sync()

    def discard(self) -> None:
        """Removes the file, if it is still there."""
        if stat_or_none(self._folder, self._name) is not None:
            self._folder.remove_file(self._name)

    def rest(self) -> None:
        """Notes how the file is left."""
        self._left_as = self._state(os.fstat(self.file.fileno()))

    def is_as_left(self) -> bool:
        """Whether nobody has changed, moved or removed it since, so that `size` and `digest` still hold."""
        found = stat_or_none(self._folder, self._name)
        return found is not None and self._state(found) == self._left_as and found.st_size == self.size

    def _state(self, found: os.stat_result) -> tuple[int, int, int]:
        return found.st_ino, found.st_mtime_ns, found.st_size

    def close(self) -> None:
        self.file.close()
        self._folder.close()


def _check_target(folder: Folder, path: str, target: str) -> None:
    found = stat_or_none(folder, target)
    if found is None:
        return
    if stat.S_ISLNK(found.st_mode):
        raise Refused(path, LINK)
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file")


def unfinished_size(tree: Tree, path: str, name: str) -> int:
    """Bytes of an unfinished file, 0 if there is none. Raises Refused, OSError."""
    try:
        with tree.parent(path) as (folder, _):
            found = stat_or_none(folder, name)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return 0 if found is None else found.st_size


def remove_abandoned(tree: Tree, stopped: Callable[[], bool]) -> None:
    """Removes unfinished files of the whole tree that are over 7 days old; ends early when `stopped`.

    What cannot be looked at is left as it is.
    """
    waiting = [""]
    while waiting and not stopped():
        at = waiting.pop()
        try:
            with tree.folder(at) as folder:
                names = folder.names()
                for name in filter(is_hidden, names):
                    _remove_if_abandoned(folder, name)
                waiting += [join(at, name) for name in names if _is_folder(folder, name)]
        except (OSError, Refused):
            continue  # gone meanwhile, or not ours to see


def _remove_if_abandoned(folder: Folder, name: str) -> None:
    found = folder.stat(name)
    if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > ABANDONED:
        folder.remove_file(name)


def _is_folder(folder: Folder, name: str) -> bool:
    found = stat_or_none(folder, name)
    return found is not None and stat.S_ISDIR(found.st_mode)
