"""A file of the Firefly language as it was written: declarations with names that nobody has looked up yet.

Every element knows its place (`span`, offsets into the source), so that the checker can point at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets into the text of a source: `start` up to and without `end`."""

    start: int
    end: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, dotted or not."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: `int`, `float`, `str`, a Name, a tuple of values, or a tuple of pairs for a map."""

    value: int | float | str | Name | tuple[Literal, ...] | tuple[tuple[Literal, Literal], ...]
    span: Span
    is_map: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The number in `Array[T, N]` (exact) or `<=N`: a number, or the name of a constant."""

    value: int | Name
    exact: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Named:
    """`Name` or `Name[…]`: a built-in, a declaration, or the name of a constant where a size stands."""

    name: Name
    parameters: tuple[TypeExpression | Limit, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Optional:
    of: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class Both:
    """`A & B`: something that is each of them."""

    parts: tuple[TypeExpression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Struct:
    fields: tuple[Field, ...]
    span: Span


TypeExpression = Named | Optional | Both | Struct


@dataclass(frozen=True, slots=True)
class Attribute:
    name: Name
    values: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What can be documented and carry attributes."""

    name: Name
    span: Span
    doc: str = ""
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Element):
    """A field of a struct or an error, or an argument of a method."""

    type: TypeExpression
    default: Literal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Element):
    """A member of an enum."""

    value: Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Element):
    """A variant of a union; `type` is None if it carries nothing."""

    ordinal: int
    type: TypeExpression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Element):
    """`def` or (`notify`) `msg`; a `result` of None is void."""

    notify: bool
    arguments: tuple[Field, ...]
    result: TypeExpression | None
    throws: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Library(Element):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Element):
    """`import a.b as c`; without `as`, `alias` is the last part."""

    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Element):
    """`type T = …`."""

    type: TypeExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class Const(Element):
    type: TypeExpression
    value: Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum(Element):
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Union(Element):
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(Element):
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proto(Element):
    bases: tuple[Name, ...]
    methods: tuple[Method, ...]


Declaration = Alias | Const | Enum | Union | Error | Proto


@dataclass(slots=True)
class File:
    """The items of one file in their order."""

    libraries: list[Library] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    declarations: list[Declaration] = field(default_factory=list)
    first: Element | None = None
    """The first item, to see whether `library` is it."""
    lost: set[str] = field(default_factory=set)
    """What a syntax error may have hidden: names that follow a keyword, in a file that has one."""
    readable: bool = True
    """False if the file was not parsed at all."""
