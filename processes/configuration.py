"""What a process reads its configuration with."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from firefly.errors import GlowError

_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}


class BadConfiguration(GlowError):
    """The process cannot run as it is configured."""


def check_names(what: str, given: Mapping[str, str], known: Collection[str], hint: str) -> None:
    """Raises BadConfiguration for a name that the process does not know."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        names = ", ".join(sorted(known)) or "nothing"
        raise BadConfiguration(f"{what} does not know {unknown[0]!r}", f"it can be told {names}", hint)


def number(given: Mapping[str, str], name: str, default: int, most: int, hint: str) -> int:
    """A number from 1 to `most`: 300, 64k, 16M or 2G. Raises BadConfiguration."""
    text = given.get(name, "")
    digits = text.rstrip("kMG")
    unit = _UNITS.get(text[len(digits) :], 1 if digits == text else 0)
    if not text:
        return default
    value = int(digits) * unit if digits.isascii() and digits.isdigit() and len(digits) <= 18 else 0
    if not 1 <= value <= most:
        raise BadConfiguration(f"{name} is a number from 1 to {most}, not {text!r}", hint=hint)
    return value
