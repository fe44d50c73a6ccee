"""Packets: the unit that is routed (docs/concepts/wire.md, 2 Packet).

Every fixed layout is declared once, with construct; the hot path uses the `struct` that is derived from it.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

import construct

from firefly.errors import BadPacket

VERSION = 1
DATA, HANDSHAKE, TOPOLOGY, PROBE, UNREACHABLE, DETOUR = range(1, 7)
CONTROL, INTERACTIVE, BULK = range(3)
"""Priorities; interactive and bulk are also the numbers of a session's lanes."""
HOP_LIMIT = 128
CROSSED = 1
"""Flag: the packet crossed a hub."""
MAX_PAYLOAD = 69_632


def derive(layout: Any) -> struct.Struct:
    """The `struct` of a construct declaration of integers and byte strings of fixed size."""
    return struct.Struct(">" + "".join(_code(part.subcon) for part in layout.subcons))


def _code(part: Any) -> str:
    if isinstance(part, construct.FormatField):
        return str(part.fmtstr).removeprefix(">")
    return f"{part.sizeof()}s"


Header = construct.Struct(
    "version_and_kind" / construct.Int8ub,
    "hop_limit" / construct.Int8ub,
    "priority" / construct.Int8ub,
    "flags" / construct.Int8ub,
    "length" / construct.Int32ub,
    "destination" / construct.Bytes(16),
    "source" / construct.Bytes(16),
)
HEADER = derive(Header)
HEADER_SIZE = HEADER.size

SessionPrefix = construct.Struct("receiver_index" / construct.Int32ub, "number" / construct.Int64ub)
SESSION_PREFIX = derive(SessionPrefix)

HandshakePrefix = construct.Struct(
    "step" / construct.Int8ub, "sender_index" / construct.Int32ub, "receiver_index" / construct.Int32ub
)
HANDSHAKE_PREFIX = derive(HandshakePrefix)

ProbePayload = construct.Struct("step" / construct.Int8ub, "number" / construct.Int64ub)
PROBE_PAYLOAD = derive(ProbePayload)

QUOTED = 28
"""Bytes of the offending payload that an UNREACHABLE quotes, at most."""


class ProbeStep(IntEnum):
    ASK = 1
    ANSWER = 2


class UnreachableReason(IntEnum):
    NO_ROUTE = 1
    HOP_LIMIT = 2
    UNKNOWN_SESSION = 3
    REFUSED = 4


def pack_header(
    kind: int,
    priority: int,
    length: int,
    destination: bytes,
    source: bytes,
    hop_limit: int = HOP_LIMIT,
    flags: int = 0,
) -> bytes:
    return HEADER.pack(VERSION << 4 | kind, hop_limit, priority, flags, length, destination, source)


def parse_header(buffer: bytes | memoryview, offset: int = 0) -> tuple[int, int, int, int, int, bytes, bytes]:
    """(kind, hop limit, priority, flags, length, destination, source). Raises BadPacket, the peer's fault."""
    if len(buffer) - offset < HEADER_SIZE:
        raise BadPacket("a packet is shorter than its header")
    first, hop_limit, priority, flags, length, destination, source = HEADER.unpack_from(buffer, offset)
    if first >> 4 != VERSION:
        raise BadPacket(f"a packet of version {first >> 4}")
    if length > MAX_PAYLOAD or length > len(buffer) - offset - HEADER_SIZE:
        raise BadPacket(f"a packet says that its payload has {length} bytes")
    return first & 15, hop_limit, priority, flags, length, destination, source


def split_bundle(bundle: bytes) -> list[bytes]:
    """The packets of a bundle, headers included. Raises BadPacket, the peer's fault."""
    packets, offset = [], 0
    while offset < len(bundle):
        end = offset + HEADER_SIZE + parse_header(bundle, offset)[4]
        packets.append(bundle[offset:end])
        offset = end
    return packets


def pack_unreachable(reason: UnreachableReason, offending: bytes) -> bytes:
    """The payload of an UNREACHABLE about a packet with the payload `offending`, and never longer than that.

    Nothing is to be said about an empty one: there would be nothing to know it by.
    """
    return bytes((reason,)) + offending[: min(QUOTED, max(len(offending) - 1, 0))]


def parse_unreachable(payload: bytes) -> tuple[int, bytes]:
    """(reason, quoted); the reason may be one that this version does not know. Raises BadPacket, the peer's fault."""
    if not 1 <= len(payload) <= 1 + QUOTED:
        raise BadPacket("an UNREACHABLE has the wrong length")
    return payload[0], bytes(payload[1:])
