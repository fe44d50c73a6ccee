"""Numbers that exported functions take and give."""

from __future__ import annotations

from typing import Any

import wasmtime

from firefly.errors import InvalidArgument
from firefly.interfaces.executor import Number, NumberFloat, NumberInteger

_BITS = {"i32": 32, "i64": 64}
_KINDS = {"i32", "i64", "f32", "f64"}


def to_wasm(name: str, function: wasmtime.FuncType, given: tuple[Number, ...]) -> list[int | float]:
    """The arguments of a function. Raises InvalidArgument for those that it does not take."""
    wanted = [str(kind) for kind in function.params]
    results = [str(kind) for kind in function.results]
    if not _KINDS.issuperset(wanted + results):
        raise InvalidArgument(f"{name} takes or gives something else than numbers")
    if len(wanted) != len(given):
        raise InvalidArgument(f"{name} takes {len(wanted)} numbers ({', '.join(wanted)}), not {len(given)}")
    return [_to_wasm(kind, number) for kind, number in zip(wanted, given, strict=True)]


def _to_wasm(kind: str, number: Number) -> int | float:
    if kind in _BITS and isinstance(number, NumberInteger):
        half = 1 << (_BITS[kind] - 1)
        if -half <= number.value < 2 * half:
            return number.value if number.value < half else number.value - 2 * half
    elif kind not in _BITS and isinstance(number, NumberInteger | NumberFloat):
        return float(number.value)
    raise InvalidArgument(f"{getattr(number, 'value', number)} is no {kind}")


def from_wasm(result: Any) -> list[Number]:
    """What a function gave, as its call returns it: nothing, one number or several."""
    values = [] if result is None else result if isinstance(result, list) else [result]
    return [NumberInteger(value) if isinstance(value, int) else NumberFloat(value) for value in values]
