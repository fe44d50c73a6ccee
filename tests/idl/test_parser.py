from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idl import parser
from idl.loader import OURS
from idl.model import Alias, Both, Enum, Error, Field, File, Limit, Method, Name, Named, Optional, Proto, Struct, Union
from idl.parser import parse
from idl.report import Report
from idl.source import Source


def read(text: str) -> tuple[File, Report]:
    report = Report()
    return parse(Source("test.firefly", text), report), report


def right(text: str) -> File:
    file, report = read(text)
    assert report.render() == ""
    return file


def places(report: Report) -> list[tuple[int, str]]:
    return [(found.source.place(found.span)[0], found.rule.code) for found in report.diagnostics]


def test_the_original_syntax_is_legal_unchanged() -> None:
    file = right(
        """
        /* The original language: no separators, no library, // and comments anywhere. */
        type Key = Array[byte, 16] // sixteen
        type Pair = struct { key: Key  count: int b: Array[String] }
        proto Sequence { def next(): Pair }
        proto Socket : Sequence, Base { def open(x: int, /* inside */ y: Array[byte, 16]): Sequence & Socket
            msg close() def nothing() }
        proto Base {}
        """
    )
    key, pair, sequence, socket, base = file.declarations
    assert isinstance(key, Alias)
    assert isinstance(key.type, Named)
    assert isinstance(key.type.parameters[1], Limit)
    assert isinstance(pair, Alias)
    assert isinstance(pair.type, Struct)
    assert [field.name.text for field in pair.type.fields] == ["key", "count", "b"]
    assert isinstance(socket, Proto)
    assert [name.text for name in socket.bases] == ["Sequence", "Base"]
    opening, closing, nothing = socket.methods
    assert isinstance(opening.result, Both)
    assert closing.notify
    assert nothing.result is None
    assert isinstance(sequence, Proto)
    assert isinstance(base, Proto)


SOFT = ["type", "def", "msg", "proto", "struct", "enum", "union", "error", "const", "import", "library", "as", "throws"]


@pytest.mark.parametrize("word", SOFT)
def test_keywords_are_soft(word: str) -> None:
    file = right(
        f"library a.{word}\nimport x.{word} as {word}\n"
        f"type A = struct {{ {word}: {word}.T  from: int  class: {word} }}\n"
        f"enum E {{ {word} = 1 }}\nunion U {{ 1: {word}  2: other: {word} }}\n"
        f"proto {word} : {word}.{word} {{ def {word}({word}: {word} = {word}): {word} throws {word} | {word} }}\n"
        f"type {word} = {word}\nerror {word} {{ {word}: int }}\nconst {word}: {word} = {word}\n"
    )
    assert [declaration.name.text for declaration in file.declarations] == ["A", "E", "U", *[word] * 4]


@pytest.mark.parametrize("separator", [" ", ", ", "; ", ",", ";", "\n"])
def test_separators_are_optional(separator: str) -> None:
    between = separator.join
    file = right(
        f"type A = struct {{ {between(['a: int', 'b: String[<=3] = 1', 'c: int?'])} }}{separator}"
        f"enum E {{ {between(['A = 1', 'B = 2'])} }}{separator}union U {{ {between(['1: a', '2: b: int', '3: c'])} }}"
        f"{separator}proto P {{ {between(['def m(' + between(['a: int', 'b: A & B']) + ')', 'msg n()'])} }}"
    )
    assert len(file.declarations) == 4


def test_documentation_is_kept_wherever_an_element_can_have_it() -> None:
    file = right(
        """/// The library,
        /// in two lines.
        library a
        /// Alias.
        type A = struct {
            /// Field.
            @since(2) a: int
        }
        /// Enum.
        enum E { /// Member.
            A = 1 }
        /// Union.
        union U {
            /// Variant.
            1: a }
        @deprecated("x")
        /// After its attribute.
        error X
        /// Proto.
        proto P {
            /// Method.
            @idempotent
            def m(
                /// Argument.
                a: int)
        }
        //// A line of slashes is no documentation.
        type B = int
        """
    )
    alias, enum, union, error, proto, plain = file.declarations
    assert file.libraries[0].doc == "The library,\nin two lines."
    assert isinstance(alias, Alias)
    assert isinstance(alias.type, Struct)
    assert isinstance(enum, Enum)
    assert isinstance(union, Union)
    assert isinstance(error, Error)
    assert isinstance(proto, Proto)
    elements = [alias, alias.type.fields[0], enum, enum.members[0], union, union.variants[0], error, proto]
    elements += [proto.methods[0], proto.methods[0].arguments[0], plain]
    assert [element.doc for element in elements] == [
        "Alias.", "Field.", "Enum.", "Member.", "Union.", "Variant.", "After its attribute.", "Proto.", "Method.",
        "Argument.", "",
    ]  # fmt: skip


def test_values_and_types_are_read_as_written() -> None:
    file = right(
        'proto P { def m(a: Map[String, x.Y]? = {"k": [1, -2.5e3, true]}, b: Bytes[<=MAX] = 0xFF_00, c: u8 = 0b101) }'
    )
    proto = file.declarations[0]
    assert isinstance(proto, Proto)
    method = proto.methods[0]
    assert isinstance(method, Method)
    a, b, c = method.arguments
    assert isinstance(a.type, Optional)
    assert a.default is not None
    assert a.default.is_map
    assert isinstance(b.type, Named)
    limit = b.type.parameters[0]
    assert isinstance(limit, Limit)
    assert isinstance(limit.value, Name)
    assert (limit.value.text, limit.exact) == ("MAX", False)
    assert [field.default.value for field in (b, c) if field.default is not None] == [0xFF00, 5]
    assert isinstance(a, Field)


def test_every_syntax_error_of_a_file_is_reported() -> None:
    file, report = read(
        """library test
        type A = struct { a int  b: int }
        proto P {
            def first(x: int y)
            def second(): -> int
            msg third(x: int)
            garbage
            def fourth(
        type B = int
        enum E { A  B = 2 }
        interface Q { def m() }
        union U { 1 a  2: b }
        }
        error Last { z: int """
    )
    assert places(report) == [
        (2, "syntax"), (4, "syntax"), (5, "stray-character"), (7, "syntax"), (9, "syntax"), (10, "syntax"),
        (11, "syntax"), (12, "syntax"), (13, "syntax"), (14, "syntax"),
    ]  # fmt: skip
    names = {declaration.name.text: declaration for declaration in file.declarations}
    assert {"A", "P", "B", "E", "U", "Last"} <= set(names)
    proto = names["P"]
    assert isinstance(proto, Proto)
    assert "third" in [method.name.text for method in proto.methods]


def test_what_a_syntax_error_may_have_hidden_is_remembered() -> None:
    file, _ = read("type A = = int\ntype B = A")
    assert {"A", "B"} <= file.lost
    assert right("type A = int").lost == set()


def test_a_message_names_what_was_expected_and_a_fix() -> None:
    _, report = read("proto P { def m(a: int }")
    [found] = report.diagnostics
    assert found.message == "expected `)`, `=` or a name, found `}`"
    assert found.fix


@pytest.mark.parametrize("opening", ["[", "{ a: struct ", "("])
def test_depth_is_bounded_before_anything_is_built(opening: str) -> None:
    file, report = read("type A = struct " + opening * 100_000)
    assert [found.rule.code for found in report.diagnostics] == ["too-deep"]
    assert not file.readable


def test_a_file_of_garbage_ends_with_a_bounded_report() -> None:
    _, report = read("type = { " * 20_000)
    assert 1 <= report.errors <= 200


def test_tables_are_kept_and_a_broken_or_unwritable_cache_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    make = parser._tables.__wrapped__
    make()
    [kept] = (tmp_path / "glow").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    make()
    assert kept.stat().st_size > 100
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(kept / "a file is no folder"))
    assert make().parse_interactive("type A = int", start="file")


def test_a_name_that_turns_out_to_begin_a_declaration_is_read_again() -> None:
    file, report = read('error "Lost {}\n/// Its documentation.\nerror Found {}\nproto P {\n  def m(\ntype A = int')
    assert places(report)[0] == (1, "open-string")
    assert {"Found", "P", "A"} <= {declaration.name.text for declaration in file.declarations}


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    read(text)


OWN = [path.read_text(encoding="utf-8") for path in sorted(OURS.glob("*.firefly"))]
PIECES = ["{", "}", "(", ")", "[", "]", "proto P {", "def m(", "type A =", "struct {", ":", "=", "?", "&", '"', "/*",
          "///", "@x(", "-", "1:", "$", "\0", "enum E {", "|"]  # fmt: skip


@given(
    st.sampled_from(OWN), st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 8)), max_size=4)
)
def test_a_damaged_file_is_read_without_an_exception(text: str, changes: list[tuple[float, str, int]]) -> None:
    text = text[:2500]
    for place, piece, removed in changes:
        index = int(place * len(text))
        text = text[:index] + piece + text[index + removed :]
    file, report = read(text)
    assert file.declarations or report.errors or not text.strip()


def test_bodies_that_end_together_are_all_closed() -> None:
    """Found by search: closing an inner body took the outer one off the parser's stack with it."""
    text = OWN[0]
    index = int(0.943359375 * 2500)
    file, report = read(text[:index] + "struct {" + text[index:2500])
    assert file.declarations
    assert report.errors
