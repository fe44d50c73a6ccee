"""What a TOPOLOGY packet holds: MessagePack `[what, …]`. Source: docs/concepts/wire.md, section 2."""

from typing import Annotated

import msgspec

from firefly.errors import BadMessage

DIGESTS = 1024  # per HAVE and per WANT
ENVELOPE_SIZE = 64 * 1024
MAX_REASON = 250  # characters
AGE_MAX = 2**31 - 1  # seconds

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Digests = Annotated[list[Digest], msgspec.Meta(max_length=DIGESTS)]


class Signed(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A signed statement, and how many seconds ago its signer first sent it."""

    age: Annotated[int, msgspec.Meta(ge=0, le=AGE_MAX)]
    envelope: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_SIZE)]


class Have(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Ids of statements that the sender holds. Who lacks some asks for them."""

    namespace: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    kind: Annotated[str, msgspec.Meta(max_length=32)]
    digests: Digests


class Want(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Ids of statements that the sender lacks. A node key instead of an id asks for that key's certificate."""

    ids: Digests


class Pair(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """A step of pairing; see docs/concepts/security.md, "Pairing"."""

    step: Annotated[int, msgspec.Meta(ge=0, le=255)]
    body: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_SIZE)]


class Close(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """The sender ends the link, and says why: the last message, over a transport that has no words for it."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)]


Message = Signed | Have | Want | Pair | Close

_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_ENCODER = msgspec.msgpack.Encoder()


def encode_message(message: Message) -> bytes:
    return _ENCODER.encode(message)


def decode_message(payload: bytes | memoryview) -> Message:
    """Raises BadMessage, the neighbour's fault."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exception:
        raise BadMessage(f"a TOPOLOGY packet is malformed: {exception}") from exception
