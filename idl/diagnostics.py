"""Every rule of the language that a file can break: one table, from which messages, fixes and their tests come.

A bad example is the text of a file, or several files by name, of which the first is checked.
tests/idl/test_diagnostics.py holds each example against its rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Example = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`message` says what is wrong, `fix` how to mend it; `{…}` in them is filled in by who reports."""

    code: str
    message: str
    fix: str
    bad: tuple[Example, ...]
    warning: bool = False


_L = "library test\n"

_READING = (
    Rule("unreadable", "{name} cannot be read: {detail}", "check its path", ()),
    Rule("too-large", "{name} is no interface file: {detail}", "split it into libraries", ()),
    Rule("not-utf8", "{name} is no text: {detail}", "save it as UTF-8", ()),
    Rule(
        "syntax", "expected {expected}, found {found}", "{fix}",
        (
            _L + "type A = struct { a int }",
            _L + "proto P { def m(a: int",
            _L + "proto P {\n    def m(): int\ntype A = int",
            _L + "interface P { }",
            _L + "enum E { 1 = A }",
            _L + "type A = { a: int }",
            _L + "type = int",
            _L + "proto P { def m(a: int = ) }",
            _L + "proto P : { }",
            _L + "}",
        ),
    ),
    Rule("stray-character", "`{text}` means nothing here", "{fix}",
         (_L + "type A = int $", _L + "type Ä = int", _L + "proto P { def m() -> int }", _L + "# type A = int")),
    Rule("open-string", "this string has no end on its line", "end it with `\"`", (_L + 'const A: String = "abc\n',)),
    Rule("open-comment", "this comment has no end", "end it with `*/`", (_L + "/* type A = int",)),
    Rule("too-deep", "brackets are nested more than {limit} deep", "name the inner types with `type`",
         (_L + "type A = " + "Array[" * 70 + "int" + "]" * 70, _L + "type A = int" + "?" * 70)),
    Rule("bad-number", "`{text}` is not a number that can be kept", "write it with fewer digits",
         (_L + "const A: u8 = " + "9" * 500, _L + "const A: u8 = 0x_")),
    Rule("bad-escape", "this string has {reason} in it",
         'write a backslash as `\\\\`; the escapes are those of JSON: \\n \\t \\" \\\\ \\u00e9',
         (_L + 'const A: String = "C:\\x"', _L + 'const A: String = "\\ud800"')),
    Rule("lost-documentation", "this documentation stands before nothing that could have it",
         "put it right above a declaration, a member or a method, or begin it with `//`",
         (_L + "type A = int\n/// the end", _L + "proto P { def m() /// does it\n }"), warning=True),
)  # fmt: skip

_FILES = (
    Rule("no-library", "the file names no library, so its own name, {name}, is part of every selector",
         "begin it with `library {name}`", ("type A = int",), warning=True),
    Rule("late-library", "`library` must come first", "move it to the top of the file",
         ("type A = int\nlibrary test",)),
    Rule("two-libraries", "a file is one library", "remove this line, or split the file", (_L + "library other",)),
    Rule("unknown-import", "there is no library {name}",
         "looked in: {searched}; `--include DIR` adds a folder", (_L + "import no.such",)),
    Rule("too-many-imports", "imports lead through more than {nesting} libraries in a row, or {files} in all",
         "import what is needed directly",
         ({"test": _L + "import l0"} | {f"l{i}": f"library l{i}\nimport l{i + 1}" for i in range(40)},)),
    Rule("import-cycle", "libraries import one another in a circle: {circle}",
         "move what they share into a third library",
         ({"test": _L + "import other", "other": "library other\nimport test"}, _L + "import test")),
    Rule("duplicate-import", "something is already imported as `{name}`", "name it with `as`: `import {name} as other`",
         (_L + "import glow.core\nimport glow.core", _L + "import glow.core\nimport glow.kv as core")),
)  # fmt: skip

_NAMES = (
    Rule("duplicate-name", "`{name}` is already declared on line {line}", "rename one of them",
         (_L + "type A = int\nenum A { B = 1 }", _L + "type A = struct { a: int  a: int }",
          _L + "enum E { A = 1  A = 2 }", _L + "union U { 1: a  2: a }", _L + "proto P { def m(a: int, a: int) }",
          _L + "error E { a: int  a: int }")),
    Rule("shadows-builtin", "`{name}` hides the built-in type of that name in this file",
         "rename it unless that is meant", (_L + "type Id = Array[byte, 8]",), warning=True),
    Rule("unknown-name", "there is no type `{name}`", "{hint}",
         (_L + "type A = Sting", _L + "type A = core.Address", _L + "import glow.core\ntype A = core.Nothing",
          _L + "proto P { def m(a: B) }")),
    Rule("wrong-kind", "`{name}` is {kind}, but {wanted} must stand here", "{hint}",
         (_L + "const A: int = 1\ntype B = A", _L + "error E {}\ntype B = E", _L + "type A = int\nproto P : A {}",
          _L + "type A = int\nproto P { def m() throws A }", _L + "type A = int\ntype B = A & A",
          _L + "type A = int\nproto P { def m() throws int }")),
    Rule("unknown-value", "there is no value `{name}`", "{hint}",
         (_L + "const A: int = B", _L + "enum E { A = 1 }\nconst C: E = E.B", _L + "type A = struct { a: int = x.y }")),
)  # fmt: skip

_TYPES = (
    Rule("wrong-parameters", "`{name}` is not written like this", "write {form}",
         (_L + "type A = Array", _L + "type A = Map[String]", _L + "type A = int[3]", _L + "type A = Array[3]",
          _L + "type A = String[3]", _L + "type A = Map[String, int, <=3]", _L + "type B = int\ntype A = B[int]")),
    Rule("bad-bound", "{value} is no size",
         "a size is a whole number from 1 to 2147483647, or the name of such a constant",
         (_L + "type A = String[<=-1]", _L + "type A = Array[int, 0]", _L + "type A = Bytes[<=4294967296]",
          _L + 'const N: String = "a"\ntype A = Array[int, N]')),
    Rule("bad-key", "a map's key cannot be {kind}", "use String, an integer or an enum as key",
         (_L + "type A = Map[f64, int]", _L + "type A = Map[Array[int], int]", _L + "type A = Map[String?, int]",
          _L + "type B = struct {}\ntype A = Map[B, int]")),
    Rule("misplaced-stream", "a Stream can only be an argument or the result of a `def`",
         "make it the type of an argument or of the result itself",
         (_L + "type A = Stream[int]", _L + "type A = struct { a: Stream[int] }",
          _L + "proto P { def m(): Stream[int]? }", _L + "proto P { def m(a: Array[Stream[int]]) }",
          _L + "proto P { msg m(a: Stream[int]) }",
          _L + "proto P { def m(): Stream[Stream[int]] }")),
    Rule("two-streams", "a method has at most one Stream among its arguments",
         "pass both in one stream of a union", (_L + "proto P { def m(a: Stream[int], b: Stream[int]) }",)),
    Rule("misplaced-void", "`void` can only be a result", "leave it out",
         (_L + "type A = struct { a: void }", _L + "proto P { def m(a: void) }", _L + "type A = Array[void]")),
    Rule("double-optional", "this is optional already", "remove one `?`",
         (_L + "type A = int??", _L + "type A = int?\ntype B = A?")),
    Rule("alias-cycle", "`{name}` is defined by itself, or through more than 64 others",
         "give one of them a `struct` with an optional field",
         (_L + "type A = A", _L + "type A = B\ntype B = Array[A]")),
    Rule("endless", "`{name}` contains itself without end", "make the field optional (`?`), or an Array",
         (_L + "type A = struct { a: A }", _L + "type A = struct { b: B }\ntype B = struct { a: A }")),
    Rule("misplaced-capability", "an error carries data, not capabilities", "let a method return the capability",
         (_L + "proto P {}\nerror E { a: P }", _L + "proto P {}\ntype A = struct { p: P }\nerror E { a: Array[A] }")),
)  # fmt: skip

_VALUES = (
    Rule("bad-value", "{value} is no {type}", "{hint}",
         (_L + "const A: u8 = 256", _L + "const A: u8 = 1.5", _L + "const A: bool = 1", _L + "const A: String = 1",
          _L + "type A = struct { a: int = null }", _L + "const A: String[<=2] = \"abc\"",
          _L + "type B = struct { x: int }\ntype A = struct { a: B = 1 }", _L + "const A: Array[int] = 1",
          _L + "enum E { A = 1 }\nconst C: E = \"A\"", _L + "const A: f64 = \"1\"", _L + "const A: i8 = -129",
          _L + "type A = struct { a: Timestamp = 0 }", _L + "const N: int = 1\nconst M: String = N")),
    Rule("value-cycle", "the constant `{name}` is defined by itself, or through more than 64 others",
         "give it a value", (_L + "const A: int = A",)),
    Rule("default-order", "`{name}` has no default, but `{before}` before it has",
         "give it a default too, or move it before `{before}`",
         (_L + "type A = struct { a: int = 1  b: int }", _L + "proto P { def m(a: int = 1, b: int) }")),
    Rule("stream-default", "a stream has no default", "remove it", (_L + "proto P { def m(a: Stream[int] = 1) }",)),
)  # fmt: skip

_DECLARATIONS = (
    Rule("empty", "{kind} `{name}` has no members", "give it one, or remove it",
         (_L + "enum E { }", _L + "union U { }")),
    Rule("duplicate-number", "{number} is already taken by `{other}`", "{hint}",
         (_L + "enum E { A = 1  B = 1 }", _L + "union U { 1: a  1: b }")),
    Rule("bad-ordinal", "{number} cannot be a variant's number", "number variants from 1 to 2147483647",
         (_L + "union U { -1: a }", _L + "union U { 4294967296: a }")),
    Rule("base-cycle", "`{name}` is its own base, or has more than 64 bases in a row",
         "remove one of the bases", (_L + "proto A : B {}\nproto B : A {}",)),
    Rule("duplicate-base", "`{name}` is already a base", "remove it",
         (_L + "proto A {}\nproto B : A, A {}",), warning=True),
    Rule("duplicate-method", "`{name}` is already a method of {owner}", "rename one of them",
         (_L + "proto P { def m()  def m(a: int) }", _L + "proto A { def m() }\nproto B : A { def m() }",
          _L + "proto A { def m() }\nproto B { def m() }\nproto C : A, B {}",
          _L + "proto A { def m() }\nproto B { def m() }\ntype C = A & B")),
    Rule("selector-collision", "`{name}` has the same selector as `{other}`", "rename one of them",
         (_L + 'proto P { def a()  @selector("a") def b() }', _L + "proto P { def m18478()  def m32470() }")),
    Rule("error-collision", "the code of `{name}` is taken by {other}", "rename the error",
         (_L + "error E975\nerror E9747\nproto P { def m() throws E975 | E9747 }",)),
    Rule("message-answers", "a `msg` has no answer, so it cannot have {what}", "make it a `def`",
         (_L + "proto P { msg m(): int }", _L + "error E {}\nproto P { msg m() throws E }")),
    Rule("duplicate-error", "`{name}` is already declared by this method", "remove it",
         (_L + "error E {}\nproto P { def m() throws E | E }",), warning=True),
)  # fmt: skip

_ATTRIBUTES = (
    Rule("unknown-attribute", "there is no attribute `@{name}`",
         "the attributes are @idempotent, @scope, @since, @deprecated and @selector", (_L + "@fast proto P {}",)),
    Rule("misplaced-attribute", "`@{name}` cannot stand before {kind}", "it belongs before {place}",
         (_L + "@idempotent type A = int", _L + "proto P { @scope def m() }", _L + "proto P { @idempotent msg m() }",
          _L + "proto P { def m(@scope a: Stream[int]) }")),
    Rule("bad-attribute", "`@{name}` is not written like this", "write {form}",
         (_L + "proto P { @since def m() }", _L + "proto P { @idempotent(1) def m() }",
          _L + "proto P { @deprecated(1) def m() }", _L + 'proto P { @selector("a b") def m() }')),
    Rule("duplicate-attribute", "`@{name}` stands here twice", "remove one",
         (_L + "proto P { @idempotent @idempotent def m() }",)),
)  # fmt: skip

RULES: dict[str, Rule] = {
    rule.code: rule for rule in (*_READING, *_FILES, *_NAMES, *_TYPES, *_VALUES, *_DECLARATIONS, *_ATTRIBUTES)
}
