"""What a knock holds: a node's question how another can be reached, or the answer (docs/concepts/wire.md, 1 Link).

It is sealed by the keys of both (X25519 of their identities, XSalsa20-Poly1305), so that the hub which carries it
learns no address and makes up no question. It can still lose, delay, repeat and mirror one: numbers that rise, and the
sender's key inside, tell.
"""

from __future__ import annotations

import os
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from nacl import bindings
from nacl.exceptions import CryptoError

from firefly.errors import BadHandshake, BadMessage, TooLarge
from firefly.interfaces.core import Meeting
from firefly.keys import NodeKey, exchange_key_of

VERSION: Final = 1
ASK: Final = 1
ANSWER: Final = 2
MAX_CONTENT = 16 * 2**10
"""Bytes of a knock's content (idl/interfaces/signaling.firefly)."""
NONCE_SIZE = bindings.crypto_box_NONCEBYTES


class Message(msgspec.Struct, array_like=True, frozen=True):
    """`number` is that of the question, for both."""

    step: Literal[1, 2]
    number: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    meeting: Meeting


class _Content(msgspec.Struct, array_like=True, frozen=True):
    version: Literal[1]
    sender: Annotated[bytes, Meta(min_length=32, max_length=32)]
    message: Message


_decode = msgspec.msgpack.Decoder(_Content).decode


def seal(key: NodeKey, receiver: bytes, message: Message) -> bytes:
    """The content of a knock for the node with the key `receiver`. Raises TooLarge, BadHandshake for no such key."""
    plaintext = msgspec.msgpack.encode(_Content(VERSION, key.public, message))
    nonce = os.urandom(NONCE_SIZE)
    sealed: bytes = bindings.crypto_box(plaintext, nonce, exchange_key_of(receiver), key.exchange_private)
    if len(nonce + sealed) > MAX_CONTENT:
        raise TooLarge(f"a knock has at most {MAX_CONTENT} bytes, not {len(nonce + sealed)}")
    return nonce + sealed


def unseal(key: NodeKey, sender: bytes, content: bytes) -> Message:
    """What the node with the key `sender` says to this one. Raises BadMessage if it did not say that."""
    nonce, sealed = content[:NONCE_SIZE], content[NONCE_SIZE:]
    try:
        plaintext = bindings.crypto_box_open(sealed, nonce, exchange_key_of(sender), key.exchange_private)
        found = _decode(plaintext)
    except (CryptoError, BadHandshake, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadMessage("a knock does not open", cause=str(error)) from None
    if found.sender != sender:
        raise BadMessage("a knock of another node was mirrored")
    return found.message
