from __future__ import annotations

import json
from pathlib import Path

import pytest

from firefly import schema
from idl.checker import check_files
from idl.compiled import Schema
from idl.compiler import camel, compile_library
from idl.loader import OURS
from idl.report import Report

EVERYTHING = Path(__file__).parent / "generators" / "everything.firefly"


def compiled(path: Path) -> Schema:
    report = Report()
    [library] = check_files([path], report)
    report.raise_errors()
    return compile_library(library)


@pytest.mark.parametrize("path", [*sorted(OURS.glob("*.firefly")), EVERYTHING], ids=lambda path: path.stem)
def test_what_is_compiled_here_is_read_there_and_is_the_same(path: Path) -> None:
    written = compiled(path)
    read = schema.load(written.to_json().encode())
    assert json.loads(schema.dump(read)) == json.loads(written.to_json())
    assert [declaration.name for declaration in read.declarations] == [part.name for part in written.declarations]


def test_a_schema_holds_exactly_what_its_library_reaches() -> None:
    names = [declaration.name for declaration in compiled(OURS / "kv.firefly").declarations]
    assert [name for name in names if not name.startswith("glow.kv.")] == [
        "glow.core.Description",
        "glow.core.Resource",
    ]


def test_inline_structs_are_named_after_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.firefly"
    path.write_text(
        "library a\n"
        "type T = struct { inner_part: struct { deep: struct {} } }\n"
        "type TInnerPart = int\n"
        "type L = Array[struct { x: int }]\n"
        "union U { 1: one: struct { y: int } }\n"
        "error E { why: struct {} }\n"
        "proto P { def do_it(given: struct {}): struct {} }\n"
    )
    structs = {part.simple: part for part in compiled(path).declarations if type(part).__name__ == "Struct"}
    assert set(structs) == {
        "T", "TInnerPart_", "TInnerPart_Deep", "LItem", "UOne", "EWhy", "PDoItGiven", "PDoItResult",
    }  # fmt: skip
    assert structs["UOne"].variant_of == "a.U"  # type: ignore[attr-defined]


def test_names_of_fields_become_parts_of_names_of_types() -> None:
    assert camel("round_trip_2") == "RoundTrip2"
