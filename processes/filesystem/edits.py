"""Changes of names in a tree: folders made, things removed and renamed. On disk when they return; all block."""

from __future__ import annotations

import errno
import os
import stat

from processes.filesystem.folder import Folder
from processes.filesystem.paths import is_hidden, split
from processes.filesystem.tree import Tree


def make_folder(tree: Tree, path: str) -> None:
    """Raises Refused; OSError, EEXIST if something has that name."""
    with tree.parent(path) as (folder, name):
        folder.make_folder(name)
        folder.sync()


def make_folders(tree: Tree, path: str) -> None:
    """The same with all folders on the way to it that are missing."""
    segments = split(path)
    for depth in range(1, len(segments)):
        try:
            make_folder(tree, "/".join(segments[:depth]))
        except FileExistsError:
            continue  # if it is no folder, the next step says so
    make_folder(tree, path)


def remove(tree: Tree, path: str, recursive: bool) -> None:
    """A file, a link itself, or a folder; with `recursive` all that is in it. Raises Refused, OSError."""
    with tree.parent(path) as (folder, name):
        if not stat.S_ISDIR(folder.stat(name).st_mode):
            folder.remove_file(name)
        elif recursive:
            folder.remove_all(name)
        else:
            _remove_empty(folder, name)
        folder.sync()


def _remove_empty(folder: Folder, name: str) -> None:
    """A folder that is seen empty by those it is served to goes with the unfinished files that they do not see."""
    try:
        folder.remove_folder(name)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        inner = folder.enter(name)
        try:
            names = inner.names()
            if not all(map(is_hidden, names)):
                raise OSError(errno.ENOTEMPTY, "not empty") from None
            for hidden in names:
                inner.remove_file(hidden)
        finally:
            inner.close()
        folder.remove_folder(name)


def rename(source: Folder, old: str, target: Folder, new: str) -> None:
    """Raises OSError, EEXIST if there is something already: nothing is ever replaced."""
    found = source.stat(old)
    _reserve(target, new, stat.S_ISDIR(found.st_mode))
    try:
        source.rename(old, target, new)
    except OSError:
        _remove_reserved(target, new)
        raise
    target.sync()
    source.sync()


def _reserve(folder: Folder, name: str, as_folder: bool) -> None:
    """Takes a name with something empty, which a rename replaces: so of two renames to it, one fails."""
    if as_folder:
        folder.make_folder(name)
    else:
        os.close(folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def _remove_reserved(folder: Folder, name: str) -> None:
    found = folder.stat(name)
    if stat.S_ISDIR(found.st_mode):
        folder.remove_folder(name)
    elif found.st_size == 0:
        folder.remove_file(name)
