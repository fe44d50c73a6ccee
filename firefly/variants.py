"""Unions of the language as Python classes.

A union is a class without instances of its own, each variant a frozen subclass with a decorator that says its number:

    class Shape(OpenUnion): ...

    @variant(1)
    class ShapeCircle(Shape):
        value: Circle

    @variant(2, inline=True)                # its struct is written inside the union
    class ShapeSquare(Shape):
        side: float

    @unknown
    class ShapeUnknown(Shape):
        ordinal: int
        body: object

On the wire it is `[ordinal, body]`. What this version does not know decodes as the class under `@unknown`, with its
ordinal and body, and encodes as it came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar, dataclass_transform, get_type_hints

import msgspec

from firefly.errors import DeclaredError
from firefly.runtime import Union

__all__ = ["OpenUnion", "UnionError", "decode_union", "field", "unknown", "variant"]

V = TypeVar("V", bound="OpenUnion")
_UNKNOWN = -1
"""No variant has this number."""


class _Shape(Generic[V]):
    """How one variant looks on the wire. Its body is its fields if `inline`, else its only field, or nothing."""

    def __init__(self, kind: type[V], ordinal: int, inline: bool) -> None:
        self.kind = kind
        self.ordinal = ordinal
        self.inline = inline
        self.fields = _freeze(kind)
        self.names = tuple(part.name for part in self.fields)

    @cached_property
    def body(self) -> Any:
        """The type of the body. Made when first used, for it may name classes that follow."""
        hints = get_type_hints(self.kind, include_extras=True)
        if not self.inline:
            return hints[self.names[0]] if self.names else type(None)
        fields = [(part.name, hints[part.name], *_default(part)) for part in self.fields]
        return msgspec.defstruct(f"{self.kind.__name__}Body", fields, array_like=True, frozen=True)

    def encode(self, value: V) -> list[Any]:
        held = [getattr(value, name) for name in self.names]
        return [self.ordinal, held if self.inline else held[0] if held else None]

    def decode(self, ordinal: int, body: Any, hook: Callable[[Any, Any], Any]) -> V:
        made = msgspec.convert(body, self.body, dec_hook=hook)
        held = [getattr(made, name) for name in self.names] if self.inline else [made] if self.names else []
        return self._make(*held)

    def _make(self, *held: Any) -> V:
        kind: Callable[..., V] = self.kind
        return kind(*held)


def _default(part: dataclasses.Field[Any]) -> list[Any]:
    """A field's default as msgspec takes it, or nothing."""
    if part.default_factory is not dataclasses.MISSING:
        return [msgspec.field(default_factory=part.default_factory)]
    return [] if part.default is dataclasses.MISSING else [part.default]


def decode_union(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Union):
        return kind.from_wire(value, decode_union)
    raise ValueError(f"no {kind!r} can be made of {value!r}")


class _Bodies:
    """The types of a union's bodies, in which the runtime looks for capabilities."""

    def __get__(self, _: object, owner: type[OpenUnion]) -> tuple[Any, ...]:
        return tuple(shape.body for ordinal, shape in owner._variants.items() if ordinal != _UNKNOWN)


class OpenUnion(Union):
    """Base of the generated unions."""

    bodies: ClassVar = _Bodies()
    _variants: ClassVar[dict[int, _Shape[Any]]]
    _shape: ClassVar[_Shape[Any] | None] = None

    def __init_subclass__(cls, **details: Any) -> None:
        super().__init_subclass__(**details)
        if OpenUnion in cls.__bases__:
            cls._variants = {}

    def to_wire(self) -> list[Any]:
        """`[ordinal, body]`."""
        if self._shape is None:
            raise TypeError(f"{type(self).__name__} itself is no value: make one of its variants")
        return self._shape.encode(self)

    @classmethod
    def from_wire(cls, wire: Any, hook: Callable[[Any, Any], Any] = decode_union) -> Self:
        """The variant of a decoded `[ordinal, body]`; `hook` makes what is inside of other unions and capabilities.

        Raises ValueError, or msgspec.ValidationError if the body is of another type.
        """
        if not isinstance(wire, list | tuple) or len(wire) < 2 or type(wire[0]) is not int:
            raise ValueError(f"a {cls.__name__} is a list of a number and a body")
        shape = cls._variants.get(wire[0]) or cls._variants[_UNKNOWN]
        made = shape.decode(wire[0], wire[1], hook)
        if not isinstance(made, cls):
            raise ValueError(f"{type(made).__name__} is not {cls.__name__}")
        return made


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def variant(ordinal: int, *, inline: bool = False) -> Callable[[type[V]], type[V]]:
    """Makes a subclass of a union its variant number `ordinal`."""

    def make(kind: type[V]) -> type[V]:
        kind._shape = kind._variants[ordinal] = _Shape(kind, ordinal, inline)
        return kind

    return make


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def unknown(kind: type[V]) -> type[V]:
    """Makes a subclass of a union what its unknown variants decode as."""
    kind._shape = kind._variants[_UNKNOWN] = _UnknownShape(kind, _UNKNOWN, False)
    return kind


class _UnknownShape(_Shape[Any]):
    def encode(self, value: Any) -> list[Any]:
        return [value.ordinal, value.body]

    def decode(self, ordinal: int, body: Any, hook: Callable[[Any, Any], Any]) -> Any:
        return self._make(ordinal, body)


def _freeze(kind: type[OpenUnion]) -> tuple[dataclasses.Field[Any], ...]:
    """Gives a class the methods of a frozen dataclass, but not the mark of one: msgspec would encode it as a map."""
    dataclasses.dataclass(frozen=True)(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    del kind.__dataclass_fields__  # type: ignore[attr-defined]
    return fields


class UnionError(DeclaredError):
    """Base of the generated errors that have a union somewhere in their fields."""

    def body(self) -> bytes:
        held = [getattr(self, name) for name in self.Body.__struct_fields__]
        return msgspec.msgpack.encode(held, enc_hook=_encode_union)

    @classmethod
    def from_body(cls, data: bytes) -> DeclaredError:
        """Raises msgspec.DecodeError."""
        body = msgspec.msgpack.decode(data, type=cls.Body, dec_hook=decode_union)
        return cls(*(getattr(body, name) for name in cls.Body.__struct_fields__))


def _encode_union(value: Any) -> list[Any]:
    if isinstance(value, Union):
        return value.to_wire()
    raise TypeError(f"a {type(value).__name__} cannot be sent")
