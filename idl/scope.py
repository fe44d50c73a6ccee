"""What a name means where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal as OneOf

from idl.loader import Library
from idl.model import Declaration, Enum, Member

INTEGERS = {
    "byte": (0, 2**8 - 1), "int": (-(2**63), 2**63 - 1),
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}  # fmt: skip
FLOATS = {"f32", "f64"}
SIMPLE = {*INTEGERS, *FLOATS, "void", "bool", "Id", "Timestamp", "Duration"}
BOUNDED = {"String", "Bytes"}
COMPOSITE = {"Array", "Map", "Stream"}
BUILTINS = SIMPLE | BOUNDED | COMPOSITE


@dataclass(frozen=True, eq=False, slots=True)
class Declared:
    """A declaration and the library that it is in."""

    library: Library
    declaration: Declaration

    @property
    def qualified(self) -> str:
        return f"{self.library.name}.{self.declaration.name.text}"


@dataclass(frozen=True, slots=True)
class MemberOf:
    """A member of an enum."""

    enum: Declared
    member: Member


Meaning = Declared | OneOf["builtin"] | None


def find(library: Library, name: str) -> Meaning:
    """A declaration of this library or of one that it imports, else a built-in, else None."""
    prefix, _, last = name.rpartition(".")
    if not prefix:
        own = library.declarations.get(name)
        return Declared(library, own) if own is not None else "builtin" if name in BUILTINS else None
    target = find_library(library, prefix)
    found = target.declarations.get(last) if target is not None else None
    return None if target is None or found is None else Declared(target, found)


def find_library(library: Library, prefix: str) -> Library | None:
    """The library that an alias or a library's whole name means here."""
    if prefix == library.name:
        return library
    for alias, imported in library.imports.items():
        if prefix in (alias, imported.name):
            return imported
    return None


def suggest(name: str, known: Iterable[str]) -> str:
    """A fix for a name that means nothing."""
    near = difflib.get_close_matches(name, sorted(set(known))[:1000], n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else "check its spelling, or declare it"


def find_member(library: Library, name: str) -> MemberOf | None:
    """`Enum.MEMBER` or `library.Enum.MEMBER`."""
    prefix, _, last = name.rpartition(".")
    enum = find(library, prefix) if prefix else None
    return member_of(enum, last) if isinstance(enum, Declared) else None


def member_of(enum: Declared, name: str) -> MemberOf | None:
    """A member by its own name; None if there is none, or `enum` is no enum."""
    if not isinstance(enum.declaration, Enum):
        return None
    return next((MemberOf(enum, member) for member in enum.declaration.members if member.name.text == name), None)
