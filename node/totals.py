"""What links and sessions count, together with those that have ended: no total ever goes backwards.

By peer: the first 64 have totals of their own for as long as the node runs, all others share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

MAX_PEERS = 64
OTHERS = b""
"""Stands for every peer without totals of its own."""

LinkPlace = tuple[bytes, str]
"""The address of the neighbour, and the link's kind."""


class Totals:
    """`calls`: events of the conversations that have ended."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._peers: set[bytes] = set()
        self._links: dict[LinkPlace, Counter[str]] = {}
        self._sessions: dict[bytes, Counter[str]] = {}

    def place(self, peer: bytes) -> bytes:
        """The address that a peer is counted under: its own or OTHERS, and always the same."""
        if peer not in self._peers:
            if len(self._peers) >= MAX_PEERS:
                return OTHERS
            self._peers.add(peer)
        return peer

    def link_ended(self, link: Any) -> None:
        """A link of a neighbour that belonged here is over."""
        self._links.setdefault(self._place_of(link), Counter()).update(count_link(link))

    def session_ended(self, session: Any, calls: dict[str, int]) -> None:
        """A session is over, with what its conversation counted."""
        self._sessions.setdefault(self.place(session.peer_address), Counter()).update(asdict(session.counters))
        self.calls.update(calls)

    def links(self, live: Iterable[Any]) -> dict[LinkPlace, Counter[str]]:
        """The totals of all links, of which `live` are still there."""
        found = {place: Counter(counted) for place, counted in self._links.items()}
        for link in live:
            found.setdefault(self._place_of(link), Counter()).update(count_link(link))
        return found

    def sessions(self, live: Iterable[Any]) -> dict[bytes, Counter[str]]:
        """The same of sessions."""
        found = {peer: Counter(counted) for peer, counted in self._sessions.items()}
        for session in live:
            found.setdefault(self.place(session.peer_address), Counter()).update(asdict(session.counters))
        return found

    def _place_of(self, link: Any) -> LinkPlace:
        return self.place(link.peer_address), link.kind


def count_link(link: Any) -> Counter[str]:
    """Bytes of the link, packets that left by it, and by reason what was not queued for it."""
    queue = link.queue
    own = {"sent": link.sent_bytes, "received": link.received_bytes, "packets": queue.counters.packets}
    return Counter(own | asdict(queue.transit.counters))
