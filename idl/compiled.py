"""The compiled schema: a library and every declaration that it reaches, with all names, numbers and defaults resolved.

Generators work from it, every generated stub carries it as JSON, and firefly/schema.py reads that JSON: what is written
here must be what is read there. Names are whole (`glow.kv.Entry`); inline structs have been given one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

FORMAT = 1

Value = None | bool | int | float | str | list[Any] | dict[Any, Any]
"""A default or constant: enums by number, bytes as their text, the keys of a map as strings."""


@dataclass(frozen=True, slots=True)
class Type:
    """`kind` is a built-in's name (`int` is i64, `byte` is u8, `Array[byte, N]` is Bytes of `size` N), or Optional,
    Both (a capability that is each of `of`), or Ref (the declaration `name`).

    `size` is an exact length, `bound` the longest; 0 means none is given.
    """

    kind: str
    of: tuple[Type, ...] = ()
    name: str = ""
    size: int = 0
    bound: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A field or an argument. `default` is a tuple of the one default, or empty."""

    name: str
    type: Type
    doc: str = ""
    default: tuple[Value, ...] = ()
    scope: bool = False
    since: int = 0
    deprecated: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    value: int
    doc: str = ""
    since: int = 0
    deprecated: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    ordinal: int
    type: Type | None = None
    doc: str = ""
    since: int = 0
    deprecated: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """`path` is the text whose hash `selector` is; `result` is None for void."""

    name: str
    path: str
    selector: int
    arguments: tuple[Field, ...] = ()
    result: Type | None = None
    throws: tuple[str, ...] = ()
    notify: bool = False
    idempotent: bool = False
    doc: str = ""
    since: int = 0
    deprecated: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    name: str
    doc: str = ""
    since: int = 0
    deprecated: str = ""

    @property
    def library(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def simple(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Declaration):
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Const(Declaration):
    type: Type
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Struct(Declaration):
    """`variant_of` is the union whose variant has this struct written inside it."""

    fields: tuple[Field, ...] = ()
    variant_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum(Declaration):
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Union(Declaration):
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(Declaration):
    code: int
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proto(Declaration):
    bases: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """`declarations` are the library's own in their order, then those of others that these need."""

    library: str
    doc: str
    declarations: tuple[Declaration, ...]

    def own(self) -> list[Declaration]:
        return [declaration for declaration in self.declarations if declaration.library == self.library]

    def to_json(self) -> str:
        """One line per declaration, the same for the same schema."""
        head = {"format": FORMAT, "library": self.library, "doc": self.doc}
        lines = [_dump({"kind": type(item).__name__.lower(), **_plain(item)}) for item in self.declarations]
        return _dump(head)[:-1] + ',"declarations":[\n' + ",\n".join(lines) + "\n]}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that say something, as JSON has them."""
    shown: dict[str, Any] = {}
    for part in fields(value):
        held = getattr(value, part.name)
        if part.name in ("default", "value") or held not in ("", 0, (), None, False):
            shown[part.name] = _plain_value(held) if part.name != "default" else list(held)
    if not shown.get("default", True):
        del shown["default"]
    return shown


def _plain_value(held: Any) -> Any:
    if isinstance(held, tuple):
        return [_plain_value(part) for part in held]
    return _plain(held) if hasattr(held, "__dataclass_fields__") else held
