"""An open folder, and what can be done with the names in it. All methods block and raise OSError.

A name is a single segment (paths.py). No method follows a link; the user of a folder closes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Protocol, Self

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
HAS_DESCRIPTORS = {os.open, os.stat, os.rename} <= os.supports_dir_fd and os.listdir in os.supports_fd


class Folder(Protocol):
    """An open folder."""

    def enter(self, name: str) -> Folder:
        """A folder in this one. Raises ELOOP or ENOTDIR for a link."""

    def again(self) -> Folder:
        """The same folder, opened once more."""

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A descriptor of a file; a pipe or device does not block. Raises ELOOP for a link."""

    def stat(self, name: str) -> os.stat_result:
        """What a name is: of a link, the link itself."""

    def own_stat(self) -> os.stat_result: ...

    def names(self) -> list[str]: ...

    def make_folder(self, name: str) -> None: ...

    def remove_file(self, name: str) -> None: ...

    def remove_folder(self, name: str) -> None: ...

    def remove_all(self, name: str) -> None:
        """A folder with all that is in it."""

    def rename(self, old: str, into: Any, new: str) -> None:
        """Moves a name to another folder of the same kind; what is there goes, if it is of the same kind."""

    def sync(self) -> None:
        """Returns when the names are on disk."""

    def space(self) -> tuple[int, int]:
        """Bytes free for this user, and bytes in all."""

    def close(self) -> None: ...


class DescriptorFolder:
    """A folder by its descriptor: it stays the same folder whatever happens to names on the way to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, path: Path) -> Self:
        """The folder at a path of the administrator's, in which links are followed."""
        return cls(os.open(path, _FOLDER & ~os.O_NOFOLLOW))

    def enter(self, name: str) -> DescriptorFolder:
        return DescriptorFolder(os.open(name, _FOLDER, dir_fd=self._descriptor))

    def again(self) -> DescriptorFolder:
        # Not os.dup: a copy would share the position up to which the folder has been read.
        return DescriptorFolder(os.open(".", _FOLDER, dir_fd=self._descriptor))

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        return os.open(name, flags | _FILE, mode, dir_fd=self._descriptor)

    def stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def own_stat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def names(self) -> list[str]:
        return os.listdir(self._descriptor)

    def make_folder(self, name: str) -> None:
        os.mkdir(name, dir_fd=self._descriptor)

    def remove_file(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def remove_folder(self, name: str) -> None:
        os.rmdir(name, dir_fd=self._descriptor)

    def remove_all(self, name: str) -> None:
        shutil.rmtree(name, dir_fd=self._descriptor)

    def rename(self, old: str, into: DescriptorFolder, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=into._descriptor)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def space(self) -> tuple[int, int]:
        found = os.fstatvfs(self._descriptor)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def close(self) -> None:
        os.close(self._descriptor)


class PathFolder:
    """A folder by its path, for systems without descriptors of folders (Windows).

    Before each use the path must still lead where it did, without a link; one that is swapped in between that look and
    the use is followed, which is why descriptors are preferred.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @classmethod
    def of(cls, path: Path) -> Self:
        os.listdir(path)
        return cls(os.path.realpath(path))

    def _at(self, name: str) -> str:
        if os.path.realpath(self._path) != self._path:
            raise OSError(errno.ELOOP, "a folder was replaced by a link")
        if os.path.basename(name) != name or (os.name == "nt" and ":" in name):
            raise OSError(errno.EINVAL, "not a name")
        return os.path.join(self._path, name)

    def enter(self, name: str) -> PathFolder:
        path = self._at(name)
        real = os.path.realpath(path)
        if os.path.islink(path) or os.path.dirname(real) != self._path:
            raise OSError(errno.ELOOP, "it is a link")
        if not stat.S_ISDIR(os.lstat(real).st_mode):
            raise OSError(errno.ENOTDIR, "not a folder")
        return PathFolder(real)

    def again(self) -> PathFolder:
        return PathFolder(self._path)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        path = self._at(name)
        if os.path.islink(path) and not flags & os.O_EXCL:
            raise OSError(errno.ELOOP, "it is a link")
        return os.open(path, flags | _FILE, mode)

    def stat(self, name: str) -> os.stat_result:
        return os.lstat(self._at(name))

    def own_stat(self) -> os.stat_result:
        return os.stat(self._at(""))

    def names(self) -> list[str]:
        return os.listdir(self._at(""))

    def make_folder(self, name: str) -> None:
        os.mkdir(self._at(name))

    def remove_file(self, name: str) -> None:
        os.unlink(self._at(name))

    def remove_folder(self, name: str) -> None:
        os.rmdir(self._at(name))

    def remove_all(self, name: str) -> None:
        shutil.rmtree(self._at(name))

    def rename(self, old: str, into: PathFolder, new: str) -> None:
        os.replace(self._at(old), into._at(new))

    def sync(self) -> None:
        """Such systems do not sync folders."""

    def space(self) -> tuple[int, int]:
        found = shutil.disk_usage(self._path)
        return found.free, found.total

    def close(self) -> None:
        """A path holds nothing open."""


def open_root(path: Path) -> Folder:
    """The folder that is served. Raises OSError."""
    return DescriptorFolder.of(path) if HAS_DESCRIPTORS else PathFolder.of(path)
