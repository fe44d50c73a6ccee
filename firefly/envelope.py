"""The one envelope of everything signed: `[kind, body, signer, signature]` (docs/concepts/security.md, Authority).

The signature is over `glow/1/`, kind, NUL and body; it is verified on the bytes received, which are never re-encoded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from firefly.errors import BadEnvelope
from firefly.keys import NodeKey, verify

MAX_SIZE = 64 * 2**10
_VERIFIED = 2048
"""Envelopes that are remembered as verified: the same one floods in over every link."""


class _Wire(msgspec.Struct, array_like=True):
    kind: Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z-]+$")]
    body: bytes
    signer: Annotated[bytes, Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A verified statement. `id` is BLAKE2b-256 of kind, NUL, signer and body."""

    kind: str
    body: bytes
    signer: bytes
    id: bytes


_decode = msgspec.msgpack.Decoder(_Wire).decode
_verified: OrderedDict[bytes, Envelope] = OrderedDict()


def _signed_bytes(kind: str, body: bytes) -> bytes:
    return b"glow/1/" + kind.encode() + b"\0" + body


def identifier(kind: str, signer: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(kind.encode() + b"\0" + signer + body, digest_size=32).digest()


def sign(kind: str, body: bytes, key: NodeKey) -> bytes:
    """The envelope as it travels."""
    return msgspec.msgpack.encode(_Wire(kind, body, key.public, key.sign(_signed_bytes(kind, body))))


def open_envelope(data: bytes) -> Envelope:
    """Verifies. Raises BadEnvelope, the fault of whoever sent it."""
    data = bytes(data)
    known = _verified.get(data)
    if known is not None:
        return known
    if len(data) > MAX_SIZE:
        raise BadEnvelope(f"a signed statement has over {MAX_SIZE} bytes")
    try:
        wire = _decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEnvelope("a signed statement is malformed", cause=str(error)) from None
    if not verify(wire.signer, _signed_bytes(wire.kind, wire.body), wire.signature):
        raise BadEnvelope(f"the signature of a {wire.kind} statement is wrong")
    envelope = Envelope(wire.kind, wire.body, wire.signer, identifier(wire.kind, wire.signer, wire.body))
    if len(data) <= 16_384:
        _verified[data] = envelope
    if len(_verified) > _VERIFIED:
        _verified.popitem(last=False)
    return envelope
