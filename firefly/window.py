"""How much a session may have under way (docs/concepts/wire.md, 4 Session).

A fixed number of bytes for now (docs/decisions/0002-fixed-window.md): a congestion controller will set `limit`.
"""

from __future__ import annotations

LIMIT = 2**20
LIMIT_OF_ALL = 256 * 2**20
"""Bytes that all sessions of a node may have under way: with more than 256 sessions each gets an equal share."""


class Window:
    """`used`: bytes of packets, of both lanes, that nobody acknowledged. Below `limit` a record may leave."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.used = 0


def share(sessions: int) -> int:
    """The limit of each of so many sessions."""
    return min(LIMIT, LIMIT_OF_ALL // max(sessions, 1))
