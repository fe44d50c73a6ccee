"""The compiled interface of a resource: what `describe` answers and every stub carries (docs/concepts/language.md).

It is JSON, complete in itself: a library and every declaration it needs from others. idl/compiled.py writes it. A
schema comes from whoever owns a resource, so `load` believes nothing: after it every name leads to a declaration of the
right kind, and nothing goes round in circles or deeper than MAX_DEPTH.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import msgspec

from firefly.errors import GlowError

FORMAT = 1
MAX_SIZE = 1 << 20
"""Bytes."""
MAX_DECLARATIONS = 4096
MAX_DEPTH = 128
"""Types in types, aliases followed; bases of bases."""
INTEGERS = frozenset(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64))
SCALARS = INTEGERS | {"bool", "f32", "f64", "String", "Bytes", "Id", "Timestamp", "Duration"}
_PARTS = {"Optional": 1, "Array": 1, "Stream": 1, "Map": 2}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


class BadSchema(GlowError):
    """A compiled interface breaks its rules."""


class Type(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind` is a built-in's name, `Optional`, `Both` (each of `of`) or `Ref` (the declaration `name`).

    `size` is an exact length, `bound` the longest; 0: none is given. N raw bytes are `Bytes` of `size` N.
    """

    kind: str
    of: tuple[Type, ...] = ()
    name: str = ""
    size: int = 0
    bound: int = 0


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field or an argument. `default` holds the one default, or nothing: enums by number, bytes as text."""

    name: str
    type: Type
    doc: str = ""
    default: tuple[Any, ...] = ()
    scope: bool = False
    since: int = 0
    deprecated: str = ""


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    value: int
    doc: str = ""
    since: int = 0
    deprecated: str = ""


class Variant(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    ordinal: int
    type: Type | None = None
    doc: str = ""
    since: int = 0
    deprecated: str = ""


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """`path` is the text whose hash `selector` is. A `result` of None is void."""

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


class _Declaration(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="kind", tag=str.lower):
    name: str
    doc: str = ""
    since: int = 0
    deprecated: str = ""

    @property
    def simple(self) -> str:
        """The name inside its library."""
        return self.name.rpartition(".")[2]


class Alias(_Declaration, frozen=True, kw_only=True):
    type: Type


class Const(_Declaration, frozen=True, kw_only=True):
    type: Type
    value: Any


class Struct(_Declaration, frozen=True, kw_only=True):
    fields: tuple[Field, ...] = ()
    variant_of: str = ""


class Enum(_Declaration, frozen=True, kw_only=True):
    members: tuple[Member, ...] = ()


class Union(_Declaration, frozen=True, kw_only=True):
    variants: tuple[Variant, ...] = ()


class Error(_Declaration, frozen=True, kw_only=True):
    code: int
    fields: tuple[Field, ...] = ()


class Proto(_Declaration, frozen=True, kw_only=True):
    bases: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()


Declaration = Alias | Const | Struct | Enum | Union | Error | Proto


class Schema(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """A library and what it needs of others."""

    format: int
    library: str
    declarations: tuple[Declaration, ...]
    doc: str = ""

    @cached_property
    def by_name(self) -> dict[str, Declaration]:
        return {declaration.name: declaration for declaration in self.declarations}

    def proto(self, name: str) -> Proto:
        """Raises BadSchema if there is no such proto."""
        found = self.by_name.get(name)
        if not isinstance(found, Proto):
            raise BadSchema(f"the interface has no proto {name!r}", hint="the owner registered another one")
        return found

    def lineage(self, name: str) -> list[Proto]:
        """A proto and all its bases, each once, itself first."""
        found = {name: self.proto(name)}
        waiting = [name]
        while waiting:
            for base in found[waiting.pop(0)].bases:
                if base not in found:
                    found[base] = self.proto(base)
                    waiting.append(base)
        return list(found.values())

    def methods(self, name: str) -> dict[str, Method]:
        """All methods of a proto by name, inherited ones last."""
        offered: dict[str, Method] = {}
        for proto in self.lineage(name):
            for method in proto.methods:
                offered.setdefault(method.name, method)
        return offered

    def resolved(self, kind: Type) -> Type:
        """The type behind all aliases."""
        while kind.kind == "Ref":
            declaration = self.by_name[kind.name]
            if not isinstance(declaration, Alias):
                break
            kind = declaration.type
        return kind


_decode = msgspec.json.Decoder(Schema).decode
_encode = msgspec.json.Encoder().encode


def load(data: bytes) -> Schema:
    """Raises BadSchema for what is not a whole and sound schema of this format."""
    if len(data) > MAX_SIZE:
        raise BadSchema("the interface is too large", cause=f"{len(data)} bytes, at most {MAX_SIZE} are read")
    try:
        schema = _decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BadSchema("the interface cannot be read", cause=str(error)) from None
    if schema.format != FORMAT:
        raise BadSchema(f"the interface has format {schema.format}", hint="a newer Glow may be able to read it")
    for problem in _problems(schema):
        raise BadSchema("the interface is not sound", cause=problem)
    return schema


def dump(schema: Schema) -> bytes:
    """The JSON that `load` reads."""
    return _encode(schema)


def _problems(schema: Schema) -> Iterator[str]:
    """What is wrong; each check may rely on those before it."""
    if len(schema.declarations) > MAX_DECLARATIONS:
        yield f"it has over {MAX_DECLARATIONS} declarations"
    if len(schema.by_name) != len(schema.declarations):
        yield "two declarations have one name"
    for declaration in schema.declarations:
        yield from (f"{name!r} is no name" for name in _names(declaration) if not _NAME.fullmatch(name))
        yield from _unlike(declaration)
        yield from _references(schema, declaration)
    yield from _depths(schema)


def _names(declaration: Declaration) -> Iterable[str]:
    yield from declaration.name.split(".")
    yield from (element.name for element in _elements(declaration))
    if isinstance(declaration, Proto):
        yield from (argument.name for method in declaration.methods for argument in method.arguments)


def _elements(declaration: Declaration) -> tuple[Field | Member | Variant | Method, ...]:
    if isinstance(declaration, Struct | Error):
        return declaration.fields
    if isinstance(declaration, Enum):
        return declaration.members
    if isinstance(declaration, Union):
        return declaration.variants
    return declaration.methods if isinstance(declaration, Proto) else ()


def _unlike(declaration: Declaration) -> Iterator[str]:
    """Names that are there twice, numbers out of range."""
    groups = [_elements(declaration)]
    if isinstance(declaration, Proto):
        groups += [method.arguments for method in declaration.methods]
    for group in groups:
        if len({element.name for element in group}) != len(group):
            yield f"{declaration.name} has two elements of one name"
    numbers = [method.selector for method in declaration.methods] if isinstance(declaration, Proto) else []
    numbers += [declaration.code] if isinstance(declaration, Error) else []
    if any(not 0 <= number < 2**32 for number in numbers):
        yield f"{declaration.name} has a number over 32 bits"


def _references(schema: Schema, declaration: Declaration) -> Iterator[str]:
    """Names that lead nowhere or to the wrong kind, types with the wrong parts."""
    if isinstance(declaration, Proto):
        for base in declaration.bases:
            if not isinstance(schema.by_name.get(base), Proto):
                yield f"{base} is no proto"
        for method in declaration.methods:
            for name in method.throws:
                if not isinstance(schema.by_name.get(name), Error):
                    yield f"{name} is no error"
            streams = [argument for argument in method.arguments if argument.type.kind == "Stream"]
            if len(streams) > 1:
                yield f"{method.name} has two streams"
    waiting = [(kind, isinstance(declaration, Proto)) for kind in types_of(declaration)]
    while waiting:
        kind, stream = waiting.pop()
        yield from _misshapen(schema, kind, stream)
        waiting += [(part, False) for part in kind.of]


def _misshapen(schema: Schema, kind: Type, stream: bool) -> Iterator[str]:
    parts = _PARTS.get(kind.kind, 0)
    if kind.kind == "Ref":
        if not isinstance(schema.by_name.get(kind.name), Alias | Struct | Enum | Union | Proto):
            yield f"{kind.name} is no type"
    elif kind.kind == "Both":
        parts = len(kind.of)
        if any(part.kind != "Ref" for part in kind.of):
            yield "only protos can be joined by &"
    elif kind.kind not in SCALARS and kind.kind not in _PARTS:
        yield f"{kind.kind!r} is no type"
    if len(kind.of) != parts or (kind.kind == "Stream" and not stream):
        yield f"{kind.kind} cannot stand like this"
    if not (0 <= kind.size < 2**31 and 0 <= kind.bound < 2**31):
        yield f"{kind.kind} has a length that is none"


def types_of(declaration: Declaration) -> Iterator[Type]:
    """The types that are written in a declaration, outermost only."""
    if isinstance(declaration, Alias | Const):
        yield declaration.type
    elif isinstance(declaration, Struct | Error):
        yield from (field.type for field in declaration.fields)
    elif isinstance(declaration, Union):
        yield from (variant.type for variant in declaration.variants if variant.type is not None)
    elif isinstance(declaration, Proto):
        for method in declaration.methods:
            yield from (argument.type for argument in method.arguments)
            if method.result is not None:
                yield method.result


def _depths(schema: Schema) -> Iterator[str]:
    """Aliases and bases that lead back to themselves, or on for too long."""
    measure = _Measure(schema)
    for declaration in schema.declarations:
        try:
            if isinstance(declaration, Proto):
                measure.bases(declaration.name)
            for kind in types_of(declaration):
                measure.type(kind)
        except _TooDeep:
            yield f"{declaration.name} leads back to itself, or too deep"


class _TooDeep(Exception):
    pass


class _Measure:
    """How deep types and bases go. What was measured once is remembered, so a small schema cannot make much work."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._done: dict[str, tuple[int, int]] = {}

    def bases(self, name: str, level: int = 0) -> int:
        """The longest way from a proto to the root. Raises _TooDeep."""
        if name not in self._done:
            if level > MAX_DEPTH:
                raise _TooDeep
            ways = [self.bases(base, level + 1) for base in self._schema.proto(name).bases]
            self._done[name] = (1 + max(ways, default=0), 0)
        return self._checked(*self._done[name])[0]

    def type(self, kind: Type, level: int = 0) -> tuple[int, int]:
        """Depth of a type and number of types in it, with all aliases written out. Raises _TooDeep."""
        if level > MAX_DEPTH:
            raise _TooDeep
        declaration = self._schema.by_name.get(kind.name) if kind.kind == "Ref" else None
        if isinstance(declaration, Alias):
            if kind.name not in self._done:
                self._done[kind.name] = self.type(declaration.type, level + 1)
            return self._checked(*self._done[kind.name])
        inside = [self.type(part, level + 1) for part in kind.of]
        return self._checked(1 + max((depth for depth, _ in inside), default=0), 1 + sum(size for _, size in inside))

    def _checked(self, depth: int, size: int) -> tuple[int, int]:
        if depth > MAX_DEPTH or size > MAX_DECLARATIONS:
            raise _TooDeep
        return depth, size
