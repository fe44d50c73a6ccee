"""Python stubs: for each proto a client and the base of a server, for each type a class (docs/concepts/language.md,
"Generated Python"). The result is formatted as `ruff format` does, and passes `mypy --strict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from idl.compiled import (
    Alias,
    Const,
    Declaration,
    Enum,
    Error,
    Field,
    Proto,
    Schema,
    Struct,
    Type,
    Union,
    Variant,
)
from idl.generators.layout import docstring, documented, indented, quoted, sections
from idl.generators.python_names import (
    IMPORTED,
    Names,
    argument_name,
    declaration_name,
    error_field_name,
    field_name,
    member_name,
)
from idl.generators.python_protos import Protos
from idl.generators.python_types import Types, references

ARRAY = "msgspec.Struct, array_like=True, frozen=True"


def generate(schema: Schema, source: str, ours: Callable[[str], bool]) -> str:
    """The module of a library. `source` is its file's name, for the banner; `ours` tells which libraries come with
    Glow: their modules are in firefly.interfaces, all others beside this one. Raises NameClash."""
    return _Module(schema, source, ours).text()


class _Module:
    def __init__(self, schema: Schema, source: str, ours: Callable[[str], bool]) -> None:
        self.schema = schema
        self.source = source
        self.ours = ours
        self.types = Types(schema)
        self.names = Names()
        self.protos = Protos(self.types, self.names)

    def text(self) -> str:
        for name in sorted(IMPORTED):
            self.names.claim(name, "the generated module")
        body = [self._declaration(declaration) for declaration in self._ordered()]
        body += self.protos.rest()
        hidden = [f"_{name} = {name}" for name in sorted(self.types.hidden)]
        code = "\n".join(sections([*body, hidden, self._schema()])) + "\n"
        return "\n".join([*self._head(code), "", ""]) + "\n" + code

    def _head(self, code: str) -> list[str]:
        lines = [
            f"# Made from {self.source} by `glow idl generate`. Change that file, not this one.",
            '# mypy: disable-error-code="no-any-return"',
            "# ruff: noqa",
            *docstring(self.schema.doc or f"The library {self.schema.library}."),
            "",
            "from __future__ import annotations",
            "",
        ]
        standard = _imports(code, "collections.abc", ("Awaitable",))
        standard += _imports(code, "datetime", ("datetime",))
        standard += _imports(code, "typing", ("Annotated", "ClassVar", "Final", "TypeAlias"))
        used = [name for name in ("errors", "runtime", "scalars", "variants") if f"{name}." in code]
        ours = [f"from firefly import {', '.join(used)}"] if used else []
        theirs: list[str] = []
        for library, name in sorted(self.types.imported.items()):
            module = library.rpartition(".")[2]
            (ours if self.ours(library) else theirs).append(
                f"from {'firefly.interfaces' if self.ours(library) else '.'} import {module} as {name}"
            )
        groups = [standard, ["import msgspec"] if "msgspec." in code else [], ours, theirs]
        for group in filter(None, groups):
            lines += [*group, ""]
        return lines[:-1]

    def _ordered(self) -> Iterable[Declaration]:
        """The library's declarations, each after those that its code needs when it runs."""
        done: set[str] = set()
        ordered: list[Declaration] = []

        def place(declaration: Declaration) -> None:
            if declaration.name in done or declaration.library != self.schema.library:
                return
            done.add(declaration.name)
            for name in self._needs(declaration):
                place(self.types.declarations[name])
            ordered.append(declaration)

        for declaration in self.schema.declarations:
            place(declaration)
        return ordered

    def _needs(self, declaration: Declaration) -> Iterable[str]:
        if isinstance(declaration, Alias):
            yield from references(declaration.type)
        elif isinstance(declaration, Proto):
            yield from declaration.bases
            for method in declaration.methods:
                yield from self._in_defaults(method.arguments)
        elif isinstance(declaration, Struct | Error):
            yield from self._in_defaults(declaration.fields)
            if isinstance(declaration, Struct) and declaration.variant_of:
                yield declaration.variant_of
        elif isinstance(declaration, Const):
            yield from references(declaration.type)

    def _in_defaults(self, fields: Iterable[Field]) -> Iterable[str]:
        for field in fields:
            if field.default:
                yield from references(field.type)

    def _declaration(self, declaration: Declaration) -> list[str]:
        self.types.members = set()
        if isinstance(declaration, Proto):
            return self.protos.client(declaration)
        if isinstance(declaration, Struct) and declaration.variant_of:
            return []
        name = self.names.claim(declaration_name(declaration.simple), declaration)
        if isinstance(declaration, Alias):
            return [*self._before_alias(declaration.type), f"{name}: TypeAlias = {self.types.wire(declaration.type)}",
                    *docstring(declaration.doc)]  # fmt: skip
        if isinstance(declaration, Const):
            value = self.types.value(declaration.type, declaration.value)
            return [f"{name}: Final[{self.types.hint(declaration.type)}] = {value}", *docstring(declaration.doc)]
        if isinstance(declaration, Struct):
            return self._struct(name, declaration.doc, declaration.fields)
        if isinstance(declaration, Enum):
            return self._enum(name, declaration)
        if isinstance(declaration, Union):
            return self._union(name, declaration)
        assert isinstance(declaration, Error)
        return self._error(name, declaration)

    def _before_alias(self, kind: Type) -> list[str]:
        return self.protos.intersections(kind)

    def _struct(self, name: str, doc: str, fields: Iterable[Field]) -> list[str]:
        self.types.members = {field_name(field.name) for field in fields}
        body = [line for field in fields for line in self._field(field_name(field.name), field)]
        return _class(f"class {name}({ARRAY}):", doc, body)

    def _field(self, name: str, field: Field, of_variant: bool = False) -> list[str]:
        shown = f"{name}: {self.types.wire(field.type)}{self.types.field_default(field, of_variant)}"
        return [shown, *docstring(documented(field))]

    def _enum(self, name: str, enum: Enum) -> list[str]:
        body = []
        for member in enum.members:
            body += [f"{member_name(member.name)} = {member.value}", *docstring(documented(member))]
        return _class(f"class {name}(runtime.OpenEnum):", documented(enum), body)

    def _union(self, name: str, union: Union) -> list[str]:
        parts = [_class(f"class {name}(variants.OpenUnion):", documented(union), [])]
        parts += [self._variant(name, variant) for variant in union.variants]
        rest = self.names.claim(f"{union.simple}Unknown", union.name + " (what it does not know)")
        doc = f"A variant of {name} that this version does not know."
        body = ["ordinal: int", "body: object"]
        parts.append(["@variants.unknown", *_class(f"class {rest}({name}):", doc, body)])
        return sections(parts)

    def _variant(self, union: str, variant: Variant) -> list[str]:
        simple = union.rstrip("_") + "".join(part[:1].upper() + part[1:] for part in variant.name.split("_"))
        name = self.names.claim(simple, f"{union}.{variant.name}")
        struct = self.types.declarations.get(variant.type.name) if variant.type is not None else None
        inline = isinstance(struct, Struct) and bool(struct.variant_of)
        body: list[str] = []
        self.types.members = set()
        if inline:
            assert isinstance(struct, Struct)
            self.types.members = {field_name(field.name) for field in struct.fields}
            body = [line for field in struct.fields for line in self._field(field_name(field.name), field, True)]
        elif variant.type is not None:
            self.types.members = {"value"}
            body = [f"value: {self.types.wire(variant.type)}"]
        decorator = f"@variants.variant({variant.ordinal}{', inline=True' if inline else ''})"
        return [decorator, *_class(f"class {name}({union}):", documented(variant), body)]

    def _error(self, name: str, error: Error) -> list[str]:
        body_name = self.names.claim(f"_{error.simple}Body", error.name + " (its body)")
        names = [error_field_name(field.name) for field in error.fields]
        self.types.members = set(names)
        fields = [line for own, field in zip(names, error.fields, strict=True) for line in self._field(own, field)]
        body = _class(f"class {body_name}({ARRAY}):", "", fields)
        lines = [f"code = 0x{error.code:08X}", f"name = {quoted(error.name)}", f"Body = {body_name}"]
        lines += [""] if names else []
        for own, field in zip(names, error.fields, strict=True):
            lines += [f"{own}: {self.types.hint(field.type)}", *docstring(documented(field))]
        lines += ["", *self._constructor(names, error.fields)]
        base = "variants.UnionError" if self.types.holds_union(error) else "errors.DeclaredError"
        return sections([body, _class(f"class {name}({base}):", documented(error), lines)])

    def _constructor(self, names: list[str], fields: Iterable[Field]) -> list[str]:
        arguments = [argument_name(name) for name in names]
        shown = ["self"]
        for name, field in zip(arguments, fields, strict=True):
            default = f" = {self.types.value(field.type, field.default[0])}" if field.default else ""
            shown.append(f"{name}: {self.types.hint(field.type)}{default}")
        return [
            *self.protos.signature("def __init__(", shown, ") -> None:"),
            f"    super().__init__({', '.join(arguments)})",
            *(f"    self.{name} = {argument}" for name, argument in zip(names, arguments, strict=True)),
        ]

    def _schema(self) -> list[str]:
        text = self.schema.to_json()
        assigned = [f"{name}.schema = SCHEMA" for name in self.protos.classes]
        return ['SCHEMA: Final = rb"""' + text.rstrip("\n"), '"""', *assigned]


def _class(head: str, doc: str, body: list[str]) -> list[str]:
    shown = docstring(doc)
    if shown and body:
        shown = [*shown, ""]
    return [head, *indented([*shown, *body] or ["pass"])]


def _imports(code: str, module: str, names: Iterable[str]) -> list[str]:
    used = [name for name in names if name in code]
    return [f"from {module} import {', '.join(used)}"] if used else []
