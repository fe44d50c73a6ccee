"""The user key sealed by a passphrase: Argon2id makes a key of the passphrase, SecretBox seals with it
(docs/concepts/security.md, Authority).
"""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from msgspec import Meta
from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from firefly.errors import InvalidArgument
from firefly.keys import SEED_SIZE, NodeKey

VERSION = 1
PASSES, MEMORY = pwhash.argon2id.OPSLIMIT_MODERATE, pwhash.argon2id.MEMLIMIT_MODERATE
"""What a guess costs: about a second, and 256 MiB. A sealed key that asks for more is refused, not tried."""


class _Sealed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    salt: Annotated[bytes, Meta(min_length=pwhash.argon2id.SALTBYTES, max_length=pwhash.argon2id.SALTBYTES)]
    passes: Annotated[int, Meta(ge=pwhash.argon2id.OPSLIMIT_MIN, le=PASSES)]
    memory: Annotated[int, Meta(ge=pwhash.argon2id.MEMLIMIT_MIN, le=MEMORY)]
    box: Annotated[bytes, Meta(max_length=256)]


class WrongPassphrase(InvalidArgument):
    """The passphrase is not the one that the key was sealed with, or the sealed key was changed."""


def seal_user_key(key: NodeKey, passphrase: str, *, passes: int = PASSES, memory: int = MEMORY) -> bytes:
    """The key as it may be kept: `[version, salt, passes, memory in bytes, box]`. Takes about a second on purpose."""
    salt = os.urandom(pwhash.argon2id.SALTBYTES)
    box = _box(passphrase, salt, passes, memory).encrypt(key.seed)
    return msgspec.msgpack.encode(_Sealed(VERSION, salt, passes, memory, bytes(box)))


def open_user_key(sealed: bytes, passphrase: str) -> NodeKey:
    """Raises WrongPassphrase; InvalidArgument if `sealed` is no sealed key."""
    try:
        parts = msgspec.msgpack.decode(sealed, type=_Sealed)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidArgument("this is no sealed user key", cause=str(error)) from None
    if parts.version != VERSION:
        raise InvalidArgument("the user key was sealed by another version of Glow", hint="upgrade Glow")
    try:
        seed = _box(passphrase, parts.salt, parts.passes, parts.memory).decrypt(parts.box)
    except (CryptoError, ValueError, TypeError):
        raise WrongPassphrase("the user key does not open", cause="the passphrase is wrong") from None
    if len(seed) != SEED_SIZE:
        raise InvalidArgument("what was sealed is no user key")
    return NodeKey(seed)


def _box(passphrase: str, salt: bytes, passes: int, memory: int) -> SecretBox:
    key = pwhash.argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=passes, memlimit=memory)
    return SecretBox(key)
