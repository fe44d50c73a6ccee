"""Compiled modules and the private folder in which they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("wasmtime", reason="wasmtime has no wheel for this machine")

from firefly.interfaces.executor import NoSuchModule, NotWasm
from processes.executor import engine as engine_module
from processes.executor.engine import MAX_LOADED, Engine, binary
from tests.processes.executor.programs import EMPTY, digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "modules").mkdir()
    (tmp_path / "compiled").mkdir(mode=0o700)
    return tmp_path


def engine(folder: Path) -> Engine:
    return Engine(folder / "modules", folder / "compiled")


def put(folder: Path, module: bytes) -> bytes:
    (folder / "modules" / digest(module).hex()).write_bytes(module)
    return digest(module)


def only_file(folder: Path) -> Path:
    (file,) = (folder / "compiled").iterdir()
    return file


def test_a_module_is_compiled_once_and_then_read(folder: Path) -> None:
    name = put(folder, EMPTY)
    engine(folder).load(name)
    (folder / "modules" / name.hex()).unlink()
    again = engine(folder)
    assert again.loaded(name) is None
    assert again.load(name) is again.loaded(name) is again.load(name)


def test_the_file_is_named_by_all_that_it_depends_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = put(folder, EMPTY)
    engine(folder).load(name)
    assert only_file(folder).name.startswith(name.hex() + "-")
    monkeypatch.setattr(engine_module, "version", lambda _: "49.0.0")
    engine(folder).load(name)
    assert len(list((folder / "compiled").iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
def test_a_damaged_file_is_made_anew(folder: Path, damage: str) -> None:
    name = put(folder, EMPTY)
    engine(folder).load(name)
    file = only_file(folder)
    good = file.read_bytes()
    bad = {"cut": good[: len(good) // 2], "bit": good[:-100] + bytes([good[-100] ^ 1]) + good[-99:], "empty": b""}
    file.write_bytes(bad[damage])
    engine(folder).load(name)
    assert len(file.read_bytes()) == len(good)
    assert file.read_bytes() != bad[damage]


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path) -> None:
    (folder / "compiled").chmod(0o770)
    with pytest.raises(PermissionError, match="0700"):
        engine(folder)


def test_a_module_that_was_damaged_on_the_disk_does_not_run(folder: Path) -> None:
    name = put(folder, EMPTY)
    (folder / "modules" / name.hex()).write_bytes(EMPTY[:-1])
    with pytest.raises(NoSuchModule):
        engine(folder).load(name)


def test_memory_holds_a_bounded_number(folder: Path) -> None:
    here = engine(folder)
    names = [put(folder, EMPTY + b" " * number) for number in range(MAX_LOADED + 1)]
    for name in names:
        here.load(name)
    assert here.loaded(names[0]) is None
    assert all(here.loaded(name) for name in names[1:])


def test_compiled_code_of_somebody_else_is_never_taken(folder: Path) -> None:
    name = put(folder, EMPTY)
    engine(folder).load(name)
    compiled = only_file(folder).read_bytes()[32:]
    with pytest.raises(NotWasm):
        engine(folder).load(put(folder, compiled))
    with pytest.raises(NotWasm):
        binary(compiled)
