"""Attributes: which there are, where each may stand, and what it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from idl.model import Element, Literal
from idl.report import Report
from idl.source import Source

_MEMBERS = {"member", "variant", "field", "argument", "message argument", "stream", "def", "msg"}
_EVERYWHERE = {"type", "const", "enum", "union", "error", "proto"} | _MEMBERS
_WORDS = {"def": "a `def`", "msg": "a `msg`", "stream": "a stream", "message argument": "an argument of a `msg`"}
_PATH = re.compile(r"([\w.]+/\w+\.\w+|\w+\.\w+|\w+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Attribute:
    places: set[str]
    place: str
    form: str
    fits: Callable[[tuple[Literal, ...]], bool]


def _nothing(values: tuple[Literal, ...]) -> bool:
    return not values


def _version(values: tuple[Literal, ...]) -> bool:
    value = values[0].value if len(values) == 1 else None
    return type(value) is int and 1 <= value < 2**31


def _text(values: tuple[Literal, ...]) -> bool:
    return len(values) == 1 and isinstance(values[0].value, str) and bool(values[0].value)


def _path(values: tuple[Literal, ...]) -> bool:
    return _text(values) and _PATH.fullmatch(str(values[0].value)) is not None


_ATTRIBUTES = {
    "idempotent": _Attribute({"def"}, "a `def`", "`@idempotent`, without arguments", _nothing),
    "scope": _Attribute(
        {"argument", "message argument"}, "an argument that is no stream", "`@scope`, without arguments", _nothing
    ),
    "since": _Attribute(_EVERYWHERE, "a declaration, a member or a method", "`@since(2)`, with a version", _version),
    "deprecated": _Attribute(
        _EVERYWHERE, "a declaration, a member or a method", '`@deprecated("use … instead")`', _text
    ),
    "selector": _Attribute(
        {"def", "msg"}, "a method", '`@selector("old")`, `("Proto.old")` or `("library/Proto.old")`', _path
    ),
}


def check_attributes(source: Source, report: Report, kind: str, element: Element) -> None:
    """Reports what is wrong with an element's attributes. `kind` is what the element is."""
    seen: set[str] = set()
    for attribute in element.attributes:
        name = attribute.name.text
        known = _ATTRIBUTES.get(name)
        if known is None:
            report.add("unknown-attribute", source, attribute.span, name=name)
        elif kind not in known.places:
            shown = _WORDS.get(kind) or f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            report.add("misplaced-attribute", source, attribute.span, name=name, kind=shown, place=known.place)
        elif name in seen:
            report.add("duplicate-attribute", source, attribute.span, name=name)
        elif not known.fits(attribute.values):
            report.add("bad-attribute", source, attribute.span, name=name, form=known.form)
        seen.add(name)
