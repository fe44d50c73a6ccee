"""What the tests of files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from processes.filesystem import folder as folders
from processes.filesystem.tree import Tree


@pytest.fixture(params=[True, False], ids=["descriptors", "paths"])
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    """An empty tree `root`, with descriptors of folders and without, beside a folder `outside` with a `secret`."""
    monkeypatch.setattr(folders, "HAS_DESCRIPTORS", request.param)
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("outside")
    tree = Tree(tmp_path / "root")
    yield tree
    tree.close()
