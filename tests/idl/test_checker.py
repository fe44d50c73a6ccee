from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firefly import schema
from idl.checker import check, check_files
from idl.compiler import compile_library
from idl.diagnostics import RULES
from idl.loader import OURS, Loader
from idl.report import Report
from idl.source import Source


def findings(text: str) -> list[tuple[int, str]]:
    report = Report()
    library = Loader(report).load_source(Source("test.firefly", f"library test\n{text}"))
    check(library, report)
    return [(found.source.place(found.span)[0] - 1, found.rule.code) for found in report.diagnostics]


@pytest.mark.parametrize("path", sorted(OURS.glob("*.firefly")), ids=lambda path: path.stem)
def test_our_own_interfaces_are_right(path: Path) -> None:
    report = Report()
    assert len(check_files([path], report)) == 1
    assert report.render() == ""


def test_all_errors_of_a_file_are_reported_at_once_and_in_order() -> None:
    assert findings(
        "type A = Sting\n"
        "type B = struct { a: int = 300000000000000000000  b: u8 }\n"
        "enum E { A = 1  A = 1 }\n"
        "proto P : A { def m(a: B, a: C): Stream[int]? throws B }\n"
        "@new type D = Map[f64, Array[void]]\n"
    ) == [
        (1, "unknown-name"), (2, "bad-value"), (2, "default-order"), (3, "duplicate-name"), (4, "wrong-kind"),
        (4, "duplicate-name"), (4, "unknown-name"), (4, "misplaced-stream"), (4, "wrong-kind"),
        (5, "unknown-attribute"), (5, "misplaced-void"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "type Id = Array[byte, 8]\ntype A = struct { id: Id }",
        "const N: u32 = M\nconst M: u8 = 3\ntype A = Array[byte, N]\ntype B = String[<=N]",
        "enum E { A = 1 }\nconst C: E? = E.A\ntype S = struct { e: E = A  f: E = 9  g: E? = null }",
        "type T = struct { next: T?  all: Array[T]  by: Map[String, T] }",
        "union U { 1: u: U  2: all: Array[U] }",
        "type A = B\ntype B = struct { a: A? }",
        "proto A { def m() }\nproto B : A {}\nproto C : A {}\nproto D : B, C {}\ntype E = B & C\n"
        "proto F { def d(): B & C }",
        "proto A { def a(): B }\nproto B { def b(): A }",
        'proto P { @selector("old") @since(2) @deprecated("no") @idempotent def m(@scope a: int, @since(2) b: int) }',
        "proto P { def m(data: Stream[Bytes], tail: int = 0): Stream[int] }",
        "proto P { msg m(a: int = 1): void }",
        "type A = struct { a: Duration = 1  b: f32 = 2  c: Bytes = \"x\"  d: Array[byte, 2] = \"ab\" }",
        "type A = struct { a: Array[Array[int]] = [[1], []]  b: Map[int, bool] = {1: true}  c: Map[E, int] = {A: 1} }\n"
        "enum E { A = 4 }",
        "import glow.core\nproto P : glow.core.Resource { def m(k: core.Key): core.Node throws core.NameTaken }",
        "type A = struct {}\nerror E\nproto P {}",
        "const A: Array[int] = [1]\ntype S = struct { a: Array[int] = A }",
    ],
)  # fmt: skip
def test_what_is_right_is_not_complained_about(text: str) -> None:
    assert [code for _, code in findings(text) if not RULES[code].warning] == []


def test_a_declaration_that_a_syntax_error_hid_is_not_missed() -> None:
    assert findings(
        "type A = = int\ntype B = A\nproto P : Q {}\nproto Q { def ( }\nconst C: int = = 1\nconst D: int = C"
    ) == [
        (1, "syntax"),
        (4, "syntax"),
        (5, "syntax"),
    ]


def test_hints_name_what_was_probably_meant() -> None:
    report = Report()
    text = "library test\nimport glow.core\ntype A = Sting\ntype B = Resource\ntype C = core.Adress\ntype D = kv.Name\n"
    check(Loader(report).load_source(Source("test.firefly", text)), report)
    assert [found.fix for found in report.diagnostics] == [
        "did you mean `String`?",
        "write `core.Resource`",
        "did you mean `Address`?",
        "`kv` is not imported: add `import` with the name of its library",
    ]


ERRORS, METHODS = (975, 9747), (18478, 32470)
"""Found by trying names until two had the same first 4 bytes of SHA-256."""


def test_real_collisions_of_hashes_are_found() -> None:
    assert findings(
        f"error E{ERRORS[0]}\nerror E{ERRORS[1]}\nproto P {{ def m() throws E{ERRORS[0]} | E{ERRORS[1]} }}"
    ) == [(3, "error-collision")]
    assert findings(f"proto P {{ def m{METHODS[0]}()\ndef m{METHODS[1]}() }}") == [(2, "selector-collision")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("".join(f"type A{i} = A{i + 1}\n" for i in range(3000)) + "type A3000 = int", "alias-cycle"),
        ("".join(f"proto A{i} : A{i + 1} {{}}\n" for i in range(3000)) + "proto A3000 {}", "base-cycle"),
        ("".join(f"const A{i}: int = A{i + 1}\n" for i in range(3000)) + "const A3000: int = 1", "value-cycle"),
    ],
)
def test_long_chains_are_reported_and_need_no_deep_stack(text: str, code: str) -> None:
    assert {found for _, found in findings(text)} == {code}


def test_a_long_chain_of_structs_is_fine() -> None:
    assert findings("".join(f"type A{i} = struct {{ a: A{i + 1} }}\n" for i in range(3000)) + "type A3000 = int") == []


WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        "type A B C E P = struct enum union error const proto { } ( ) [ ] : , ? & <= int String Array Map Stream void "
        'u8 null 1 -1 2.5 "s" def msg throws | @scope @idempotent true A.B import glow.core core.Key core.Resource',
    )
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=40))
def test_any_sequence_of_words_is_checked_without_an_exception(words: list[str]) -> None:
    findings(" ".join(words))


DECLARATIONS = st.sampled_from([
    "type A = {0}", "type B = {0}?", "type C = struct {{ a: {0}  b: {1} = {2} }}", "enum D {{ X = 1 }}",
    "union E {{ 1: a: {0}  2: b: struct {{ c: {1} }} }}", "error F {{ a: {0} }}", "const G: {0} = {2}",
    "proto H : {0} {{ def m(a: {0}, b: {1} = {2}): {0} throws {1} }}",
    "proto I {{ def n(a: Stream[{0}]): Stream[{1}] }}",
])  # fmt: skip
TYPES = st.recursive(
    st.sampled_from([*"ABCDEFGHI", "int", "u8", "String", "Bytes", "Id", "Timestamp", "void", "bool"]),
    lambda inner: st.builds("Array[{}, G]".format, inner) | st.builds("Map[{}, {}]".format, inner, inner)
    | st.builds("{}?".format, inner) | st.builds("{} & {}".format, inner, inner) | st.builds("Array[{}]".format, inner),
    max_leaves=4,
)  # fmt: skip
VALUES = st.sampled_from(
    ["1", "-1", "0.5", '"s"', "null", "true", "G", "X", "D.X", "[1]", "[]", "{}", '{"a": 1}', "{X: G}"]
)


@settings(max_examples=300)
@given(st.lists(st.builds(str.format, DECLARATIONS, TYPES, TYPES, VALUES), max_size=6))
def test_any_combination_of_declarations_is_checked_and_what_is_right_compiles(parts: list[str]) -> None:
    report = Report()
    library = Loader(report).load_source(Source("test.firefly", "library test\n" + "\n".join(parts)))
    check(library, report)
    if not report.errors:
        schema.load(compile_library(library).to_json().encode())


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "language.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```firefly\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "example.firefly"
    path.write_text(example, encoding="utf-8")
    report = Report()
    check_files([path], report)
    assert report.render() == ""
