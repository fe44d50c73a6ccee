from __future__ import annotations

from pathlib import Path

from idl.loader import MAX_FILES, MAX_NESTING, OURS, Loader
from idl.report import Report


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.firefly"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def load(path: Path, *folders: Path) -> tuple[Loader, Report]:
    report = Report()
    loader = Loader(report, folders)
    loader.load(path)
    return loader, report


def test_imports_are_found_beside_above_in_given_folders_and_among_ours(tmp_path: Path) -> None:
    write(
        tmp_path,
        home__room="library home.room\nimport home.lamp\nimport home.door\nimport house\n"
        "import far.away as f\nimport glow.kv",
        home__lamp="library home.lamp",
        home__nested__x="",
        house="library house",
        elsewhere__far__away="library far.away",
    )
    (tmp_path / "home" / "home.door.firefly").write_text("library home.door")
    loader, report = load(tmp_path / "home" / "room.firefly", tmp_path / "elsewhere")
    assert report.render() == ""
    room = loader.libraries[-1]
    assert {alias: library.name for alias, library in room.imports.items()} == {
        "lamp": "home.lamp", "door": "home.door", "house": "house", "f": "far.away", "kv": "glow.kv",
    }  # fmt: skip
    assert [library.name for library in loader.libraries if library.ours] == ["glow.core", "glow.kv"]


def test_a_file_is_read_once_however_often_it_is_imported(tmp_path: Path) -> None:
    write(tmp_path, a="library a\nimport b\nimport c", b="library b\nimport c", c="library c")
    loader, _ = load(tmp_path / "a.firefly")
    assert [library.name for library in loader.libraries] == ["c", "b", "a"]
    a, b = loader.libraries[2], loader.libraries[1]
    assert a.imports["c"] is b.imports["c"]


def test_a_missing_import_names_every_folder_that_was_searched(tmp_path: Path) -> None:
    write(tmp_path, sub__a="library a\nimport b", sub__b="library other")
    _, report = load(tmp_path / "sub" / "a.firefly", tmp_path / "given")
    [found] = report.diagnostics
    assert found.rule.code == "unknown-import"
    assert f"{tmp_path / 'sub' / 'b.firefly'} is library other" in found.fix
    for folder in (tmp_path / "sub", tmp_path, tmp_path / "given", OURS):
        assert str(folder) in found.fix


def test_a_circle_of_imports_is_shown_whole(tmp_path: Path) -> None:
    write(tmp_path, a="library a\nimport b", b="library b\nimport c", c="library c\nimport a")
    _, report = load(tmp_path / "a.firefly")
    [found] = report.diagnostics
    assert "a → b → c → a" in found.message


def test_a_long_chain_of_imports_ends_with_a_report_and_needs_no_deep_stack(tmp_path: Path) -> None:
    write(tmp_path, **{f"l{i}": f"library l{i}\nimport l{i + 1}" for i in range(MAX_FILES + 50)})
    loader, report = load(tmp_path / "l0.firefly")
    assert {found.rule.code for found in report.diagnostics} == {"too-many-imports"}
    assert len(loader.libraries) <= MAX_NESTING + 1


def test_without_library_the_files_name_is_the_librarys(tmp_path: Path) -> None:
    write(tmp_path, plain="type A = int")
    loader, _ = load(tmp_path / "plain.firefly")
    assert [library.name for library in loader.libraries] == ["plain"]
