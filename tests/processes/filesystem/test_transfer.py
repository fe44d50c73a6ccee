"""Files on their way in get their name when they are whole, and what is abandoned goes."""

from __future__ import annotations

import hashlib
import os
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.filesystem.paths import Refused, is_hidden
from processes.filesystem.transfer import (
    ABANDONED,
    Unfinished,
    fresh_name,
    partial_name,
    remove_abandoned,
    unfinished_size,
)
from processes.filesystem.tree import Tree


def test_a_whole_file_gets_its_name(tree: Tree) -> None:
    unfinished = Unfinished.open(tree, "file", fresh_name(), create=True)
    unfinished.write([b"one", b"two", b""])
    unfinished.write([b"three"])
    assert not (tree.root / "file").exists()
    assert (unfinished.size, unfinished.digest.digest()) == (11, hashlib.sha256(b"onetwothree").digest())
    unfinished.finish()
    unfinished.close()
    assert (tree.root / "file").read_bytes() == b"onetwothree"
    assert len(list(tree.root.iterdir())) == 1


def test_what_is_replaced_keeps_its_mode(tree: Tree) -> None:
    (tree.root / "file").write_text("old")
    (tree.root / "file").chmod(0o640)
    unfinished = Unfinished.open(tree, "file", fresh_name(), create=True)
    unfinished.finish()
    unfinished.close()
    assert stat.S_IMODE((tree.root / "file").stat().st_mode) == 0o640
    assert (tree.root / "file").read_text() == ""


def test_discarded(tree: Tree) -> None:
    unfinished = Unfinished.open(tree, "file", fresh_name(), create=True)
    unfinished.discard()
    unfinished.discard()
    unfinished.close()
    assert list(tree.root.iterdir()) == []


def test_targets_that_are_no_files(tree: Tree) -> None:
    (tree.root / "folder").mkdir()
    os.mkfifo(tree.root / "pipe")
    (tree.root / "link").symlink_to("../outside/secret")
    for path, error in (("folder", IsADirectoryError), ("pipe", IsADirectoryError), ("link", Refused), ("", Refused)):
        with pytest.raises(error):
            Unfinished.open(tree, path, fresh_name(), create=True)
    with pytest.raises(FileNotFoundError):
        Unfinished.open(tree, "missing/file", fresh_name(), create=True)
    with pytest.raises(FileNotFoundError):
        Unfinished.open(tree, "file", fresh_name(), create=False)


def test_a_temporary_name_that_leads_elsewhere_is_not_used(tree: Tree) -> None:
    (tree.root / ".glow-1").symlink_to("../outside/secret")
    os.mkfifo(tree.root / ".glow-2")
    for name in (".glow-1", ".glow-2"):
        with pytest.raises(OSError, match=r"link|symbolic|regular"):
            Unfinished.open(tree, "file", name, create=True)
    assert (tree.root.parent / "outside/secret").read_text() == "outside"


def test_going_on_where_it_was_left(tree: Tree) -> None:
    first = Unfinished.open(tree, "file", ".glow-1", create=True)
    first.write([b"0123456789"])
    first.rest()
    assert first.is_as_left()
    first.close()
    again = Unfinished.open(tree, "file", ".glow-1", create=False)
    again.size = 4
    again.cut()
    again.write([b"abc"])
    again.finish()
    again.close()
    assert (tree.root / "file").read_bytes() == b"0123abc"


@pytest.mark.parametrize("how", ["changed", "longer", "removed", "replaced"])
def test_a_file_that_was_touched_meanwhile_is_noticed(tree: Tree, how: str) -> None:
    unfinished = Unfinished.open(tree, "file", ".glow-1", create=True)
    unfinished.write([b"0123456789"])
    unfinished.rest()
    path = tree.root / ".glow-1"
    if how == "changed":
        os.utime(path, (1, 1))
    elif how == "longer":
        path.write_bytes(b"0123456789a")
    else:
        path.rename(tree.root / "moved")
    if how == "replaced":
        path.write_bytes(b"0123456789")
    assert not unfinished.is_as_left()
    unfinished.close()


@given(st.text(), st.binary(max_size=64), st.text(), st.binary(max_size=64))
def test_each_upload_has_its_own_hidden_name(path: str, token: bytes, other: str, another: bytes) -> None:
    name = partial_name(path, token)
    assert is_hidden(name)
    assert len(name) < 64
    assert "/" not in name
    assert (name == partial_name(other, another)) == ((path, token) == (other, another))


def test_the_size_of_what_is_there(tree: Tree) -> None:
    (tree.root / "file").touch()
    (tree.root / ".glow-1").write_bytes(b"12345")
    assert unfinished_size(tree, "target", ".glow-1") == 5
    assert unfinished_size(tree, "target", ".glow-2") == 0
    assert unfinished_size(tree, "missing/target", ".glow-1") == 0
    assert unfinished_size(tree, "file/target", ".glow-1") == 0


def test_what_is_abandoned_is_removed_wherever_it_is(tree: Tree) -> None:
    (tree.root / "a/b").mkdir(parents=True)
    (tree.root / "a/link").symlink_to("../../outside")
    old = time.time() - ABANDONED - 60
    places = (tree.root, tree.root / "a/b", tree.root.parent / "outside")
    for folder in places:
        for name in (".glow-part-old", ".glow-new-young", "old"):
            (folder / name).touch()
            if "old" in name:
                os.utime(folder / name, (old, old))
    remove_abandoned(tree, lambda: False)
    assert [sorted(path.name for path in folder.glob("*old*")) for folder in places] == [
        ["old"],
        ["old"],
        [".glow-part-old", "old"],
    ]
    assert all((folder / ".glow-new-young").exists() for folder in places)


def test_cleaning_up_stops_when_it_is_told_to(tree: Tree) -> None:
    (tree.root / ".glow-1").touch()
    os.utime(tree.root / ".glow-1", (1, 1))
    remove_abandoned(tree, lambda: True)
    assert (tree.root / ".glow-1").exists()
