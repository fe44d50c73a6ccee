"""The messages of a session or an attachment: what rpc says (docs/concepts/wire.md, 5 Messages).

A record or frame is one MessagePack array of messages, each `[kind, …]`, so that one codec call joins or splits it.
Arguments and values stay encoded here (`msgspec.Raw`): only the method's own codec reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from firefly.errors import BadMessage

ARGUMENTS, RESULTS = 0, 1
"""Directions of a stream: towards the handler, towards the caller."""

INLINE_LIMIT = 65_536 + 512
"""Bytes of an encoded value that still travels inside its message; a bigger one goes as fragments."""
MAX_VALUE = 64 * 2**20
FRAGMENT_SIZE = 32 * 2**10
MAX_ERROR = 16 * 2**10
"""Bytes of the body of an error."""
MAX_CAPABILITIES = 64
"""Capabilities that one message may pass."""

Capabilities = list[tuple[bytes, bytes]]
"""What a message passes: resource id and address of the owner's node, 16 bytes each."""


class Request(Struct, array_like=True, tag=1):
    """A call. `deadline` is µs left, `grant` the number of a chain presented before."""

    call: int
    resource: bytes
    selector: int
    deadline: int | None
    grant: int | None
    arguments: Raw
    capabilities: Capabilities | None = None


class Result(Struct, array_like=True, tag=2):
    """The last word of a call that succeeded; of a stream of results it is the end."""

    call: int
    value: Raw
    capabilities: Capabilities | None = None


class Error(Struct, array_like=True, tag=3):
    """The last word of a call that failed."""

    call: int
    code: int
    body: bytes


class Notify(Struct, array_like=True, tag=4):
    """Notifications of one method of one resource, in order."""

    resource: bytes
    selector: int
    arguments: list[Raw]
    capabilities: Capabilities | None = None


class Cancel(Struct, array_like=True, tag=5):
    call: int


class Item(Struct, array_like=True, tag=6):
    """Items of one stream, in order."""

    call: int
    direction: int
    values: list[Raw]
    capabilities: Capabilities | None = None


class End(Struct, array_like=True, tag=7):
    """The end of a stream of arguments; `error` is its code and body if the source failed."""

    call: int
    direction: int
    error: tuple[int, bytes] | None = None


class Credit(Struct, array_like=True, tag=8):
    """Room for `size` more encoded bytes of a stream (`target` is its call) or of notifications to a resource."""

    target: int | bytes
    direction: int
    size: int


class Fragment(Struct, array_like=True, tag=9):
    transfer: int
    total: int
    data: bytes


class Grant(Struct, array_like=True, tag=10):
    number: int
    chain: list[bytes]


class Release(Struct, array_like=True, tag=11):
    resource: bytes
    copies: int


class Signed(Struct, array_like=True, tag=12):
    envelopes: list[bytes]


Message = Request | Result | Error | Notify | Cancel | Item | End | Credit | Fragment | Grant | Release | Signed

encode = msgspec.msgpack.Encoder().encode
"""Encodes a list of messages as one record."""
_decode = msgspec.msgpack.Decoder(list[Message]).decode


def decode_record(record: bytes | memoryview) -> list[Message]:
    """Splits a record. Raises BadMessage, the peer's fault, for anything else than messages."""
    try:
        return _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("the peer sent a record that is no list of messages", cause=str(error)) from None


_ARRAY = struct.Struct(">BI")
_TRANSFER = struct.Struct(">BBI")
MARK_SIZE = _TRANSFER.size


def join(values: Sequence[bytes | Raw]) -> Raw:
    """A MessagePack array of values that are already encoded."""
    count = len(values)
    head = bytes((0x90 | count,)) if count < 16 else _ARRAY.pack(0xDD, count)
    return Raw(head + b"".join(values))


def transfer_mark(number: int) -> bytes:
    """What stands for a value that travels as fragments: MessagePack ext 1 with the transfer's number (u32)."""
    return _TRANSFER.pack(0xD6, 1, number)


def transfer_of(value: Raw) -> int | None:
    """The transfer that brings `value`, or None if it is here."""
    if len(value) != MARK_SIZE:
        return None
    first, kind, number = _TRANSFER.unpack(memoryview(value))
    return number if (first, kind) == (0xD6, 1) else None


def check_capabilities(message: Any) -> None:
    """Raises BadMessage for a list of capabilities that is too long or malformed, or for several values."""
    listed = message.capabilities
    if len(listed) > MAX_CAPABILITIES or any(len(i) != 16 or len(node) != 16 for i, node in listed):
        raise BadMessage(f"a message passes at most {MAX_CAPABILITIES} capabilities of 16 + 16 bytes")
    values = message.arguments if isinstance(message, Notify) else getattr(message, "values", ())
    if len(values) > 1:
        raise BadMessage("a message that passes capabilities has one value, in which they stand")
