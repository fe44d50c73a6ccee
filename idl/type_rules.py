"""Rules for types: names that exist, parameters, bounds, keys, where `Stream` and `void` may stand, no endless ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from idl import scope
from idl.graphs import explore
from idl.loader import Library
from idl.model import (
    Alias,
    Both,
    Const,
    Declaration,
    Enum,
    Error,
    Field,
    Limit,
    Name,
    Named,
    Optional,
    Proto,
    Span,
    Struct,
    TypeExpression,
    Union,
)
from idl.proto_rules import ProtoRules
from idl.report import Report
from idl.scope import Declared
from idl.values import MAX_CHAIN, Typed, size

MAX_SIZE = 2**31 - 1
_NAMED_KINDS = {Alias: "a type", Const: "a constant", Enum: "an enum", Union: "a union", Error: "an error",
                Proto: "a proto"}  # fmt: skip
_FORMS = {
    "Array": "`Array[T]`, `Array[T, N]` or `Array[T, <=N]`",
    "Map": "`Map[K, V]`",
    "Stream": "`Stream[T]`",
    "String": "`String` or `String[<=N]`",
    "Bytes": "`Bytes` or `Bytes[<=N]`, and N raw bytes `Array[byte, N]`",
}
_FIELDS = Callable[[Sequence[Field]], None]


class TypeRules:
    """`fields` checks the fields of an inline struct."""

    def __init__(self, library: Library, report: Report, fields: _FIELDS) -> None:
        self.library = library
        self.report = report
        self.fields = fields

    def _add(self, code: str, span: Span, **details: object) -> bool:
        self.report.add(code, self.library.source, span, **details)
        return False

    # names

    def find(self, name: Name, wanted: str, *kinds: type[Declaration]) -> scope.Meaning:
        """What a name means, reported if that is nothing or not one of `kinds`; None then. Built-ins pass as a type."""
        found = scope.find(self.library, name.text)
        if found is None:
            if name.text not in self.library.file.lost:
                self._add("unknown-name", name.span, name=name.text, hint=self._hint(name.text))
            return None
        if isinstance(found, Declared) and isinstance(found.declaration, kinds):
            return found
        if found == "builtin" and Alias in kinds:
            return found
        kind = "a built-in type" if found == "builtin" else _NAMED_KINDS[type(found.declaration)]
        hint = "an error is declared with `error`" if Error in kinds else "name another, or declare it as one"
        self._add("wrong-kind", name.span, name=name.text, kind=kind, wanted=wanted, hint=hint)
        return None

    def _hint(self, name: str) -> str:
        prefix, _, last = name.rpartition(".")
        if not prefix:
            known = [*self.library.declarations, *scope.BUILTINS]
            elsewhere = [alias for alias, other in self.library.imports.items() if name in other.declarations]
            return f"write `{elsewhere[0]}.{name}`" if elsewhere else scope.suggest(name, known)
        library = scope.find_library(self.library, prefix)
        if library is None:
            return f"`{prefix}` is not imported: add `import` with the name of its library"
        return scope.suggest(last, library.declarations)

    # expressions

    def check(self, expression: TypeExpression, *, stream: bool = False, void: bool = False) -> bool:
        """Whether a type is right. `stream` and `void`: whether these may stand here."""
        if isinstance(expression, Struct):
            self.fields(expression.fields)
            return True
        if isinstance(expression, Both):
            return self._both(expression)
        if isinstance(expression, Optional):
            right = self.check(expression.of)
            if right and isinstance(Typed(self.library, expression.of).resolved().expression, Optional):
                return self._add("double-optional", expression.span)
            return right
        found = self.find(expression.name, "a type", Alias, Enum, Union, Proto)
        if found == "builtin":
            return self._builtin(expression, stream, void)
        if found is not None and expression.parameters:
            return self._add(
                "wrong-parameters", expression.span, name=expression.name.text, form="it without parameters"
            )
        return found is not None

    def _builtin(self, written: Named, stream: bool, void: bool) -> bool:
        name = written.name.text
        if name == "void" and not void:
            return self._add("misplaced-void", written.span)
        if name == "Stream" and not stream:
            return self._add("misplaced-stream", written.span)
        if not self._parameters(written):
            return self._add(
                "wrong-parameters", written.span, name=name, form=_FORMS.get(name, "it without parameters")
            )
        count = {"Array": 1, "Stream": 1, "Map": 2}.get(name, 0)
        parts = [part for part in written.parameters[:count] if not isinstance(part, Limit)]
        right = all(list(map(self.check, parts)))
        if right and name == "Map":
            right = self._key(parts[0])
        return all([right, *(self._size(part) for part in written.parameters[count:])])

    def _parameters(self, written: Named) -> bool:
        """Whether a built-in has parameters of the right number and sort."""
        name, parameters = written.name.text, written.parameters
        if name in scope.BOUNDED:
            return len(parameters) <= 1 and all(isinstance(part, Limit) and not part.exact for part in parameters)
        count = {"Array": 1, "Stream": 1, "Map": 2}.get(name, 0)
        if any(isinstance(part, Limit) for part in parameters[:count]):
            return False
        return len(parameters) == count or (name == "Array" and len(parameters) == 2)

    def _size(self, written: Limit | TypeExpression) -> bool:
        value = size(self.library, written)
        if value is not None and 1 <= value <= MAX_SIZE:
            return True
        span = written.span
        return self._add("bad-bound", span, value=f"`{self.library.source.text[span.start : span.end][:20]}`")

    def _key(self, written: TypeExpression) -> bool:
        key = Typed(self.library, written).resolved()
        declared = key.declared
        if key.builtin in {"String", *scope.INTEGERS} or (declared and isinstance(declared.declaration, Enum)):
            return True
        kind = f"{key.builtin}" if key.builtin else "optional" if isinstance(key.expression, Optional) else "this type"
        return self._add("bad-key", written.span, kind=kind)

    def _both(self, written: Both) -> bool:
        parts: list[Declared] = []
        for part in written.parts:
            found = self.find(part.name, "a proto", Proto) if isinstance(part, Named) else None
            if not isinstance(part, Named):
                self._add("wrong-kind", part.span, name="this", kind="a type", wanted="a proto", hint="name a proto")
            if isinstance(found, Declared):
                parts.append(found)
        return len(parts) == len(written.parts) and ProtoRules(self.library, self.report).joined(parts, written.span)

    # what others ask

    def is_stream(self, expression: TypeExpression) -> bool:
        return Typed(self.library, expression).resolved().builtin == "Stream"

    def is_void(self, expression: TypeExpression) -> bool:
        return Typed(self.library, expression).resolved().builtin == "void"

    def holds_capability(self, expression: TypeExpression) -> bool:
        """Whether a value of this type can have a capability in it."""
        seen: set[str] = set()
        waiting = [Typed(self.library, expression)]
        while waiting:
            here = waiting.pop()
            if isinstance(here.expression, Both):
                return True
            declared = here.declared
            if declared is None:
                waiting += [Typed(here.library, part) for part in _parts(here.expression)]
            elif declared.qualified not in seen:
                seen.add(declared.qualified)
                if isinstance(declared.declaration, Proto):
                    return True
                waiting += [Typed(declared.library, part) for part in _inside(declared.declaration)]
        return False

    def circles(self) -> None:
        """Reports types that are defined by themselves, and structs that contain themselves."""
        self._circles("alias-cycle", self._aliases)
        self._circles("endless", self._contained)

    def _circles(self, code: str, edges: Callable[[Declared], Iterable[Declared]]) -> None:
        known = {
            Declared(self.library, declaration).qualified: Declared(self.library, declaration)
            for declaration in self.library.file.declarations
        }

        def names(name: str) -> Iterable[str]:
            for target in edges(known[name]):
                known[target.qualified] = target
                yield target.qualified

        own = list(known)
        circles, depths = explore(own, names)
        for circle in circles:
            first = known[circle[0]].declaration
            self._add(code, first.name.span, name=first.name.text)
        in_circles = {name for circle in circles for name in circle}
        for name in own:
            if code == "alias-cycle" and depths[name] == MAX_CHAIN and name not in in_circles:
                self._add(code, known[name].declaration.name.span, name=known[name].declaration.name.text)

    def _aliases(self, declared: Declared) -> Iterable[Declared]:
        """What an alias needs to be known before itself."""
        if not isinstance(declared.declaration, Alias):
            return
        waiting = [declared.declaration.type]
        while waiting:
            expression = waiting.pop()
            target = Typed(declared.library, expression).declared
            if target is not None and isinstance(target.declaration, Alias):
                yield target
            if not isinstance(expression, Struct):
                waiting += _parts(expression)

    def _contained(self, declared: Declared) -> Iterable[Declared]:
        """The structs that each value of a struct contains."""
        if not (isinstance(declared.declaration, Alias) and isinstance(declared.declaration.type, Struct)):
            return
        waiting = [Typed(declared.library, declared.declaration.type)]
        while waiting:
            here = waiting.pop().resolved()
            target = here.declared
            if isinstance(here.expression, Struct):
                for field in here.expression.fields:
                    inner = Typed(here.library, field.type)
                    named = _struct_of(inner)
                    if named is None:
                        waiting.append(inner)
                    else:
                        yield named
            elif here.builtin == "Array" and target is None and here.limit()[1]:
                named = _struct_of(here.part(0))
                if named is not None:
                    yield named


def _struct_of(typed: Typed) -> Declared | None:
    """The declaration of the struct that a type names, through aliases."""
    for _ in range(MAX_CHAIN):
        declared = typed.declared
        if declared is None or not isinstance(declared.declaration, Alias):
            return None
        if isinstance(declared.declaration.type, Struct):
            return declared
        typed = Typed(declared.library, declared.declaration.type)
    return None


def _parts(expression: TypeExpression) -> list[TypeExpression]:
    """The types that are written inside a type."""
    if isinstance(expression, Optional):
        return [expression.of]
    if isinstance(expression, Both):
        return list(expression.parts)
    if isinstance(expression, Struct):
        return [field.type for field in expression.fields]
    return [part for part in expression.parameters if not isinstance(part, Limit)]


def _inside(declaration: Declaration) -> list[TypeExpression]:
    """The types that are written inside a declaration of data."""
    if isinstance(declaration, Alias):
        return [declaration.type]
    if isinstance(declaration, Union):
        return [variant.type for variant in declaration.variants if variant.type is not None]
    return []
