"""The rules of the language for one library; what they are is written in idl/diagnostics.py.

The checker says all that is wrong at once and never stops early. What depends on something that is itself wrong is not
reported a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from idl import scope
from idl.attribute_rules import check_attributes
from idl.loader import Library, Loader
from idl.model import (
    Alias,
    Const,
    Declaration,
    Element,
    Enum,
    Error,
    Field,
    Method,
    Name,
    Proto,
    Span,
    Union,
)
from idl.proto_rules import ProtoRules
from idl.report import Report
from idl.scope import Declared
from idl.selectors import number
from idl.type_rules import TypeRules
from idl.values import BadValue, Typed, evaluate

MAX_ORDINAL = 2**31 - 1
_KINDS = {Alias: "type", Const: "const", Enum: "enum", Union: "union", Error: "error", Proto: "proto"}


def check(library: Library, report: Report) -> None:
    """Reports what is wrong with a library, but not with those that it imports."""
    _Checker(library, report).run()


def check_files(paths: Iterable[Path], report: Report, folders: Sequence[Path] = ()) -> list[Library]:
    """Reads files with all that they import, and checks them all; `folders` are searched for imports too.

    Returns the libraries of those paths that could be read at all.
    """
    loader = Loader(report, folders)
    libraries = [loader.load(path) for path in paths]
    for library in loader.libraries:
        check(library, report)
    return [library for library in dict.fromkeys(libraries) if library is not None]


class _Checker:
    def __init__(self, library: Library, report: Report) -> None:
        self.library = library
        self.report = report
        self.types = TypeRules(library, report, self.fields)
        self.protos = ProtoRules(library, report)

    def add(self, code: str, span: Span, **details: object) -> None:
        self.report.add(code, self.library.source, span, **details)

    def run(self) -> None:
        declarations = self.library.file.declarations
        if not self.library.file.readable:
            return
        self._head()
        self._unique(declarations)
        self._shadows(declarations)
        self.protos.circles()
        for declaration in declarations:
            self._attributes(_KINDS[type(declaration)], declaration)
            getattr(self, f"_{type(declaration).__name__.lower()}")(declaration)
        self.types.circles()

    # the file

    def _head(self) -> None:
        file = self.library.file
        if not file.libraries:
            self.add("no-library", Span(0, 0), name=self.library.name)
        elif file.first is not file.libraries[0]:
            self.add("late-library", file.libraries[0].span)
        for second in file.libraries[1:]:
            self.add("two-libraries", second.span)
        for statement in (*file.libraries, *file.imports):
            self._attributes("library" if statement in file.libraries else "import", statement)

    def _shadows(self, declarations: Iterable[Declaration]) -> None:
        for declaration in declarations:
            if declaration.name.text in scope.BUILTINS:
                self.add("shadows-builtin", declaration.name.span, name=declaration.name.text)

    def _unique(self, elements: Sequence[Element]) -> None:
        first: dict[str, Element] = {}
        for element in elements:
            other = first.setdefault(element.name.text, element)
            if other is not element:
                line, _ = self.library.source.place(other.name.span)
                self.add("duplicate-name", element.name.span, name=element.name.text, line=line)

    def _attributes(self, kind: str, element: Element) -> None:
        check_attributes(self.library.source, self.report, kind, element)

    # declarations

    def _alias(self, alias: Alias) -> None:
        self.types.check(alias.type)

    def _const(self, const: Const) -> None:
        if self.types.check(const.type):
            self._value(Typed(self.library, const.type), const)

    def _value(self, wanted: Typed, element: Const | Field) -> None:
        literal = element.value if isinstance(element, Const) else element.default
        if literal is None:
            return
        try:
            evaluate(wanted, literal, self.library)
        except BadValue as error:
            if error.code and error.details.get("name") not in self.library.file.lost:
                self.add(error.code, error.literal.span, **error.details)

    def _enum(self, enum: Enum) -> None:
        self._unique(enum.members)
        self._not_empty("enum", enum, enum.members)
        taken: dict[int, str] = {}
        for member in enum.members:
            self._attributes("member", member)
            value = member.value.value
            if type(value) is not int or not -(2**63) <= value < 2**63:
                self.add("bad-value", member.value.span, value=self._text(member.value.span), type="number of a member",
                         hint="write a whole number of at most 64 bits")  # fmt: skip
            elif taken.setdefault(value, member.name.text) != member.name.text:
                self.add("duplicate-number", member.value.span, number=value, other=taken[value],
                         hint="give it another number")  # fmt: skip

    def _union(self, union: Union) -> None:
        self._unique(union.variants)
        self._not_empty("union", union, union.variants)
        taken: dict[int, str] = {}
        for variant in union.variants:
            self._attributes("variant", variant)
            if not 1 <= variant.ordinal <= MAX_ORDINAL:
                self.add("bad-ordinal", variant.span, number=variant.ordinal)
            elif taken.setdefault(variant.ordinal, variant.name.text) != variant.name.text:
                self.add("duplicate-number", variant.span, number=variant.ordinal, other=taken[variant.ordinal],
                         hint="number each variant anew, and never reuse the number of a removed one")  # fmt: skip
            if variant.type is not None:
                self.types.check(variant.type)

    def _not_empty(self, kind: str, element: Element, members: Sequence[Element]) -> None:
        if not members and not self.library.file.lost:
            self.add("empty", element.name.span, kind=kind, name=element.name.text)

    def _error(self, error: Error) -> None:
        self.fields(error.fields)
        for field in error.fields:
            if self.types.holds_capability(field.type):
                self.add("misplaced-capability", field.type.span)
        code = number(f"{self.library.name}.{error.name.text}")
        if code < 256:
            self.add("error-collision", error.name.span, name=error.name.text, other="the system's errors")

    def fields(self, fields: Sequence[Field], kind: str = "field") -> None:
        """Fields of a struct or an error, or arguments."""
        self._unique(fields)
        earlier = ""
        for field in fields:
            stream = kind != "field" and self.types.is_stream(field.type)
            self._attributes("stream" if stream else kind, field)
            right = self.types.check(field.type, stream=kind == "argument")
            if field.default is not None:
                earlier = field.name.text
                if stream:
                    self.add("stream-default", field.default.span)
                elif right:
                    self._value(Typed(self.library, field.type), field)
            elif earlier:
                self.add("default-order", field.name.span, name=field.name.text, before=earlier)

    # protos

    def _proto(self, proto: Proto) -> None:
        for method in proto.methods:
            self._method(method)
        self.protos.check(proto)

    def _method(self, method: Method) -> None:
        self._attributes("msg" if method.notify else "def", method)
        self.fields(method.arguments, "message argument" if method.notify else "argument")
        streams = [field for field in method.arguments if self.types.is_stream(field.type)]
        for field in streams[1:]:
            self.add("two-streams", field.span)
        if method.result is not None:
            if method.notify and not self.types.is_void(method.result):
                self.add("message-answers", method.result.span, what="a result")
            self.types.check(method.result, stream=not method.notify, void=True)
        if method.notify and method.throws:
            self.add("message-answers", method.throws[0].span, what="errors")
        self._throws(method.throws)

    def _throws(self, names: Iterable[Name]) -> None:
        taken: dict[int, str] = {}
        for name in names:
            found = self.types.find(name, "an error", Error)
            if not isinstance(found, Declared):
                continue
            code = number(found.qualified)
            other = taken.get(code)
            if other == found.qualified:
                self.add("duplicate-error", name.span, name=name.text)
            elif other is not None:
                self.add("error-collision", name.span, name=name.text, other=other)
            taken[code] = found.qualified

    def _text(self, span: Span) -> str:
        return f"`{self.library.source.text[span.start : span.end][:20]}`"
