"""What the handshake of a session leads to (docs/concepts/wire.md, 4 Session)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a handshake leads to. Keys are Ed25519 for `peer_key`, the record cipher's (`cipher`) for the others."""

    own_address: bytes
    peer_address: bytes
    peer_key: bytes
    peer_instance: bytes
    index: int
    peer_index: int
    sealing_key: bytes
    opening_key: bytes
    cipher: int
    initiator: bool
