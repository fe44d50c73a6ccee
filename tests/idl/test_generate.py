from __future__ import annotations

from pathlib import Path

import pytest

from idl import generate
from idl.checker import check_files
from idl.generators.python_names import NameClash
from idl.report import Report


def test_the_committed_stubs_are_those_of_the_interfaces(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_stale_files_are_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "TARGET", tmp_path / "out")
    monkeypatch.setattr(generate, "BESIDE", ())
    assert generate.main(["--check"]) == 1
    assert "kv.py is stale: run `make generate`" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    written = tmp_path / "out" / "kv.py"
    written.write_text("changed")
    assert generate.main(["--check"]) == 1


def test_two_libraries_of_one_file_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.x.firefly").write_text("library a.x\n")
    (tmp_path / "b.x.firefly").write_text("library b.x\nimport a.x as other\n")
    libraries = check_files([tmp_path / "b.x.firefly"], Report())
    with pytest.raises(NameClash, match=r"x\.py"):
        generate.generate(libraries, tmp_path)
