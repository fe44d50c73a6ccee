"""What a generated stub says of one method, and the codecs made from it.

Codecs are built when first used. A codec checks what it encodes: msgspec writes whatever it is given, so the encoded
value is read back with the type's decoder, in C; plain `bytes` need no second look.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

import msgspec

from firefly.errors import DeclaredError, InvalidArgument, TooLarge
from firefly.messages import MAX_CAPABILITIES, MAX_VALUE
from firefly.packet import BULK, INTERACTIVE

_encode_plain = msgspec.msgpack.Encoder().encode
NIL = b"\xc0"


class OpenEnum(enum.IntEnum):
    """An enum of the language: a value that this version does not know survives as a member without a name."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class Union:
    """Base of the unions of the language; the generated class says how its variants look on the wire."""

    def to_wire(self) -> list[Any]:
        """`[ordinal, body]`."""
        raise TypeError(f"{type(self).__name__} is no variant")

    @classmethod
    def from_wire(cls, wire: Any, hook: Callable[[Any, Any], Any]) -> Self:
        """The variant of a decoded `[ordinal, body]`; `hook` decodes what is inside. Raises ValueError."""
        raise ValueError(f"{cls.__name__} has no variants")


class Capability:
    """Base of what can be passed as a capability: client stubs and servers."""

    is_stub: ClassVar[bool] = False


def _encode_hook(passing: list[Capability] | None) -> Callable[[Any], Any]:
    def hook(value: Any) -> Any:
        if isinstance(value, Union):
            return value.to_wire()
        if isinstance(value, Capability) and passing is not None:
            passing.append(value)
            return len(passing) - 1
        raise TypeError(f"a {type(value).__name__} cannot be sent")

    return hook


class Codec:
    """Encodes and decodes values of one type of the language.

    `passes` says whether values can hold capabilities; then `encode_passing` and `decode_passing` must be used.
    Errors: InvalidArgument, the fault of who gave the value.
    """

    def __init__(self, of: Any) -> None:
        self._type = of
        self._bytes = of is bytes
        self._fields_are_bytes = _only_bytes(of)
        self._one_of_bytes = self._fields_are_bytes and len(of.__struct_fields__) == 1
        self._arrived: list[tuple[Any, int]] = []
        self._decode = msgspec.msgpack.Decoder(of, dec_hook=self._decode_hook).decode
        self._encode = msgspec.msgpack.Encoder(enc_hook=_encode_hook(None)).encode
        self.passes = _holds_capabilities(of, set())

    def encode(self, value: Any) -> bytes:
        try:
            encoded = self._encode(value)
            if self._one_of_bytes and type(value[0]) is bytes:
                return encoded
            if (self._bytes and type(value) is bytes) or (
                self._fields_are_bytes and all(type(field) is bytes for field in value)
            ):
                return encoded
            self._decode(encoded)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidArgument("a value does not fit its type", cause=str(error)) from None
        return encoded

    def encode_passing(self, value: Any) -> tuple[bytes, list[Capability]]:
        """The encoded value and the capabilities in it, which stand in it by their index. Raises TooLarge, too:
        nothing may be passed for a message that cannot leave."""
        passing: list[Capability] = []
        try:
            encoded = msgspec.msgpack.Encoder(enc_hook=_encode_hook(passing)).encode(value)
            self._decode(encoded)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidArgument("a value does not fit its type", cause=str(error)) from None
        finally:
            self._arrived.clear()
        if len(encoded) > MAX_VALUE or len(passing) > MAX_CAPABILITIES:
            raise TooLarge(f"a value of {len(encoded)} bytes and {len(passing)} capabilities is over the limits")
        return encoded, passing

    def decode(self, value: Any) -> Any:
        try:
            return self._decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidArgument(
                "the peer sent a value of another type",
                cause=str(error),
                hint="it may have another version of the interface; `glow call NODE/RESOURCE` shows what it offers",
            ) from None

    def decode_passing(self, value: Any, bind: Callable[[Any, int], None]) -> Any:
        """Decodes; `bind(stub, index)` gives each capability in it its place."""
        self._arrived.clear()
        decoded = self.decode(value)
        arrived, self._arrived = self._arrived, []
        for stub, index in arrived:
            bind(stub, index)
        return decoded

    def _decode_hook(self, kind: Any, value: Any) -> Any:
        if issubclass(kind, Union):
            return kind.from_wire(value, self._decode_hook)
        if issubclass(kind, Capability) and type(value) is int and value >= 0:
            stub = kind.__new__(kind)
            self._arrived.append((stub, value))
            return stub
        raise ValueError(f"no {kind.__name__} can be made of {value!r}")


def _only_bytes(of: Any) -> bool:
    return (
        isinstance(of, type)
        and issubclass(of, msgspec.Struct)
        and all(field.type is bytes for field in msgspec.structs.fields(of))
    )


def _holds_capabilities(of: Any, seen: set[Any]) -> bool:
    origin = get_origin(of)
    if origin is not None:
        parts = get_args(of)[:1] if origin is Annotated else get_args(of)
        return any(_holds_capabilities(part, seen) for part in parts)
    if not isinstance(of, type) or of in seen:
        return False
    seen.add(of)
    if issubclass(of, Capability):
        return True
    if issubclass(of, msgspec.Struct):
        return any(_holds_capabilities(field.type, seen) for field in msgspec.structs.fields(of))
    if issubclass(of, Union):
        return any(_holds_capabilities(body, seen) for body in getattr(of, "bodies", ()))
    return False


def _plain(of: Any) -> Any:
    return get_args(of)[0] if get_origin(of) is Annotated else of


class Method:
    """One method of a proto.

    `path` is "library/DeclaringProto.method", whose hash is the selector. `arguments` is a struct of its arguments
    without a stream. `result` is None for void; `argument_stream` and `result_stream` are the types of their items.
    """

    def __init__(
        self,
        name: str,
        path: str,
        selector: int,
        arguments: type[msgspec.Struct],
        result: Any = None,
        *,
        notify: bool = False,
        argument_stream: Any = None,
        result_stream: Any = None,
        errors: tuple[type[DeclaredError], ...] = (),
        idempotent: bool = False,
        scope: tuple[str, ...] = (),
        since: int | None = None,
        deprecated: str | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.selector = selector
        self.arguments = arguments
        self.result = result
        self.notify = notify
        self.argument_stream = argument_stream
        self.result_stream = result_stream
        self.errors = {error.code: error for error in errors}
        self.idempotent = idempotent
        self.scope = scope
        self.since = since
        self.deprecated = deprecated
        self.lane = BULK if bytes in (_plain(argument_stream), _plain(result_stream)) else INTERACTIVE

    def __repr__(self) -> str:
        return f"<Method {self.path}>"

    @cached_property
    def argument_codec(self) -> Codec:
        return Codec(self.arguments)

    @cached_property
    def result_codec(self) -> Codec:
        return Codec(type(None) if self.result is None else self.result)

    @cached_property
    def argument_item_codec(self) -> Codec:
        return Codec(self.argument_stream)

    @cached_property
    def result_item_codec(self) -> Codec:
        return Codec(self.result_stream)
