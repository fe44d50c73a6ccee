"""Watchers are told what changes inside, and of nothing outside."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from firefly.errors import GlowError, TooLarge
from firefly.interfaces.filesystem import Change, ChangeCreated, ChangeModified, ChangeRemoved, NotFound
from processes.filesystem import watch
from processes.filesystem.paths import Refused
from processes.filesystem.tree import Tree
from processes.filesystem.watch import Watching

PATIENCE = 60.0
"""Seconds after which something that should be told is not going to be."""


class Told:
    """What one watcher was told."""

    def __init__(self) -> None:
        self.all: list[Change] = []
        self._arriving: queue.Queue[list[Change] | GlowError] = queue.Queue()
        self.put = self._arriving.put

    def until(self, done: Callable[[Change], bool]) -> list[Change]:
        """Everything up to a change that is waited for. Raises what ended the watch."""
        while not any(map(done, self.all)):
            arrived = self._arriving.get(timeout=PATIENCE)
            if isinstance(arrived, GlowError):
                raise arrived
            self.all += arrived
        return self.all

    def until_created(self, path: str) -> list[Change]:
        return self.until(lambda change: change == ChangeCreated(path))

    def paths(self) -> set[str]:
        return {change.value for change in self.all}  # type: ignore[attr-defined]


@contextmanager
def watching(tree: Tree, path: str = "") -> Iterator[Told]:
    stop, told, watched = threading.Event(), Told(), Watching(tree, path)

    def run() -> None:
        try:
            watched.run(stop, told.put)
        except GlowError as error:
            told.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()
        watched.close()


def test_files(tree: Tree) -> None:
    (tree.root / "old").write_text("x")
    with watching(tree) as told:
        (tree.root / "new").write_text("x")
        told.until_created("new")
        (tree.root / "old").write_text("y")
        told.until(lambda change: change == ChangeModified("old"))
        (tree.root / "new").unlink()
        told.until(lambda change: change == ChangeRemoved("new"))
        (tree.root / "old").rename(tree.root / "older")
        told.until(lambda change: change == ChangeRemoved("old"))
        told.until_created("older")


def test_folders_that_come_are_watched_with_all_that_is_in_them(tree: Tree) -> None:
    (tree.root.parent / "moved/deep").mkdir(parents=True)
    (tree.root.parent / "moved/deep/file").touch()
    with watching(tree) as told:
        (tree.root / "a/b/c").mkdir(parents=True)
        (tree.root / "a/b/c/first").touch()
        told.until_created("a/b/c/first")
        (tree.root / "a/b/c/second").touch()
        told.until_created("a/b/c/second")
        (tree.root.parent / "moved").rename(tree.root / "a/here")
        told.until_created("a/here/deep/file")
        (tree.root / "a/here/deep/more").touch()
        told.until_created("a/here/deep/more")
        assert {"a", "a/b", "a/b/c", "a/here", "a/here/deep"} <= told.paths()


def test_folders_that_go(tree: Tree) -> None:
    (tree.root / "a/b").mkdir(parents=True)
    (tree.root / "moving/in").mkdir(parents=True)
    with watching(tree) as told:
        shutil.rmtree(tree.root / "a")
        told.until(lambda change: change == ChangeRemoved("a"))
        (tree.root / "moving").rename(tree.root.parent / "elsewhere")
        told.until(lambda change: change == ChangeRemoved("moving"))
        (tree.root.parent / "elsewhere/in/secret").touch()
        (tree.root / "a").mkdir()
        told.until_created("a")
        (tree.root / "a/again").touch()
        told.until_created("a/again")
        assert not any("secret" in path for path in told.paths())


def test_nothing_outside_is_told(tree: Tree) -> None:
    outside = tree.root.parent / "outside"
    (tree.root / "link").symlink_to("../outside")
    (tree.root / "file").symlink_to("../outside/secret")
    with watching(tree) as told:
        (tree.root / "later").symlink_to("../outside")
        (outside / "new").write_text("x")
        (outside / "secret").write_text("changed")
        told.until_created("later")
        (outside / "newer").write_text("x")
        (tree.root / "last").touch()
        told.until_created("last")
        assert told.paths() <= {"", "later", "last"}


def test_unfinished_files_are_not_told(tree: Tree) -> None:
    with watching(tree) as told:
        (tree.root / ".glow-part-1").touch()
        (tree.root / ".glow-part-1").rename(tree.root / "whole")
        told.until_created("whole")
        assert told.paths() == {"whole"}


def test_only_what_is_below_the_path(tree: Tree) -> None:
    for folder in ("a", "ab"):
        (tree.root / folder).mkdir()
    with watching(tree, "a") as told:
        (tree.root / "ab/other").touch()
        (tree.root / "other").touch()
        (tree.root / "a/mine").touch()
        told.until_created("a/mine")
        assert told.paths() <= {"a", "a/mine"}


def test_one_file(tree: Tree) -> None:
    (tree.root / "file").touch()
    with watching(tree, "file") as told:
        (tree.root / "other").touch()
        (tree.root / "file").write_text("x")
        told.until(lambda change: change == ChangeModified("file"))
        (tree.root / "file").unlink()
        told.until(lambda change: change == ChangeRemoved("file"))
        (tree.root / "file").touch()
        told.until_created("file")
        assert told.paths() == {"file"}


@pytest.mark.parametrize("how", ["removed", "moved with what it is in", "replaced"])
def test_a_watch_ends_with_its_folder(tree: Tree, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK", 100)
    (tree.root / "a/b").mkdir(parents=True)
    with watching(tree, "a/b") as told:
        if how == "removed":
            (tree.root / "a/b").rmdir()
        else:
            (tree.root / "a").rename(tree.root / "moved")
        if how == "replaced":
            (tree.root / "a/b").mkdir(parents=True)
        with pytest.raises(NotFound):
            told.until(lambda _: False)


def test_what_cannot_be_watched(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.root / "link").symlink_to("../outside")
    with pytest.raises(FileNotFoundError):
        Watching(tree, "missing")
    with pytest.raises(Refused):
        Watching(tree, "link/inner")
    for number in range(5):
        (tree.root / str(number)).mkdir()
    monkeypatch.setattr(watch, "MAX_FOLDERS", 5)
    with pytest.raises(TooLarge):
        Watching(tree, "")


def test_a_watched_link_tells_of_itself_alone(tree: Tree) -> None:
    (tree.root / "link").symlink_to("../outside")
    with watching(tree, "link") as told:
        (tree.root.parent / "outside/new").touch()
        (tree.root / "link").unlink()
        told.until(lambda change: change == ChangeRemoved("link"))
        assert told.paths() == {"link"}
