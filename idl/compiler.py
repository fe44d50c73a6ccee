"""Checked libraries to compiled schemas."""

from __future__ import annotations

from typing import Any

from idl import compiled, model, scope
from idl.compiled import Schema, Type
from idl.loader import Library
from idl.scope import Declared
from idl.selectors import method_path, number
from idl.values import Typed, evaluate

_PLAIN = {"int": "i64", "byte": "u8"}


def compile_library(library: Library) -> Schema:
    """The schema of a library that the checker found right."""
    compiler = _Compiler()
    for declaration in library.file.declarations:
        compiler.reach(Declared(library, declaration))
    compiler.run()
    made = compiler.made
    own = [part for part in made if part.library == library.name]
    others = sorted((part for part in made if part.library != library.name), key=lambda part: part.name)
    return Schema(library.name, library.document, (*own, *others))


class _Compiler:
    """Compiles declarations until all that they reach are compiled."""

    def __init__(self) -> None:
        self.made: list[compiled.Declaration] = []
        self._seen: set[str] = set()
        self._waiting: list[Declared] = []
        self._library: Library

    def reach(self, declared: Declared) -> str:
        """The whole name of a declaration, which will be compiled too."""
        name = declared.qualified
        if name not in self._seen:
            self._seen.add(name)
            self._waiting.append(declared)
        return name

    def run(self) -> None:
        while self._waiting:
            declared = self._waiting.pop(0)
            self._library = declared.library
            made = getattr(self, f"_{type(declared.declaration).__name__.lower()}")(declared.declaration)
            self.made.append(made)

    # declarations

    def _common(self, element: model.Element) -> dict[str, Any]:
        common: dict[str, Any] = {"doc": element.doc}
        for attribute in element.attributes:
            if attribute.name.text in ("since", "deprecated"):
                common[attribute.name.text] = attribute.values[0].value
        return common

    def _whole(self, element: model.Element) -> dict[str, Any]:
        return {"name": f"{self._library.name}.{element.name.text}", **self._common(element)}

    def _alias(self, alias: model.Alias) -> compiled.Declaration:
        if isinstance(alias.type, model.Struct):
            return compiled.Struct(**self._whole(alias), fields=self._fields(alias.type.fields, alias.name.text))
        return compiled.Alias(**self._whole(alias), type=self.type(alias.type, alias.name.text))

    def _const(self, const: model.Const) -> compiled.Declaration:
        value = evaluate(Typed(self._library, const.type), const.value, self._library)
        return compiled.Const(**self._whole(const), type=self.type(const.type, const.name.text), value=value)

    def _enum(self, enum: model.Enum) -> compiled.Declaration:
        members = tuple(
            compiled.Member(member.name.text, int(member.value.value), **self._common(member))  # type: ignore[arg-type]
            for member in enum.members
        )
        return compiled.Enum(**self._whole(enum), members=members)

    def _union(self, union: model.Union) -> compiled.Declaration:
        name = union.name.text
        variants = tuple(self._variant(variant, name) for variant in union.variants)
        return compiled.Union(**self._whole(union), variants=variants)

    def _variant(self, variant: model.Variant, union: str) -> compiled.Variant:
        made = None
        if isinstance(variant.type, model.Struct):
            whole = f"{self._library.name}.{union}"
            made = self._inline(variant.type, union + camel(variant.name.text), variant_of=whole)
        elif variant.type is not None:
            made = self.type(variant.type, union + camel(variant.name.text))
        return compiled.Variant(variant.name.text, variant.ordinal, made, **self._common(variant))

    def _error(self, error: model.Error) -> compiled.Declaration:
        whole = self._whole(error)
        return compiled.Error(**whole, code=number(whole["name"]), fields=self._fields(error.fields, error.name.text))

    def _proto(self, proto: model.Proto) -> compiled.Declaration:
        bases = tuple(dict.fromkeys(self._named(base.text) for base in proto.bases))
        methods = tuple(self._method(method, proto.name.text) for method in proto.methods)
        return compiled.Proto(**self._whole(proto), bases=bases, methods=methods)

    def _method(self, method: model.Method, proto: str) -> compiled.Method:
        path = method_path(self._library.name, proto, method)
        prefix = proto + camel(method.name.text)
        result = None if method.result is None else self.type(method.result, prefix + "Result")
        return compiled.Method(
            name=method.name.text,
            path=path,
            selector=number(path),
            arguments=self._fields(method.arguments, prefix),
            result=None if result is not None and result.kind == "void" else result,
            throws=tuple(dict.fromkeys(self._named(error.text) for error in method.throws)),
            notify=method.notify,
            idempotent=any(attribute.name.text == "idempotent" for attribute in method.attributes),
            **self._common(method),
        )

    def _fields(self, written: tuple[model.Field, ...], owner: str) -> tuple[compiled.Field, ...]:
        return tuple(self._field(field, owner) for field in written)

    def _field(self, field: model.Field, owner: str) -> compiled.Field:
        default: tuple[compiled.Value, ...] = ()
        if field.default is not None:
            default = (evaluate(Typed(self._library, field.type), field.default, self._library),)
        return compiled.Field(
            field.name.text,
            self.type(field.type, owner + camel(field.name.text)),
            default=default,
            scope=any(attribute.name.text == "scope" for attribute in field.attributes),
            **self._common(field),
        )

    # types

    def type(self, expression: model.TypeExpression, owner: str) -> Type:
        """`owner` is what an inline struct in it is called after."""
        if isinstance(expression, model.Optional):
            return Type("Optional", (self.type(expression.of, owner),))
        if isinstance(expression, model.Both):
            return Type("Both", tuple(self.type(part, owner) for part in expression.parts))
        if isinstance(expression, model.Struct):
            return self._inline(expression, owner)
        typed = Typed(self._library, expression)
        if typed.declared is not None:
            return Type("Ref", name=self.reach(typed.declared))
        limit, exact = typed.limit() if typed.builtin in {"Array", *scope.BOUNDED} else (None, False)
        size, bound = (limit or 0, 0) if exact else (0, limit or 0)
        if typed.raw():
            return Type("Bytes", size=size)
        count = {"Array": 1, "Map": 2, "Stream": 1}.get(typed.builtin, 0)
        parts = tuple(self.type(typed.part(index).expression, owner + "Item") for index in range(count))
        return Type(_PLAIN.get(typed.builtin, typed.builtin), parts, size=size, bound=bound)

    def _named(self, name: str) -> str:
        found = scope.find(self._library, name)
        assert isinstance(found, Declared), f"{name} was not checked"
        return self.reach(found)

    def _inline(self, struct: model.Struct, owner: str, variant_of: str = "") -> Type:
        """Declares a struct without a name of its own under a derived one."""
        simple = owner
        while f"{self._library.name}.{simple}" in self._seen or simple in self._library.declarations:
            simple += "_"
        name = f"{self._library.name}.{simple}"
        self._seen.add(name)
        fields = self._fields(struct.fields, simple)
        self.made.append(compiled.Struct(name=name, fields=fields, variant_of=variant_of))
        return Type("Ref", name=name)


def camel(name: str) -> str:
    """`round_trip` as part of a type's name: `RoundTrip`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
