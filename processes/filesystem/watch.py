"""What changes below a folder, as the operating system tells it. Everything here blocks, or is called from a thread.

Folders are watched one by one: the recursive mode of the library follows links, so a link to `/` would watch, and tell
of, the whole device. A change is told only if the folder that it happened in can be reached without a link when it is
told; so a folder that goes with all its content is one change.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator

from watchfiles import Change as Event
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from firefly.errors import Busy, TooLarge
from firefly.interfaces.filesystem import Change, ChangeCreated, ChangeModified, ChangeRemoved, NotFound
from processes.filesystem.paths import Refused, is_servable, join, split
from processes.filesystem.tree import Tree

MAX_FOLDERS = 50_000
STEP, GATHER, LOOK = 50, 400, 2000
"""Milliseconds: of quiet before changes are told, at most for gathering them, between looks at the folder itself."""

Events = set[tuple[int, str]]


class Watching:
    """Watches a path of a tree, a folder or a file, which must be there."""

    def __init__(self, tree: Tree, path: str) -> None:
        """Watches from now on. Raises Refused, OSError, Busy, TooLarge."""
        self._tree = tree
        self._path = path
        found = tree.stat(path)
        self._inode = found.st_ino
        self._is_folder = stat.S_ISDIR(found.st_mode)
        self._folders = self._below(path) if self._is_folder else {path.rpartition("/")[0]}
        self._notify = self._watch(self._folders)
        self._late: Events = set()

    def close(self) -> None:
        self._notify.close()

    def run(self, stop: threading.Event, tell: Callable[[list[Change]], None]) -> None:
        """Tells of changes until `stop`. Raises NotFound when the watched folder has gone, Busy, TooLarge."""
        while True:
            events = self._late or self._notify.watch(GATHER, STEP, LOOK, stop)
            self._late = set()
            if events in ("stop", "signal"):
                return
            if isinstance(events, set):
                tell(list(self._changes(events)))
            if self._is_folder and self._inode_of(self._path) != self._inode:
                raise NotFound(self._path)

    # --- which folders

    def _below(self, path: str) -> set[str]:
        """A folder and all below it; those that cannot be looked at are left out. Raises TooLarge."""
        folders, waiting = {path}, [path]
        while waiting:
            inner = [found for found in self._content(waiting.pop()) if self._is_folder_at(found)]
            folders.update(inner)
            waiting += inner
            if len(folders) > MAX_FOLDERS:
                raise TooLarge(f"over {MAX_FOLDERS} folders are below it", hint="watch a folder further down")
        return folders

    def _content(self, path: str) -> list[str]:
        try:
            with self._tree.folder(path) as folder:
                return [join(path, name) for name in folder.names() if is_servable(name)]
        except (OSError, Refused):
            return []

    def _watch(self, folders: Iterable[str]) -> RustNotify:
        paths = [str(self._tree.root / folder) for folder in folders]
        try:
            return RustNotify(paths, False, False, 0, False, True)
        except (WatchfilesRustInternalError, OSError) as error:
            raise Busy("the device cannot watch this now", str(error), "watch a folder further down") from None

    def _follow(self, created: set[str]) -> set[str]:
        """Watches folders that came, too. Returns what is in them already."""
        content: set[str] = set()
        while new := {found for path in created for found in self._below(path)} - self._folders:
            self._folders |= new
            old, self._notify = self._notify, self._watch(self._folders)
            late = old.watch(STEP, STEP, STEP, None)  # only then, so that nothing falls between the two
            self._late |= late if isinstance(late, set) else set()
            old.close()
            found_there = {path for folder in new for path in self._content(folder)}
            content |= found_there
            created = {path for path in found_there if self._is_folder_at(path)}
        return content

    # --- which changes

    def _changes(self, events: Events) -> Iterator[Change]:
        kinds = self._by_path(events)
        gone = {path for path, kind in kinds.items() if Event.deleted in kind and path in self._folders}
        if gone:
            self._folders = {folder for folder in self._folders if not _is_in(folder, gone)}
        if self._is_folder:
            came = {path for path, kind in kinds.items() if Event.added in kind and self._is_folder_at(path)}
            for path in self._follow(came):
                kinds.setdefault(path, {Event.added})
        for path in sorted(kinds):
            change = self._change(path, kinds[path])
            if change is not None:
                yield change

    def _by_path(self, events: Events) -> dict[str, set[int]]:
        """What happened to each path that is watched and served."""
        kinds: dict[str, set[int]] = {}
        for kind, name in events:
            path = os.path.relpath(name, self._tree.root).replace(os.sep, "/")
            path = "" if path == "." else path
            try:
                split(path)
            except Refused:
                continue
            if _is_in(path, {self._path}):
                kinds.setdefault(path, set()).add(kind)
        return kinds

    def _change(self, path: str, kinds: set[int]) -> Change | None:
        """One change for all that happened to a path; None if it is not to be told, or is going to be told of again."""
        try:
            self._tree.stat(path)
        except FileNotFoundError:
            if Event.deleted in kinds and self._has_folder(path):
                return ChangeRemoved(path)
            return None
        except (OSError, Refused):
            return None
        if Event.deleted in kinds:
            return ChangeModified(path) if Event.added in kinds else None
        return ChangeCreated(path) if Event.added in kinds else ChangeModified(path)

    def _has_folder(self, path: str) -> bool:
        return self._inode_of(path.rpartition("/")[0]) is not None

    def _is_folder_at(self, path: str) -> bool:
        try:
            return stat.S_ISDIR(self._tree.stat(path).st_mode)
        except (OSError, Refused):
            return False

    def _inode_of(self, path: str) -> int | None:
        try:
            return self._tree.stat(path).st_ino
        except (OSError, Refused):
            return None


def _is_in(path: str, tops: set[str]) -> bool:
    """Whether a path is one of `tops` or below one of them."""
    if "" in tops or path in tops:
        return True
    parts = path.split("/")
    return any("/".join(parts[:depth]) in tops for depth in range(1, len(parts)))
