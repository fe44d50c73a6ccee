"""Python types made at run time from the types of a schema.

A struct becomes a msgspec.Struct, an enum its number, a union a Tagged, a proto a client class. Fields that Python has
no name for get an underscore.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Optional, Self

import msgspec

from firefly import runtime, scalars, schema
from firefly.errors import DeclaredError
from firefly.schema import BadSchema, Schema, Type
from firefly.variants import UnionError, decode_union

_ERROR_NAMES = {"cause", "hint", "message", "retry_after"}
"""What every error has beside the attributes of its class."""


def python_name(name: str) -> str:
    """A name of a schema as the name of an attribute."""
    return f"{name}_" if keyword.iskeyword(name) or name.startswith("__") else name


class Tagged(runtime.Union):
    """A value of a union: the name of its variant, None if this side does not know it, and its body."""

    variants: ClassVar[dict[int, tuple[str, Any]]] = {}
    bodies: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, ordinal: int, name: str | None, body: Any) -> None:
        self.ordinal = ordinal
        self.name = name
        self.body = body

    def to_wire(self) -> list[Any]:
        return [self.ordinal, self.body]

    @classmethod
    def from_wire(cls, wire: Any, hook: Callable[[Any, Any], Any] = decode_union) -> Self:
        if not isinstance(wire, list | tuple) or len(wire) < 2 or type(wire[0]) is not int:
            raise ValueError("a union is a list of a number and a body")
        if wire[0] not in cls.variants:
            return cls(wire[0], None, wire[1])
        name, kind = cls.variants[wire[0]]
        return cls(wire[0], name, msgspec.convert(wire[1], kind, dec_hook=hook))


class Types:
    """The Python types of one schema; `stub` makes the client class of protos."""

    def __init__(self, source: Schema, stub: Callable[[tuple[str, ...]], type[runtime.Stub]]) -> None:
        self.schema = source
        self._stub = stub
        self._made: dict[str, Any] = {}
        self._unfilled: list[Callable[[], None]] = []

    def of(self, kind: Type | None) -> Any:
        """What values of a type are decoded as."""
        if kind is None:
            return type(None)
        made = self._type(kind)
        self._fill()
        return made

    def struct(self, name: str, fields: Iterable[schema.Field]) -> type[msgspec.Struct]:
        """The struct of some fields."""
        made = self._struct(name, tuple(fields))
        self._fill()
        return made

    def error(self, name: str) -> type[DeclaredError]:
        """The exception of a declared error."""
        declared = self.schema.by_name[name]
        assert isinstance(declared, schema.Error)
        if name not in self._made:
            self._made[name] = self._error(declared)
        self._fill()
        made: type[DeclaredError] = self._made[name]
        return made

    def _fill(self) -> None:
        """Gives structs and unions their types, after all names are there: they may lead back to themselves."""
        while self._unfilled:
            self._unfilled.pop()()

    def _type(self, kind: Type) -> Any:
        parts = [self._type(part) for part in kind.of] if kind.kind != "Both" else []
        match kind.kind:
            case "Optional":
                return Optional[parts[0]]  # noqa: UP045 -- `|` does not take every type
            case "Array":
                return _bounded(list[parts[0]], kind)  # type: ignore[valid-type]
            case "Map":
                return dict[parts[0], parts[1]]  # type: ignore[valid-type]
            case "Both":
                return self._stub(tuple(part.name for part in map(self.schema.resolved, kind.of)))
            case "Ref":
                return self._declared(kind.name)
            case "String":
                return _bounded(str, kind)
            case "Bytes":
                return _bounded(bytes, kind)
            case "bool":
                return bool
            case "f32" | "f64" | "Duration":
                return float
        return getattr(scalars, kind.kind)

    def _declared(self, name: str) -> Any:
        if name not in self._made:
            declaration = self.schema.by_name[name]
            match declaration:
                case schema.Alias():
                    self._made[name] = self._type(declaration.type)
                case schema.Enum():
                    self._made[name] = scalars.i64
                case schema.Struct():
                    self._made[name] = self._struct(declaration.simple, declaration.fields)
                case schema.Union():
                    self._made[name] = self._union(declaration)
                case schema.Proto():
                    self._made[name] = self._stub((name,))
                case _:
                    raise BadSchema(f"{name} is no type")
        return self._made[name]

    def _struct(
        self, name: str, fields: tuple[schema.Field, ...], rename: Callable[[str], str] = python_name
    ) -> type[msgspec.Struct]:
        shapes: list[Any] = []
        for field in fields:
            default = [_default(self.default(field))] if field.default else []
            shapes.append((rename(field.name), object, *default))
        made = msgspec.defstruct(name, shapes, array_like=True, frozen=True)
        self._unfilled.append(lambda: self._annotate(made, fields))
        return made

    def _annotate(self, made: type[msgspec.Struct], fields: tuple[schema.Field, ...]) -> None:
        """msgspec looks at the types of a struct when it first decodes one."""
        names = made.__struct_fields__
        made.__annotations__ = {name: self._type(field.type) for name, field in zip(names, fields, strict=True)}

    def _union(self, union: schema.Union) -> type[Tagged]:
        made: type[Tagged] = type(union.simple, (Tagged,), {"variants": {}})

        def fill() -> None:
            for variant in union.variants:
                kind = type(None) if variant.type is None else self._type(variant.type)
                made.variants[variant.ordinal] = (variant.name, kind)
            made.bodies = tuple(kind for _, kind in made.variants.values())

        self._unfilled.append(fill)
        return made

    def _error(self, error: schema.Error) -> type[DeclaredError]:
        body = self._struct(error.simple, error.fields, _error_name)

        def construct(self: DeclaredError, *fields: Any) -> None:
            DeclaredError.__init__(self, *fields)
            vars(self).update(zip(body.__struct_fields__, fields, strict=True))

        members = {"code": error.code, "name": error.name, "Body": body, "__init__": construct}
        return type(error.simple, (UnionError,), members)

    def default(self, field: schema.Field) -> Any:
        """The value of a field's default. Raises BadSchema if it is none of the field's type."""
        return self._value(field.type, field.default[0])

    def _value(self, kind: Type, value: Any) -> Any:
        kind = self.schema.resolved(kind)
        if value is None:
            return None
        if kind.kind == "Optional":
            return self._value(kind.of[0], value)
        if kind.kind == "Bytes" and isinstance(value, str):
            return value.encode()
        if kind.kind == "Array" and isinstance(value, list):
            return [self._value(kind.of[0], item) for item in value]
        if kind.kind == "Map" and isinstance(value, dict):
            text = self.schema.resolved(kind.of[0]).kind == "String"
            try:
                return {key if text else int(key): self._value(kind.of[1], item) for key, item in value.items()}
            except ValueError as error:
                raise BadSchema("a default is no value of its type", cause=str(error)) from None
        return value


def _default(value: Any) -> Any:
    """Each struct gets collections of its own."""
    return msgspec.field(default_factory=lambda: value.copy()) if isinstance(value, list | dict) else value


def _error_name(name: str) -> str:
    return f"{name}_" if name in _ERROR_NAMES or hasattr(DeclaredError, name) else python_name(name)


def _bounded(plain: Any, kind: Type) -> Any:
    if not kind.size and not kind.bound:
        return plain
    return Annotated[plain, msgspec.Meta(min_length=kind.size or None, max_length=kind.size or kind.bound)]
