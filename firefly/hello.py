"""What the two sides of a handshake say of themselves: `[identity key, instance, versions, record ciphers, limits]`
(docs/concepts/wire.md, 1 Link).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from firefly.errors import BadHandshake
from firefly.keys import exchange_key_of
from firefly.sealing import KINDS, offered

WIRE_VERSION = 1
INSTANCE_SIZE = 8
Limits = dict[Annotated[str, Meta(max_length=32)], Annotated[int, Meta(ge=0)]]


class Hello(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """`key` is the Ed25519 identity, `instance` 8 random bytes of this start of the node.

    Nothing else may be in it; what a later version wants to say beforehand goes into `limits`.
    """

    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    instance: Annotated[bytes, Meta(min_length=INSTANCE_SIZE, max_length=INSTANCE_SIZE)]
    versions: Annotated[list[int], Meta(max_length=16)]
    ciphers: Annotated[list[int], Meta(max_length=16)]
    limits: Annotated[Limits, Meta(max_length=16)] = {}


_decode = msgspec.msgpack.Decoder(Hello).decode


def encode_hello(key: bytes, instance: bytes, ciphers: Sequence[int] | None = None) -> bytes:
    return msgspec.msgpack.encode(Hello(key, instance, [WIRE_VERSION], list(ciphers or offered())))


def decode_hello(payload: bytes, remote_static: bytes, expected_key: bytes | None = None) -> Hello:
    """The peer's hello, proven: its identity is the key that it shook hands with, and the expected one.

    Raises BadHandshake, the peer's fault.
    """
    try:
        hello = _decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadHandshake("the peer's hello is malformed", cause=str(error)) from None
    if exchange_key_of(hello.key) != remote_static:
        raise BadHandshake("the peer's identity is not the key that it shook hands with")
    if expected_key is not None and hello.key != expected_key:
        raise BadHandshake(
            "another node answers there",
            cause=f"its key is {hello.key.hex()[:16]}…, not {expected_key.hex()[:16]}…",
            hint="the device was set up anew, or its address belongs to another one now; invite it again",
        )
    if WIRE_VERSION not in hello.versions:
        raise BadHandshake(f"the peer speaks the versions {hello.versions}, not {WIRE_VERSION}")
    return hello


def choose_cipher(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """The best cipher that both offer, the same on both sides. Raises BadHandshake if there is none."""
    common = set(ours) & set(theirs) & set(KINDS)
    if not common:
        raise BadHandshake("the peer offers no record cipher that this node has")
    return max(common)
