from __future__ import annotations

import pytest

from idl.checker import check
from idl.compiled import Const, Value
from idl.compiler import compile_library
from idl.loader import Loader
from idl.report import Report
from idl.source import Source

PRELUDE = "library test\nimport glow.core\nenum E { A = 1  B = 2 }\nconst N: u8 = 7\ntype Alias = E?\n"


def value(kind: str, literal: str) -> Value:
    report = Report()
    library = Loader(report).load_source(Source("test.firefly", f"{PRELUDE}const X: {kind} = {literal}"))
    check(library, report)
    report.raise_errors()
    [found] = [part for part in compile_library(library).declarations if part.simple == "X"]
    assert isinstance(found, Const)
    return found.value


@pytest.mark.parametrize(
    ("kind", "literal", "expected"),
    [
        ("u8", "255", 255), ("i64", "-9_223_372_036_854_775_808", -(2**63)), ("int", "0x7f", 127), ("byte", "0b11", 3),
        ("f64", "1", 1.0), ("f32", "-2.5e-1", -0.25), ("Duration", "90", 90.0), ("bool", "true", True),
        ("String", '"a\\nä\\u00e9"', "a\näé"), ("Bytes[<=3]", '"abc"', "abc"), ("Array[byte, 2]", '"é"', "é"),
        ("E", "A", 1), ("E", "E.B", 2), ("E", "test.E.B", 2), ("E", "99", 99),
        ("Alias", "B", 2), ("Alias", "null", None),
        ("glow.core.Role", "core.Role.GUEST", 3), ("core.Role", "MEMBER", 2),
        ("u32", "N", 7), ("f64", "N", 7.0), ("int?", "N", 7), ("Array[u8, <=2]", "[1, N,]", [1, 7]),
        ("Map[E, Array[bool]]", "{A: [true], 2: []}", {"1": [True], "2": []}), ("Map[String, int]", "{}", {}),
    ],
)  # fmt: skip
def test_literals_are_values_of_their_type(kind: str, literal: str, expected: Value) -> None:
    found = value(kind, literal)
    assert (found, type(found)) == (expected, type(expected))
