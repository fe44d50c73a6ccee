from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli.main import main

GOOD = "library good\nimport other\nproto P : other.Q { def m(a: int): String }\n"
OTHER = "library other\nproto Q {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.firefly").write_text(GOOD)
    (tmp_path / "other.firefly").write_text(OTHER)
    (tmp_path / "bad.firefly").write_text("library bad\ntype A = Sting\ntype B = struct { a int }\n")
    (tmp_path / "warned.firefly").write_text("type A = int\n")
    return tmp_path


def test_check_of_what_is_right_prints_nothing_but_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "check", "good.firefly"]) == 0
    assert capsys.readouterr() == ("", "no errors in 1 file\n")


def test_check_shows_every_error_of_every_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "check", "bad.firefly", "warned.firefly", "missing.firefly"]) == 1
    out, note = capsys.readouterr()
    assert "bad.firefly:2:10: error: there is no type `Sting` [unknown-name]" in out
    assert "bad.firefly:3:21: error: expected `:`, found `int` [syntax]" in out
    assert "warned.firefly:1:1: warning" in out
    assert "missing.firefly cannot be read" in out
    assert note == "3 errors and 1 warning in 3 files\n"


def test_a_warning_is_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "check", "warned.firefly"]) == 0
    assert capsys.readouterr().err == "1 warning in 1 file\n"


def test_check_as_json_is_complete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "check", "--json", "bad.firefly"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert first == {
        "file": "bad.firefly",
        "line": 2,
        "column": 10,
        "severity": "error",
        "code": "unknown-name",
        "message": "there is no type `Sting`",
        "fix": "did you mean `String`?",
    }
    assert (second["line"], second["code"]) == (3, "syntax")


def test_generate_writes_a_file_and_what_it_imports(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "generate", "--to", "python", "-o", "out/stubs", "good.firefly"]) == 0
    assert capsys.readouterr().out == "wrote out/stubs/good.py\nwrote out/stubs/other.py\n"
    assert "from . import other as _other" in (folder / "out/stubs/good.py").read_text(encoding="utf-8")
    before = (folder / "out/stubs/good.py").read_bytes()
    assert main(["idl", "generate", "--to", "python", "-o", "out/stubs", "good.firefly"]) == 0
    assert (folder / "out/stubs/good.py").read_bytes() == before


def test_generate_writes_nothing_if_there_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idl", "generate", "--to", "python", "-o", "out", "good.firefly", "bad.firefly"]) == 1
    out, note = capsys.readouterr()
    assert out == ""
    assert "unknown-name" in note
    assert "nothing was written" in note
    assert not (folder / "out").exists()


def test_generate_spares_what_it_did_not_write(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.py").write_text("mine")
    assert main(["idl", "generate", "--to", "python", "good.firefly"]) == 7
    assert "other.py" in capsys.readouterr().err
    assert (folder / "other.py").read_text() == "mine"
    assert not (folder / "good.py").exists()


def test_names_that_python_cannot_have_are_an_error_with_a_hint(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "clash.firefly").write_text("library clash\nproto A {}\ntype AServer = int\n")
    assert main(["idl", "generate", "--to", "python", "clash.firefly"]) == 1
    note = capsys.readouterr().err
    assert "cause: " in note
    assert "AServer" in note


def test_imports_are_looked_for_in_given_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "far").mkdir()
    (folder / "other.firefly").rename(folder / "far" / "other.firefly")
    assert main(["idl", "check", "good.firefly"]) == 1
    assert main(["idl", "check", "good.firefly", "-I", "far"]) == 0


def test_the_module_is_imported_without_lark() -> None:
    code = "import sys, node.cli.idl; assert not {'lark', 'idl', 'trio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "words", [[], ["check"], ["generate", "x.firefly"], ["generate", "--to", "c", "x"], ["fry", "x"]]
)
def test_what_makes_no_sense_is_a_usage_error(words: list[str]) -> None:
    assert main(["idl", *words]) == 2
