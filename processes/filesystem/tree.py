"""Access to one folder tree from which nothing leads out. All functions block.

Every path is walked segment by segment from the root's descriptor and no link is followed, so neither `..` nor a link
nor a folder that is swapped for a link meanwhile leads anywhere else.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from processes.filesystem.folder import Folder, open_root
from processes.filesystem.paths import Refused, is_servable, split

LINK = "a part of it is a link, and links are not followed"


class Tree:
    """The folder `root`, which is opened once: it stays this folder even if its name gets another. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._folder = open_root(self.root)
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """What is open below stays so; nothing more is opened."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._folder.close()

    def _open_root(self) -> Folder:
        with self._lock:  # else another thread could give the descriptor's number to another file
            if self._closed:
                raise OSError(errno.ESHUTDOWN, "the folder is not served any more")
            return self._folder.again()

    def open_folder(self, path: str) -> Folder:
        """A folder, which the caller closes. Raises Refused, OSError."""
        return self._walk(path, split(path))

    def open_parent(self, path: str) -> tuple[Folder, str]:
        """The folder that a path is in, which the caller closes, and the path's last name. Raises Refused, OSError."""
        segments = split(path)
        if not segments:
            raise Refused(path, "it is the shared folder itself")
        return self._walk(path, segments[:-1]), segments[-1]

    def _walk(self, path: str, segments: list[str]) -> Folder:
        folder = self._open_root()
        for segment in segments:
            try:
                inner = folder.enter(segment)
            except OSError as error:
                if error.errno == errno.ELOOP or is_link(folder, segment):
                    raise Refused(path, LINK) from None
                raise
            finally:
                folder.close()
            folder = inner
        return folder

    @contextmanager
    def folder(self, path: str) -> Iterator[Folder]:
        """`open_folder` for a block."""
        folder = self.open_folder(path)
        try:
            yield folder
        finally:
            folder.close()

    @contextmanager
    def parent(self, path: str) -> Iterator[tuple[Folder, str]]:
        """`open_parent` for a block."""
        folder, name = self.open_parent(path)
        try:
            yield folder, name
        finally:
            folder.close()

    def stat(self, path: str) -> os.stat_result:
        """Of a link: the link's own. Raises Refused, OSError."""
        if not path:
            with self.folder("") as folder:
                return folder.own_stat()
        with self.parent(path) as (folder, name):
            return folder.stat(name)

    def open_file(self, path: str) -> io.FileIO:
        """A regular file to read. Raises Refused; OSError, EISDIR for a folder, pipe, socket or device."""
        if not path:
            raise IsADirectoryError(errno.EISDIR, "a folder")
        with self.parent(path) as (folder, name):
            found = folder.stat(name)
            if stat.S_ISLNK(found.st_mode):
                raise Refused(path, LINK)
            check_regular(found)  # before it is opened: opening some devices does something
            return open_regular(folder, name, os.O_RDONLY)

    def page(self, path: str, after: str, limit: int) -> tuple[list[tuple[str, os.stat_result]], str | None]:
        """Up to `limit` names after `after` and what they are, in order; where the next page begins, if there is one.

        Names that no path can have are left out (README.md). Raises Refused, OSError.
        """
        with self.folder(path) as folder:
            later = sorted(name for name in folder.names() if name > after)
            names = list(islice(filter(is_servable, later), limit + 1))
            shown = [(name, found) for name in names[:limit] if (found := stat_or_none(folder, name)) is not None]
        return shown, names[limit - 1] if len(names) > limit else None


def open_regular(folder: Folder, name: str, flags: int) -> io.FileIO:
    """A regular file, unbuffered. Raises OSError, EISDIR for anything else."""
    descriptor = folder.open(name, flags)
    try:
        check_regular(os.fstat(descriptor))
        return io.FileIO(descriptor, "r+" if flags & os.O_RDWR else "r")
    except OSError:
        os.close(descriptor)
        raise


def check_regular(found: os.stat_result) -> None:
    """Raises OSError EISDIR for anything but a file."""
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file")


def stat_or_none(folder: Folder, name: str) -> os.stat_result | None:
    """What a name is, None if there is none. Raises OSError."""
    try:
        return folder.stat(name)
    except FileNotFoundError:
        return None


def is_link(folder: Folder, name: str) -> bool:
    """Raises OSError."""
    found = stat_or_none(folder, name)
    return found is not None and stat.S_ISLNK(found.st_mode)
