from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from firefly.errors import decode_error, encode_error
from firefly.runtime.method import Codec
from firefly.variants import OpenUnion, UnionError, field, unknown, variant


class Shape(OpenUnion):
    pass


@variant(1)
class ShapeCircle(Shape):
    value: Annotated[float, msgspec.Meta(ge=0)]


@variant(2, inline=True)
class ShapeSquare(Shape):
    side: int
    inside: list[Shape] = field(default_factory=lambda: [])
    name: str = "square"


@variant(3)
class ShapeNothing(Shape):
    pass


@unknown
class ShapeUnknown(Shape):
    ordinal: int
    body: object


class _LostBody(msgspec.Struct, array_like=True, frozen=True):
    shape: Shape


class Lost(UnionError):
    code = 1000
    name = "test.Lost"
    Body = _LostBody

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.shape = shape


VALUES = [
    (ShapeCircle(1.5), [1, 1.5]),
    (ShapeSquare(3), [2, [3, [], "square"]]),
    (ShapeSquare(3, [ShapeNothing()], "box"), [2, [3, [[3, None]], "box"]]),
    (ShapeNothing(), [3, None]),
    (ShapeUnknown(77, [1, {"a": b"x"}]), [77, [1, {"a": b"x"}]]),
    (ShapeUnknown(0, None), [0, None]),
    (ShapeUnknown(-1, 5), [-1, 5]),
]


@pytest.mark.parametrize(("value", "wire"), VALUES, ids=str)
def test_a_union_is_its_ordinal_and_its_body(value: Shape, wire: list[object]) -> None:
    codec = Codec(Shape)
    encoded = codec.encode(value)
    assert msgspec.msgpack.decode(encoded) == wire
    assert codec.decode(msgspec.Raw(encoded)) == value


def test_tails_may_be_short_or_long() -> None:
    assert Shape.from_wire([2, [3]]) == ShapeSquare(3)
    assert Shape.from_wire([2, [3, [], "box", "more"], "more"]) == ShapeSquare(3, [], "box")


@pytest.mark.parametrize(
    "wire", [None, 1, [], [1], ["1", 2.0], [True, 1.0], [1, "x"], [1, -1.0], [2, 3], [2, []], [3, 1], {}]
)
def test_what_is_no_union_is_refused(wire: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- each has a message of its own
        Shape.from_wire(wire)


def test_variants_are_frozen_values_that_match() -> None:
    square = ShapeSquare(3)
    with pytest.raises(AttributeError):
        square.side = 4  # type: ignore[misc]
    assert square == ShapeSquare(3) != ShapeSquare(4)
    assert repr(ShapeCircle(1.0)) == "ShapeCircle(value=1.0)"
    assert hash(ShapeCircle(1.0)) == hash(ShapeCircle(1.0))
    match square:
        case ShapeSquare(side, _, name=name):
            assert (side, name) == (3, "square")


def test_the_union_itself_is_no_value() -> None:
    with pytest.raises(TypeError, match="variants"):
        Shape().to_wire()


def test_only_a_variant_of_the_asked_union_is_made() -> None:
    with pytest.raises(ValueError, match="is not ShapeCircle"):
        ShapeCircle.from_wire([3, None])


def test_an_error_carries_unions() -> None:
    code, body = encode_error(Lost(ShapeSquare(2)))
    found = decode_error(code, body, {Lost.code: Lost})
    assert isinstance(found, Lost)
    assert found.shape == ShapeSquare(2)
