"""The link-state record: what one node says about its own edges in one namespace.

A record travels as a signed statement (`firefly/envelope.py`) of kind `link-state`; the signer is the node it speaks
for. Its age is not in it: that changes on the way and travels beside. Source: docs/concepts/wire.md, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Annotated

import msgspec

from firefly.address import address_of
from firefly.envelope import Envelope, sign
from firefly.errors import BadRecord
from firefly.keys import NodeKey

KIND = "link-state"
RECORD_SIZE = 16 * 1024  # bytes of a whole signed record
NEIGHBOURS = 128
ATTACHED = 256
COST_MAX = 2**32 - 1  # µs
SEQUENCE_MAX = 2**63 - 1

Address = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Cost = Annotated[int, msgspec.Meta(ge=1, le=COST_MAX)]


class Relay(IntEnum):
    """How willing a node is to forward for others."""

    ALWAYS = 1
    RELUCTANT = 2  # only when nothing else can: a phone, a battery, a metered line
    NEVER = 3  # an end point


class _Body(msgspec.Struct, array_like=True, frozen=True):
    namespace: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    instance: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    sequence: Annotated[int, msgspec.Meta(ge=1, le=SEQUENCE_MAX)]
    relay: Relay
    neighbours: Annotated[list[tuple[Address, Cost]], msgspec.Meta(max_length=NEIGHBOURS)]
    attached: Annotated[list[Address], msgspec.Meta(max_length=ATTACHED)]


@dataclass(frozen=True, slots=True)
class Record:
    """The edges of the node `address`, each with its cost in µs, and the foreigners attached to it."""

    namespace: bytes
    address: bytes
    instance: bytes
    sequence: int
    relay: Relay = Relay.ALWAYS
    neighbours: Mapping[bytes, int] = field(default_factory=dict)
    attached: tuple[bytes, ...] = ()

    def same_edges(self, other: "Record") -> bool:
        """True if nothing that routes depend on differs: a refresh."""
        return (self.relay, self.neighbours, self.attached) == (other.relay, other.neighbours, other.attached)


def sign_record(record: Record, key: NodeKey) -> bytes:
    """The record as a signed envelope, neighbours and foreigners in ascending order.

    Raises ValueError if it breaks a bound of the wire: then it would be refused by everybody.
    """
    body = _Body(
        namespace=record.namespace,
        instance=record.instance,
        sequence=record.sequence,
        relay=record.relay,
        neighbours=sorted(record.neighbours.items()),
        attached=sorted(record.attached),
    )
    encoded = msgspec.msgpack.encode(body)
    _decode(encoded, key.address, ValueError)
    return sign(KIND, encoded, key)


def read_record(envelope: Envelope) -> Record:
    """The record in a verified envelope of kind `link-state`. Raises BadRecord, the signer's fault."""
    return _decode(envelope.body, address_of(envelope.signer), BadRecord)


_DECODER = msgspec.msgpack.Decoder(_Body)


def _decode(encoded: bytes, address: bytes, error: type[Exception]) -> Record:
    try:
        body = _DECODER.decode(encoded)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exception:
        raise error(f"a link-state record is malformed: {exception}") from exception
    neighbours = [neighbour for neighbour, _ in body.neighbours]
    for listed in (neighbours, body.attached):
        if any(left >= right for left, right in pairwise(listed)):
            raise error("a link-state record lists an address twice or out of order")
    if address in neighbours or address in body.attached:
        raise error("a link-state record lists its own node")
    return Record(
        namespace=body.namespace,
        address=address,
        instance=body.instance,
        sequence=body.sequence,
        relay=body.relay,
        neighbours=dict(body.neighbours),
        attached=tuple(body.attached),
    )
