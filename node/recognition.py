"""How a node on the same network is recognised by its own, and by nobody else (docs/concepts/security.md, Discovery).

A node announces a token that it makes of its namespace's key, the hour and its address. Who has the key computes the
tokens of all nodes of the namespace, and looks up what it hears; to everybody else a token is 16 random bytes, and
those of the next hour are others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from node.directory import NamespaceKey

HOUR = 3600
TOKEN_SIZE = 16
Tokens = dict[bytes, bytes]
"""Addresses by token."""


def hour_of(unix: float) -> int:
    """The number of the hour of a Unix time."""
    return int(unix // HOUR)


def token_of(secret: NamespaceKey, hour: int, address: bytes) -> bytes:
    """What the node with this address is known by for an hour."""
    said = hour.to_bytes(8, "big") + address
    return hashlib.blake2b(said, digest_size=TOKEN_SIZE, key=secret.secret, person=b"glow lan token").digest()


def tokens_of(secret: NamespaceKey, hour: int, addresses: Iterable[bytes]) -> Tokens:
    """What these nodes may be known by in this hour; clocks may be an hour apart."""
    hours = hour - 1, hour, hour + 1
    return {token_of(secret, each, address): address for address in addresses for each in hours}
