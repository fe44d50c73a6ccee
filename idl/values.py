"""Constants and defaults: what a literal is as a value of a type, or why it is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

from idl import scope
from idl.compiled import Value
from idl.loader import Library
from idl.model import Alias, Const, Enum, Limit, Literal, Name, Named, Optional, TypeExpression
from idl.scope import Declared

MAX_CHAIN = 64
"""Aliases of aliases, constants of constants; longer chains count as endless."""
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


class BadValue(Exception):
    """`code` is the rule that `literal` breaks; empty if the type it is for is wrong, which has been said."""

    def __init__(self, code: str, literal: Literal, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.literal = literal
        self.details = details


@dataclass(frozen=True, slots=True)
class Typed:
    """A type expression and the library in which its names stand."""

    library: Library
    expression: TypeExpression

    def resolved(self) -> Typed:
        """What is meant behind all aliases; an endless chain (the checker reports it) ends somewhere in it."""
        here = self
        for _ in range(MAX_CHAIN):
            declared = here.declared
            if declared is None or not isinstance(declared.declaration, Alias):
                break
            here = Typed(declared.library, declared.declaration.type)
        return here

    @property
    def declared(self) -> Declared | None:
        """The declaration that the expression names, if it is a name of one."""
        if not isinstance(self.expression, Named):
            return None
        found = scope.find(self.library, self.expression.name.text)
        return found if isinstance(found, Declared) else None

    @property
    def builtin(self) -> str:
        """The name of the built-in type, or nothing."""
        if isinstance(self.expression, Named) and self.declared is None:
            name = self.expression.name.text
            return name if name in scope.BUILTINS else ""
        return ""

    def part(self, index: int) -> Typed:
        """A type parameter; where a wrong type has none, the type `void`, of which there are no values."""
        parameters = self.expression.parameters if isinstance(self.expression, Named) else ()
        expression = parameters[index] if index < len(parameters) else None
        if expression is None or isinstance(expression, Limit):
            return Typed(self.library, Named(Name("void", self.expression.span), (), self.expression.span))
        return Typed(self.library, expression)

    def limit(self) -> tuple[int | None, bool]:
        """The size or bound, and whether it is exact; None if there is none or it is not a number."""
        position = 1 if self.builtin == "Array" else 0
        if not isinstance(self.expression, Named) or len(self.expression.parameters) <= position:
            return None, False
        written = self.expression.parameters[position]
        exact = not isinstance(written, Limit) or written.exact
        return size(self.library, written), exact

    def raw(self) -> bool:
        """Whether this is `Array[byte, N]`: raw bytes."""
        if self.builtin != "Array" or not isinstance(self.expression, Named) or len(self.expression.parameters) != 2:
            return False
        return self.limit()[1] and self.part(0).resolved().builtin == "byte"


def size(library: Library, written: Limit | TypeExpression) -> int | None:
    """A size or bound, which may be the name of an integer constant; None if it is neither.

    Constants are followed by name alone, not evaluated: the type of one may have a size that is the constant itself.
    """
    value: object = written.value if isinstance(written, Limit) else getattr(written, "name", None)
    for _ in range(MAX_CHAIN):
        if not isinstance(value, Name):
            break
        found = scope.find(library, value.text)
        if not (isinstance(found, Declared) and isinstance(found.declaration, Const)):
            return None
        library = found.library
        if Typed(library, found.declaration.type).resolved().builtin not in scope.INTEGERS:
            return None
        value = found.declaration.value.value
    return value if isinstance(value, int) else None


def evaluate(wanted: Typed, literal: Literal, library: Library, depth: int = 0) -> Value:
    """The value of a literal of `library` where `wanted` is asked for. Raises BadValue."""
    wanted = wanted.resolved()
    written = literal.value
    if wanted.builtin == "void" or (isinstance(wanted.expression, Named) and not (wanted.builtin or wanted.declared)):
        raise BadValue("", literal)
    if isinstance(written, Name) and written.text not in _WORDS:
        return _named(wanted, literal, written, library, depth)
    if isinstance(wanted.expression, Optional):
        if isinstance(written, Name) and written.text == "null":
            return None
        return evaluate(Typed(wanted.library, wanted.expression.of), literal, library, depth)
    if isinstance(written, Name):
        if wanted.builtin == "bool" and written.text != "null":
            return _WORDS[written.text]
        hint = "make the type optional (`?`)" if written.text == "null" else f"`{written.text}` is a bool"
        _refuse(literal, wanted, hint)
    if isinstance(written, tuple):
        return _collection(wanted, literal, library, depth)
    return _scalar(wanted, literal, written)


def _named(wanted: Typed, literal: Literal, name: Name, library: Library, depth: int) -> Value:
    """A constant, or a member of an enum."""
    if depth > MAX_CHAIN:
        raise BadValue("value-cycle", literal, name=name.text)
    inner = wanted
    while isinstance(inner.expression, Optional):
        inner = Typed(inner.library, inner.expression.of).resolved()
    enum = inner.declared
    if enum is not None and isinstance(enum.declaration, Enum):
        found = scope.find_member(library, name.text) or scope.member_of(enum, name.text)
        if found is not None and found.enum.declaration is enum.declaration:
            return number(found.member.value)
    constant = scope.find(library, name.text)
    if isinstance(constant, Declared) and isinstance(constant.declaration, Const):
        own = Typed(constant.library, constant.declaration.type)
        value = evaluate(own, constant.declaration.value, constant.library, depth + 1)
        return _again(wanted, literal, value)
    names = (
        [member.name.text for member in enum.declaration.members] if enum and isinstance(enum.declaration, Enum) else []
    )
    names += [name for name, declaration in library.declarations.items() if isinstance(declaration, Const)]
    raise BadValue("unknown-value", literal, name=name.text, hint=scope.suggest(name.text, names))


def _again(wanted: Typed, literal: Literal, value: Value) -> Value:
    """A constant's value where another type may be wanted; collections are taken as they are."""
    if isinstance(value, list | dict):
        return value
    if value is None or isinstance(value, bool):
        meant: int | float | str | Name = Name({True: "true", False: "false", None: "null"}[value], literal.span)
    else:
        meant = value
    return evaluate(wanted, Literal(meant, literal.span), wanted.library)


def number(literal: Literal) -> int:
    """The number of an enum's member; 0 for what is none (the checker reports it)."""
    return literal.value if isinstance(literal.value, int) else 0


def _collection(wanted: Typed, literal: Literal, library: Library, depth: int) -> Value:
    assert isinstance(literal.value, tuple)
    if literal.is_map:
        if wanted.builtin != "Map":
            _refuse(literal, wanted, "`{ }` is a value of a Map")
        keys, values = wanted.part(0), wanted.part(1)
        pairs = [pair for pair in literal.value if isinstance(pair, tuple)]
        return {
            str(evaluate(keys, key, library, depth + 1)): evaluate(values, value, library, depth + 1)
            for key, value in pairs
        }
    if wanted.builtin != "Array" or wanted.raw():
        _refuse(literal, wanted, "`[ ]` is a value of an Array")
    _fits(wanted, literal, len(literal.value))
    items = [item for item in literal.value if isinstance(item, Literal)]
    return [evaluate(wanted.part(0), item, library, depth + 1) for item in items]


def _scalar(wanted: Typed, literal: Literal, written: int | float | str | Name) -> Value:
    builtin = wanted.builtin
    if isinstance(written, str):
        if builtin in scope.BOUNDED or wanted.raw():
            _fits(wanted, literal, len(written) if builtin == "String" else len(written.encode()))
            return written
    elif isinstance(written, int):
        if builtin in scope.INTEGERS:
            low, high = scope.INTEGERS[builtin]
            if not low <= written <= high:
                _refuse(literal, wanted, f"{builtin} goes from {low} to {high}")
            return written
        if wanted.declared is not None and isinstance(wanted.declared.declaration, Enum):
            return written
    if isinstance(written, int | float) and builtin in {*scope.FLOATS, "Duration"}:
        return _float(wanted, literal, written)
    _refuse(literal, wanted, _hint(wanted))


def _float(wanted: Typed, literal: Literal, written: int | float) -> float:
    try:
        value = float(written)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        _refuse(literal, wanted, "it is too large")
    return value


def _fits(wanted: Typed, literal: Literal, length: int) -> None:
    most, exact = wanted.limit()
    if most is not None and (length > most or (exact and length != most)):
        _refuse(literal, wanted, f"it has {length} elements, not {'' if exact else 'at most '}{most}")


def _hint(wanted: Typed) -> str:
    declared = wanted.declared
    if wanted.builtin in {*scope.INTEGERS}:
        return "write a whole number"
    if wanted.builtin in {*scope.FLOATS, "Duration"}:
        return "write a number" + (" of seconds" if wanted.builtin == "Duration" else "")
    if wanted.builtin in scope.BOUNDED:
        return "write it in quotes"
    if wanted.builtin == "bool":
        return "write `true` or `false`"
    if declared is not None and isinstance(declared.declaration, Enum):
        names = ", ".join(member.name.text for member in declared.declaration.members[:8])
        return f"write one of its members: {names}"
    if wanted.builtin in {"Array", "Map"}:
        return "write it between `[ ]`" if wanted.builtin == "Array" else "write it between `{ }`"
    return "this type has no literals: make it optional (`?`) and write `null`"


def _refuse(literal: Literal, wanted: Typed, hint: str) -> NoReturn:
    declared, builtin = wanted.declared, wanted.builtin
    kind = builtin or (declared.declaration.name.text if declared is not None else "struct")
    raise BadValue("bad-value", literal, value=shown(literal), type=kind, hint=hint)


def shown(literal: Literal) -> str:
    """A literal as messages quote it."""
    value = literal.value
    if isinstance(value, Name):
        return f"`{value.text}`"
    if isinstance(value, tuple):
        return "`{ }`" if literal.is_map else "`[ ]`"
    return f'`"{value[:20]}"`' if isinstance(value, str) else f"`{value}`"
