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
_REMEMBERED = 4096
"""Signatures that are remembered as right: the same envelope floods in over every link."""


class _Wire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    kind: Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[a-z-]+\Z")]
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
_right: OrderedDict[bytes, None] = OrderedDict()  # by id and signature, the longest unused first


def _signed_bytes(kind: str, body: bytes) -> bytes:
    return b"glow/1/" + kind.encode() + b"\0" + body


def identifier(kind: str, signer: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(kind.encode() + b"\0" + signer + body, digest_size=32).digest()


def sign(kind: str, body: bytes, key: NodeKey) -> bytes:
    """The envelope as it travels. Raises ValueError if it is bigger than anyone accepts."""
    data = msgspec.msgpack.encode(_Wire(kind, body, key.public, key.sign(_signed_bytes(kind, body))))
    if len(data) > MAX_SIZE:
        raise ValueError(f"a signed statement of {len(data)} bytes, over {MAX_SIZE}")
    return data


def open_envelope(data: bytes | memoryview) -> Envelope:
    """Verifies. Raises BadEnvelope, the fault of whoever sent it."""
    if len(data) > MAX_SIZE:
        raise BadEnvelope(f"a signed statement has over {MAX_SIZE} bytes")
    try:
        wire = _decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEnvelope("a signed statement is malformed", cause=str(error)) from None
    envelope = Envelope(wire.kind, wire.body, wire.signer, identifier(wire.kind, wire.signer, wire.body))
    _verify(envelope, wire.signature)
    return envelope


def _verify(envelope: Envelope, signature: bytes) -> None:
    """Once: 55 µs each would let whoever repeats old statements keep a core busy."""
    token = envelope.id + signature
    if token in _right:
        _right.move_to_end(token)
        return
    if not verify(envelope.signer, _signed_bytes(envelope.kind, envelope.body), signature):
        raise BadEnvelope(f"the signature of a {envelope.kind} statement is wrong")
    _right[token] = None
    if len(_right) > _REMEMBERED:
        _right.popitem(last=False)
