"""Types and values of a schema as Python writes them."""

from __future__ import annotations

from collections.abc import Iterator

from idl.compiled import Alias, Enum, Error, Field, Proto, Schema, Struct, Type, Union, Value
from idl.generators.layout import quoted
from idl.generators.python_names import declaration_name, member_name, module_name

_HINTS = {"bool": "bool", "f32": "float", "f64": "float", "Duration": "float", "String": "str", "Bytes": "bytes",
          "Id": "bytes", "Timestamp": "datetime", "void": "None"}  # fmt: skip
_WIRES = {"bool": "bool", "f32": "float", "f64": "float", "Duration": "float", "String": "str", "Bytes": "bytes"}


class Types:
    """Renders types for one module and notes what they need.

    Inside a class whose members hide a name (`def list`), `members` holds their names, and types go by a private alias
    (`_list`), which the module defines at its end.
    """

    def __init__(self, schema: Schema) -> None:
        self.library = schema.library
        self.declarations = {declaration.name: declaration for declaration in schema.declarations}
        self.members: set[str] = set()
        self.hidden: set[str] = set()
        self.imported: dict[str, str] = {}
        self.intersections: dict[tuple[str, ...], str] = {}
        libraries = sorted({declaration.library for declaration in schema.declarations} - {schema.library})
        short = [module_name(library) for library in libraries]
        self._modules = {
            library: "_" + (name if short.count(name) == 1 else library.replace(".", "_"))
            for library, name in zip(libraries, short, strict=True)
        }

    def reference(self, whole: str, suffix: str = "") -> str:
        """The Python name of a declaration; `suffix` makes it that of a class derived from it."""
        library, _, simple = whole.rpartition(".")
        name = simple + suffix if suffix else declaration_name(simple)
        if library == self.library:
            return self.visible(name)
        module = self.imported[library] = self._modules[library]
        return f"{module}.{name}"

    def visible(self, name: str) -> str:
        """A name of the module as it must be written here."""
        if name in self.members:
            self.hidden.add(name)
            return f"_{name}"
        return name

    def hint(self, kind: Type, send: bool = False) -> str:
        """What an editor shows. Where a value is sent, a capability may also be a server of one's own."""
        if kind.kind == "Optional":
            return f"{self.hint(kind.of[0], send)} | None"
        if kind.kind in ("Array", "Map"):
            container = self.visible("list" if kind.kind == "Array" else "dict")
            return f"{container}[{', '.join(self.hint(part, send) for part in kind.of)}]"
        if kind.kind == "Both":
            name = self.intersection(kind)
            return f"{name} | {name}Server" if send else name
        if kind.kind != "Ref":
            return self.visible(_HINTS.get(kind.kind, "int"))
        declaration = self.declarations[kind.name]
        if send and isinstance(declaration, Proto):
            return f"{self.reference(kind.name)} | {self.reference(kind.name, 'Server')}"
        if send and isinstance(declaration, Alias) and self._capable(declaration.type):
            return self.hint(declaration.type, send)
        return self.reference(kind.name)

    def _capable(self, kind: Type) -> bool:
        """Whether a protocol's name stands in a type, or in an alias in it."""
        if kind.kind == "Ref":
            declaration = self.declarations[kind.name]
            return isinstance(declaration, Proto) or (
                isinstance(declaration, Alias) and self._capable(declaration.type)
            )
        return kind.kind == "Both" or any(map(self._capable, kind.of))

    def wire(self, kind: Type) -> str:
        """What msgspec decodes by: with bounds."""
        if kind.kind == "Optional":
            return f"{self.wire(kind.of[0])} | None"
        if kind.kind == "Both":
            return self.intersection(kind)
        if kind.kind == "Ref":
            return self.reference(kind.name)
        if kind.kind in ("Array", "Map"):
            container = self.visible("list" if kind.kind == "Array" else "dict")
            plain = f"{container}[{', '.join(map(self.wire, kind.of))}]"
        elif kind.kind in _WIRES:
            plain = self.visible(_WIRES[kind.kind])
        else:
            return f"{self.visible('scalars')}.{kind.kind}"
        return self._bounded(kind, plain)

    def _bounded(self, kind: Type, plain: str) -> str:
        lengths = [f"min_length={kind.size}"] if kind.size else []
        lengths += [f"max_length={kind.size or kind.bound}"] if kind.size or kind.bound else []
        if not lengths:
            return plain
        return f"{self.visible('Annotated')}[{plain}, {self.visible('msgspec')}.Meta({', '.join(lengths)})]"

    def intersection(self, kind: Type) -> str:
        """The class of `A & B`, which the module then defines."""
        parts = tuple(sorted({part.name for part in map(self.resolved, kind.of)}))
        name = "And".join(part.rpartition(".")[2] for part in parts)
        return self.visible(self.intersections.setdefault(parts, name))

    def resolved(self, kind: Type) -> Type:
        """The type behind all aliases."""
        while kind.kind == "Ref":
            declaration = self.declarations[kind.name]
            if not isinstance(declaration, Alias):
                break
            kind = declaration.type
        return kind

    def value(self, kind: Type, value: Value) -> str:
        """A default or a constant."""
        kind = self.resolved(kind)
        if kind.kind == "Optional" and value is not None:
            return self.value(kind.of[0], value)
        if isinstance(value, list):
            return f"[{', '.join(self.value(kind.of[0], item) for item in value)}]"
        if isinstance(value, dict):
            pairs = (f"{self._key(kind.of[0], key)}: {self.value(kind.of[1], item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, str):
            return quoted(value.encode() if kind.kind == "Bytes" else value)
        if kind.kind == "Ref" and isinstance(value, int):
            return self._member(kind.name, value)
        return repr(value)

    def holds_union(self, error: Error) -> bool:
        """Whether a union stands anywhere in the fields of an error."""
        seen: set[str] = set()
        waiting = [name for field in error.fields for name in references(field.type)]
        while waiting:
            declaration = self.declarations[waiting.pop()]
            if isinstance(declaration, Union):
                return True
            if declaration.name not in seen:
                seen.add(declaration.name)
                inside = [declaration.type] if isinstance(declaration, Alias) else []
                inside += [field.type for field in declaration.fields] if isinstance(declaration, Struct) else []
                waiting += [name for kind in inside for name in references(kind)]
        return False

    def field_default(self, field: Field, of_variant: bool = False) -> str:
        """` = …` for a field of a class, or nothing. Each value gets collections of its own."""
        if not field.default:
            return ""
        value = self.value(field.type, field.default[0])
        if not isinstance(field.default[0], list | dict) or not (field.default[0] or of_variant):
            return f" = {value}"
        return f" = {self.visible('variants' if of_variant else 'msgspec')}.field(default_factory=lambda: {value})"

    def _key(self, kind: Type, key: str) -> str:
        return self.value(kind, key if self.resolved(kind).kind == "String" else int(key))

    def _member(self, name: str, value: int) -> str:
        enum = self.declarations[name]
        assert isinstance(enum, Enum)
        for member in enum.members:
            if member.value == value:
                return f"{self.reference(name)}.{member_name(member.name)}"
        return f"{self.reference(name)}({value})"

    def canonical(self, names: tuple[str, ...]) -> list[str]:
        """Bases without those that others of them have anyway, the most derived first: an order Python always takes."""
        needless = {base for name in names for base in self.ancestors(name)} - {
            name for name in names if all(name not in self.ancestors(other) for other in names)
        }
        kept = [name for name in names if name not in needless]
        return sorted(kept, key=lambda name: (-len(self.ancestors(name)), name)) if len(kept) > 1 else kept

    def ancestors(self, name: str) -> set[str]:
        """Every protocol that this one derives from."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            proto = self.declarations[waiting.pop()]
            assert isinstance(proto, Proto)
            waiting += [base for base in proto.bases if base not in found]
            found.update(proto.bases)
        return found


def references(kind: Type) -> Iterator[str]:
    """The names of all declarations in a type."""
    if kind.kind == "Ref":
        yield kind.name
    for part in kind.of:
        yield from references(part)
