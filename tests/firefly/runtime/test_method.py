"""Codecs let through what fits its type, and nothing else, in both directions."""

import enum
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from msgspec import Raw

from firefly.errors import InvalidArgument, TooLarge
from firefly.messages import MAX_CAPABILITIES
from firefly.packet import BULK, INTERACTIVE
from firefly.runtime import Method, OpenEnum, Server, Stub, Union
from firefly.runtime.method import Codec
from tests.firefly.mutation import garbage
from tests.firefly.runtime.probe import Data, Nothing, Passed, Thing, Two


class Color(OpenEnum):
    RED = 0
    BLUE = 1


class Shape(Union):
    """A union with one known variant, `circle(radius)`."""

    def __init__(self, ordinal: int, body: Any) -> None:
        self.wire = [ordinal, body]

    def to_wire(self) -> list[Any]:
        return self.wire

    @classmethod
    def from_wire(cls, wire: Any, hook: Any) -> "Shape":
        ordinal, body = msgspec.convert(wire, tuple[int, Any], dec_hook=hook)
        return cls(ordinal, msgspec.convert(body, float) if ordinal == 0 else body)


class Colored(msgspec.Struct, array_like=True):
    color: Color
    shape: Shape


def encoded(value: Any) -> Raw:
    return Raw(msgspec.msgpack.encode(value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (bytes, b"data"),
        (str, "text"),
        (int, -5),
        (float, 0.5),
        (bool, True),
        (type(None), None),
        (list[int], [1, 2]),
        (dict[str, int], {"a": 1}),
        (bytes | None, None),
        (Two, Two("text", 5)),
    ],
)
def test_what_fits_comes_back(kind: Any, value: Any) -> None:
    codec = Codec(kind)
    assert codec.decode(Raw(codec.encode(value))) == value
    assert not codec.passes


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (bytes, "text"),
        (str, b"data"),
        (int, 0.5),
        (int, 2**70),
        (bool, 1),
        (list[int], [1, "2"]),
        (Data, ("text",)),
        (Data, (None,)),
        (Two, ("too long", 5)),
        (Two, ("ok", "5")),
        (Two, ()),
        (int, object()),
        (int, Thing(None, b"", b"")),
        (str, Server()),
    ],
)
def test_what_does_not_fit_raises_where_it_is_given(kind: Any, value: Any) -> None:
    with pytest.raises(InvalidArgument, match="does not fit") as caught:
        Codec(kind).encode(value)
    assert caught.value.cause
    assert caught.value.fault == "caller"


def test_a_value_that_holds_itself_does_not_fit() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgument):
        Codec(list[Any]).encode(endless)


@pytest.mark.parametrize("value", [encoded("text"), encoded([]), Raw(b"\xc1"), Raw(b""), encoded(["too long", 1])])
def test_what_a_peer_sends_that_does_not_fit_is_refused(value: Raw) -> None:
    with pytest.raises(InvalidArgument, match="the peer sent"):
        Codec(Two).decode(value)


@given(garbage(msgspec.msgpack.encode([[0, [0, 0.5]], [Thing.__name__, 5], 1])))
def test_garbage_is_refused_or_read(data: bytes) -> None:
    for kind in (Two, Colored, list[Colored], Annotated[str, msgspec.Meta(max_length=5)]):
        try:
            Codec(kind).decode(Raw(data))
        except InvalidArgument as error:
            assert error.cause  # noqa: PT017 (it need not be raised)


def test_a_tail_from_a_newer_caller_is_ignored_and_one_that_an_older_lacks_is_filled() -> None:
    codec = Codec(Two)
    assert codec.decode(encoded(["text", 5, "newer"])) == Two("text", 5)
    assert codec.decode(encoded(["text"])) == Two("text", 7)


def test_an_enum_keeps_values_of_a_newer_interface() -> None:
    codec = Codec(Color)
    unknown = codec.decode(encoded(9))
    assert unknown == 9
    assert unknown.name == "UNKNOWN_9"
    assert codec.encode(unknown) == b"\x09"
    assert codec.decode(encoded(1)) is Color.BLUE
    with pytest.raises(InvalidArgument):
        codec.decode(encoded("BLUE"))
    with pytest.raises(ValueError, match="nothing"):
        Color("nothing")  # type: ignore[arg-type]
    assert issubclass(OpenEnum, enum.IntEnum)


def test_a_union_travels_as_its_ordinal_and_body() -> None:
    codec = Codec(Colored)
    data = codec.encode(Colored(Color.RED, Shape(0, 0.5)))
    assert msgspec.msgpack.decode(data) == [0, [0, 0.5]]
    assert codec.decode(Raw(data)).shape.wire == [0, 0.5]
    assert codec.decode(encoded([0, [7, ["newer"]]])).shape.wire == [7, ["newer"]]
    for wire in ([0, "round"], [0], "circle"):
        with pytest.raises(InvalidArgument):
            codec.decode(encoded([0, wire]))


def test_the_bases_of_unions_have_no_variants() -> None:
    with pytest.raises(TypeError, match="no variant"):
        Union().to_wire()
    with pytest.raises(ValueError, match="no variants"):
        Union.from_wire([0, None], None)  # type: ignore[arg-type]


def test_capabilities_stand_in_a_value_by_their_index() -> None:
    codec, things = Codec(Passed), [Thing(None, b"n" * 16, bytes([i]) * 16) for i in range(3)]
    assert codec.passes
    data, passing = codec.encode_passing((things[0], things[1:]))
    assert msgspec.msgpack.decode(data) == [0, [1, 2]]
    assert passing == things
    bound: list[tuple[Any, int]] = []
    passed = codec.decode_passing(Raw(data), lambda stub, index: bound.append((stub, index)))
    assert [stub for stub, _ in bound] == [passed.thing, *passed.more]
    assert [index for _, index in bound] == [0, 1, 2]
    assert all(type(stub) is Thing for stub, _ in bound)


@pytest.mark.parametrize("kind", [Thing, list[Thing], Thing | None, dict[str, Thing], Annotated[Thing, 1], Passed])
def test_a_codec_sees_where_capabilities_can_be(kind: Any) -> None:
    assert Codec(kind).passes


@pytest.mark.parametrize("wire", [-1, "0", None, 0.0])
def test_only_an_index_is_a_capability(wire: Any) -> None:
    with pytest.raises(InvalidArgument):
        Codec(Thing).decode_passing(encoded(wire), lambda stub, index: None)


def test_a_value_with_capabilities_is_checked_before_anything_is_passed() -> None:
    things = [Thing(None, b"", b"")] * (MAX_CAPABILITIES + 1)
    with pytest.raises(TooLarge):
        Codec(list[Thing]).encode_passing(things)
    with pytest.raises(InvalidArgument):
        Codec(Passed).encode_passing(("no thing", []))


def test_a_stream_of_bytes_makes_a_method_bulk() -> None:
    bounded = Annotated[bytes, msgspec.Meta(max_length=10)]
    assert Method("m", "p/P.m", 1, Nothing, argument_stream=bounded).lane == BULK
    assert Method("m", "p/P.m", 1, Nothing, result_stream=bytes).lane == BULK
    assert Method("m", "p/P.m", 1, Nothing, bytes, result_stream=int).lane == INTERACTIVE
    assert repr(Method("m", "p/P.m", 1, Nothing)) == "<Method p/P.m>"


def test_stubs_are_shown_with_their_place() -> None:
    assert repr(Stub(None, b"\1" * 16, b"\2" * 16)) == f"<Stub {'02' * 16} at {'01' * 16}>"
