"""A node gives back memory that it does not need at present: nearly all of a hub's thousands of links do nothing.

What a link and its session need only at work, ciphers above all, is a fifth of what an attached node takes of a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import trio

CHECK = 1.0
"""Seconds without work until a link or session begins to rest, at least; at most twice that."""


class Resting(Protocol):
    """A link or session. It wakes by itself."""

    def rest(self) -> None: ...


async def rest(links: Iterable[Resting], sessions: Callable[[], Iterable[Resting]]) -> None:
    """Has those that do nothing rest, until it is cancelled."""
    while True:
        await trio.sleep(CHECK)
        for resting in [*links, *sessions()]:
            resting.rest()
