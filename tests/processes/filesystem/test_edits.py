"""Names are made, removed and changed as asked, and nothing else is touched."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from processes.filesystem.edits import make_folder, make_folders, remove, rename
from processes.filesystem.paths import Refused
from processes.filesystem.tree import Tree


def move(tree: Tree, old: str, new: str) -> None:
    with tree.parent(old) as (source, name), tree.parent(new) as (target, other):
        rename(source, name, target, other)


def test_folders_are_made(tree: Tree) -> None:
    make_folder(tree, "a")
    make_folders(tree, "a/b/c")
    assert (tree.root / "a/b/c").is_dir()
    with pytest.raises(FileExistsError):
        make_folders(tree, "a/b")
    with pytest.raises(FileNotFoundError):
        make_folder(tree, "x/y")
    (tree.root / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_folders(tree, "file/a/b")


def test_folders_are_not_made_through_links(tree: Tree) -> None:
    (tree.root / "link").symlink_to("../outside")
    for make in (make_folder, make_folders):
        with pytest.raises(Refused, match="link"):
            make(tree, "link/new")
    assert not (tree.root.parent / "outside/new").exists()


def test_files_and_links_are_removed_as_themselves(tree: Tree) -> None:
    outside = tree.root.parent / "outside"
    (tree.root / "file").write_text("x")
    (tree.root / "link").symlink_to("../outside")
    remove(tree, "file", recursive=False)
    remove(tree, "link", recursive=True)
    assert list(tree.root.iterdir()) == []
    assert (outside / "secret").exists()
    with pytest.raises(FileNotFoundError):
        remove(tree, "file", recursive=True)
    with pytest.raises(Refused):
        remove(tree, "", recursive=True)


def test_folders_are_removed(tree: Tree) -> None:
    make_folders(tree, "a/b/c")
    (tree.root / "a/b/link").symlink_to("../../../outside")
    (tree.root / "a/b/file").touch()
    with pytest.raises(OSError, match="not empty"):
        remove(tree, "a", recursive=False)
    remove(tree, "a/b/c", recursive=False)
    remove(tree, "a", recursive=True)
    assert list(tree.root.iterdir()) == []
    assert (tree.root.parent / "outside/secret").exists()


def test_a_folder_that_looks_empty_can_be_removed(tree: Tree) -> None:
    make_folder(tree, "a")
    (tree.root / "a/.glow-part-1").touch()
    remove(tree, "a", recursive=False)
    assert not (tree.root / "a").exists()


def test_things_are_renamed(tree: Tree) -> None:
    make_folders(tree, "a/b")
    (tree.root / "a/file").write_text("content")
    move(tree, "a/file", "a/b/other")
    assert (tree.root / "a/b/other").read_text() == "content"
    move(tree, "a/b", "c")
    assert (tree.root / "c/other").read_text() == "content"
    assert sorted(path.name for path in tree.root.rglob("*")) == ["a", "c", "other"]


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["taken", "empty", "full", "link"])
def test_a_rename_replaces_nothing(tree: Tree, old: str, new: str) -> None:
    (tree.root / "file").write_text("mine")
    (tree.root / "taken").write_text("theirs")
    for path in ("folder", "empty", "full/inner"):
        make_folders(tree, path)
    (tree.root / "link").symlink_to("nowhere")
    before = sorted(tree.root.rglob("*"))
    with pytest.raises(FileExistsError):
        move(tree, old, new)
    assert sorted(tree.root.rglob("*")) == before
    assert (tree.root / "taken").read_text() == "theirs"


def test_a_rename_that_fails_leaves_nothing(tree: Tree) -> None:
    make_folder(tree, "a")
    with pytest.raises(FileNotFoundError):
        move(tree, "missing", "new")
    with pytest.raises(OSError, match="argument"):
        move(tree, "a", "a/b")
    assert [path.name for path in tree.root.rglob("*")] == ["a"]


def test_of_two_renames_to_one_name_one_fails(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for number in range(50):
        results: list[bool] = []
        for name in "ab":
            (tmp_path / name).write_text(name)
        barrier = threading.Barrier(2)

        def attempt(
            name: str, to: str = f"to{number}", barrier: threading.Barrier = barrier, results: list[bool] = results
        ) -> None:
            barrier.wait()
            try:
                move(tree, name, to)
            except FileExistsError:
                results.append(False)
            else:
                results.append(True)

        threads = [threading.Thread(target=attempt, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False, True]
        loser = next(path for path in (tmp_path / "a", tmp_path / "b") if path.exists())
        assert {loser.read_text(), (tmp_path / f"to{number}").read_text()} == {"a", "b"}
    tree.close()
