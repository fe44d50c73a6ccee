"""What is known of a node to which a direct link is looked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from node.links.link import Link

BACK_OFF = 30.0, 1800.0
"""Seconds until the next attempt after one that failed, and at most, after many; each time four times as long."""


@dataclass(eq=False)
class Acquaintance:
    """A node that is talked with or sought, and how it stands with the direct link to it."""

    address: bytes
    failures: int = 0
    next_attempt: float = 0.0
    trying: bool = False
    answered: bool = False
    """Whether it has said, in this attempt or the last one, how it can be reached."""
    tried: list[str] = field(default_factory=list)
    stale: frozenset[Link] = frozenset()
    """Data channels from before the network changed: another is made beside them."""
    asking: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around a question that goes over a path: ended when that is lost."""
    behind: tuple[str, str] = "", ""
    """What this device and the other one are behind, as far as it was found out."""

    def failed(self, now: float) -> None:
        self.next_attempt = now + min(BACK_OFF[0] * 4**self.failures, BACK_OFF[1])
        self.failures += 1

    def begin_anew(self) -> None:
        self.failures, self.next_attempt = 0, 0.0

    def outcome(self, now: float) -> str:
        """What came of the last attempt, and when the next is made."""
        if self.trying or not self.tried:
            return "a direct link is being looked for"
        seconds = max(self.next_attempt - now, 0.0)
        here, there = self.behind
        behind = f"; this device is behind {here}" * bool(here) + f"; the other one is behind {there}" * bool(there)
        return f"tried {'; '.join(self.tried)}{behind}; again in {seconds:.0f} s"
