"""Access to one folder tree from which nothing leads out.

Every path is walked segment by segment from the root's descriptor, without following links, so neither `..` nor a
link nor a folder that is swapped for a link meanwhile leads anywhere else. All functions block.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HIDDEN = ".glow-"
"""Names that begin so are this process's own: neither listed nor served."""
MAX_DEPTH = 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):
    """The path is not one that a tree serves."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


def split(path: str) -> list[str]:
    """The segments of a path, none for the root. Raises Refused; a path is never repaired."""
    if not path:
        return []
    if unicodedata.normalize("NFC", path) != path:
        raise Refused(path, "it is not in Unicode's normal form NFC")
    if "\0" in path or "\\" in path:
        raise Refused(path, "it holds a NUL or a backslash")
    segments = path.split("/")
    if len(segments) > MAX_DEPTH:
        raise Refused(path, f"it is over {MAX_DEPTH} folders deep")
    for segment in segments:
        if segment in ("", ".", ".."):
            raise Refused(path, f"it has the segment {segment!r}")
        if segment.startswith(HIDDEN):
            raise Refused(path, f"names that begin with {HIDDEN} are kept for unfinished files")
        try:
            segment.encode()
        except UnicodeEncodeError:
            raise Refused(path, "it is not valid Unicode") from None
    return segments


class Tree:
    """The folder `root`, which is opened once. Raises OSError if it cannot be."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._descriptor)

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """A descriptor of a folder, closed at the end. Raises Refused, OSError."""
        descriptor = self._open_folder(path, split(path))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that a path is in, and the path's last segment. Raises Refused, OSError."""
        segments = split(path)
        if not segments:
            raise Refused(path, "it is the shared folder itself")
        descriptor = self._open_folder(path, segments[:-1])
        try:
            yield descriptor, segments[-1]
        finally:
            os.close(descriptor)

    def _open_folder(self, path: str, segments: list[str]) -> int:
        descriptor = os.dup(self._descriptor)
        for segment in segments:
            try:
                inner = os.open(segment, _FOLDER, dir_fd=descriptor)
            except OSError as error:
                if _is_link(segment, descriptor):
                    raise Refused(path, f"{segment!r} is a link, and links are not followed") from None
                raise error
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    def stat(self, path: str) -> os.stat_result:
        """Of a link: the link's own. Raises Refused, OSError."""
        if not path:
            return os.fstat(self._descriptor)
        with self.parent(path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def open_file(self, path: str) -> int:
        """A descriptor to read a regular file by. Raises Refused; OSError, EISDIR for anything but a file."""
        with self.parent(path) as (folder, name):
            try:
                descriptor = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if error.errno == errno.ELOOP or _is_link(name, folder):
                    raise Refused(path, "it is a link, and links are not followed") from None
                if error.errno == errno.ENXIO:
                    raise IsADirectoryError(errno.EISDIR, "not a regular file") from None
                raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, "not a regular file")
        return descriptor

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted, without what this process hides or cannot name."""
        with self.folder(path) as descriptor:
            return sorted(name for name in os.listdir(descriptor) if _servable(name))

    def remove_tree(self, folder: int, name: str) -> None:
        """Removes a folder with all that is in it, never following a link. Raises OSError."""
        inner = os.open(name, _FOLDER, dir_fd=folder)
        try:
            for entry in os.listdir(inner):
                if stat.S_ISDIR(os.stat(entry, dir_fd=inner, follow_symlinks=False).st_mode):
                    self.remove_tree(inner, entry)
                else:
                    os.unlink(entry, dir_fd=inner)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=folder)


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _servable(name: str) -> bool:
    try:
        return split(name) == [name]
    except Refused:
        return False
