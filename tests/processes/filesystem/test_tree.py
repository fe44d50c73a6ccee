"""Nothing outside of a tree is reached through it, on systems with and without descriptors of folders."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.filesystem.paths import Refused
from processes.filesystem.tree import Tree


def content(tree: Tree, path: str) -> str:
    with tree.open_file(path) as file:
        return file.read().decode()


def test_files_and_folders(tree: Tree) -> None:
    (tree.root / "a" / "b").mkdir(parents=True)
    (tree.root / "a" / "b" / "é").write_text("inside")
    assert content(tree, "a/b/é") == "inside"
    assert tree.stat("a/b/é").st_size == 6
    assert tree.stat("").st_ino == tree.root.stat().st_ino
    with tree.folder("a/b") as folder:
        assert folder.names() == ["é"]


@pytest.mark.parametrize("path", ["link", "link/secret", "a/link/secret", "a/link", "absolute/secret", "file"])
def test_links_are_not_followed(tree: Tree, path: str) -> None:
    (tree.root / "a").mkdir()
    (tree.root / "link").symlink_to("../outside")
    (tree.root / "a" / "link").symlink_to("../../outside")
    (tree.root / "absolute").symlink_to(tree.root.parent / "outside")
    (tree.root / "file").symlink_to("../outside/secret")
    assert (tree.root / path).exists()
    with pytest.raises(Refused, match="link"):
        tree.open_file(path)
    with pytest.raises((Refused, OSError)), tree.folder(path):
        pass


def test_links_inside_are_not_followed_either(tree: Tree) -> None:
    (tree.root / "real").mkdir()
    (tree.root / "link").symlink_to("real")
    (tree.root / "loop").symlink_to("loop")
    for path in ("link/x", "loop/x", "loop"):
        with pytest.raises(Refused, match="link"):
            tree.open_file(path)


def test_special_files_are_not_opened(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.root)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket")
        for path in ("pipe", "socket", ""):
            with pytest.raises(IsADirectoryError):
                tree.open_file(path)


def test_what_is_missing(tree: Tree) -> None:
    (tree.root / "file").write_text("x")
    for path in ("missing", "missing/x"):
        with pytest.raises(FileNotFoundError):
            tree.open_file(path)
    with pytest.raises(NotADirectoryError):
        tree.open_file("file/x")
    with pytest.raises(OSError, match="long") as caught:
        tree.open_file("x" * 300)
    assert caught.value.errno == errno.ENAMETOOLONG


def test_pages(tree: Tree) -> None:
    names = sorted(["B", "a", "ä", "z", *(f"{number:03}" for number in range(50))])
    for name in names:
        (tree.root / name).touch()
    for hidden in (".glow-part-1", "back\\slash", "e\u0301"):
        (tree.root / hidden).touch()
    with open(os.fsencode(tree.root) + b"/\xff", "w"):
        pass
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        found, after = tree.page("", after, 7)
        assert len(found) <= 7
        seen += [name for name, _ in found]
    assert seen == names


def test_a_page_that_ends_with_the_folder_is_the_last(tree: Tree) -> None:
    for name in "abc":
        (tree.root / name).touch()
    assert tree.page("", "", 3)[1] is None
    assert tree.page("", "", 2)[1] == "b"
    assert tree.page("", "c", 2) == ([], None)


def test_a_closed_tree_opens_nothing(tree: Tree) -> None:
    tree.close()
    with pytest.raises(OSError, match="not served"):
        tree.stat("")


@given(path=st.text(st.sampled_from("ab./\\\0é\u0301~"), max_size=12))
def test_no_path_leads_out(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = _example(tmp_path_factory)
    tree = Tree(base / "root")
    try:
        with tree.open_file(path) as file:
            assert file.read() == b"inside"
    except (Refused, OSError):
        pass
    finally:
        tree.close()


_made: list[Path] = []


def _example(factory: pytest.TempPathFactory) -> Path:
    """root/a/b and root/b are inside; everything else that has such names is outside, or leads there."""
    if not _made:
        base = factory.mktemp("example")
        (base / "root" / "a").mkdir(parents=True)
        for name in ("a", "b"):
            (base / name).write_text("outside")
        (base / "root" / "a" / "b").write_text("inside")
        (base / "root" / "b").write_text("inside")
        (base / "root" / "a" / "a").symlink_to(base)
        _made.append(base)
    return _made[0]


def test_lists_at_the_same_time_are_whole(tmp_path: Path) -> None:
    names = {f"{number:04}" for number in range(3000)}
    for name in names:
        (tmp_path / name).touch()
    tree, found = Tree(tmp_path), []

    def look() -> None:
        for _ in range(10):
            with tree.folder("") as folder:
                found.append(set(folder.names()))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tree.close()
    assert found == [names] * 40


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    for name, text in (("root/a", "inside"), ("outside", "outside")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "secret").write_text(text)
    stop = threading.Event()

    def swap() -> None:
        real, moved = tmp_path / "root" / "a", tmp_path / "root" / "moved"
        while not stop.is_set():
            real.rename(moved)
            real.symlink_to(tmp_path / "outside")
            real.unlink()
            moved.rename(real)

    thread = threading.Thread(target=swap)
    thread.start()
    tree, through, by_name = Tree(tmp_path / "root"), set(), 0
    try:
        for tries in range(200_000):
            through.add(_look(lambda: content(tree, "a/secret")))
            by_name += _look(lambda: (tmp_path / "root" / "a" / "secret").read_text()) == "outside"
            if tries >= 1000 and by_name >= 20 and "inside" in through:
                break
    finally:
        stop.set()
        thread.join()
        tree.close()
    assert by_name >= 20, "the links were never there to be followed"
    assert "inside" in through
    assert "outside" not in through


def _look(read: object) -> str:
    try:
        return read()  # type: ignore[operator, no-any-return]
    except (OSError, Refused) as error:
        return type(error).__name__
