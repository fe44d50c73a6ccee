"""Neighbours without a certificate that are dealt with all the same (docs/concepts/wire.md, 3 Routing).

A hub whose policy is open forwards what such a neighbour sends in its own name, and what is for it; one whose policy is
granted does so for those alone that its owner has listed. A node that uses a hub of others gives it what is for other
namespaces, and takes from it what is for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from firefly.address import format_address
from node.routing import Admitted

MINE, GRANTED, OPEN = "mine", "granted", "open"
MAX_ADMITTED = 256
"""Neighbours that a hub admits: as many as its record can name."""


class Ending(NamedTuple):
    """Why a link ends. The other side is told the reason, of which a WebSocket passes on 123 bytes."""

    reason: str
    hint: str = ""


UNKNOWN = Ending(
    "the neighbour showed no certificate of a namespace that this node is in",
    "`glow invite` here, then `glow join` there, makes it one of your devices",
)
ENDED = Ending("this node is not, or has not, a hub for the other one any more")
FULL = Ending(f"this hub serves {MAX_ADMITTED} nodes of others, and no more")


class Neighbour(Protocol):
    """What is asked of a link."""

    peer_key: bytes
    peer_address: bytes
    certified: bool
    admitted: Admitted | None


class Admission:
    """The policy, and the hubs in use. `known` tells whether a node has, or had, a certificate of ours: it is a matter
    of certificates then. `changed` hears that links are to be judged anew.
    """

    def __init__(self, known: Callable[[bytes], bool], changed: Callable[[], None]) -> None:
        self._known = known
        self._changed = changed
        self._policy = MINE
        self._granted: frozenset[bytes] = frozenset()
        self._hubs: frozenset[bytes] = frozenset()

    def set_policy(self, policy: str) -> None:
        """Takes the setting `hub.admits`."""
        self._policy = policy
        self._changed()

    def set_granted(self, addresses: Collection[bytes]) -> None:
        """Takes the setting `hub.granted`."""
        self._granted = frozenset(addresses)
        self._changed()

    def set_hubs(self, addresses: Collection[bytes]) -> None:
        """Takes the setting `hub.uses`."""
        self._hubs = frozenset(addresses)
        self._changed()

    @property
    def lists(self) -> bool:
        """Whether this node serves those alone that its owner has listed."""
        return self._policy == GRANTED

    def uses(self, address: bytes | None = None) -> bool:
        """Whether this node uses a hub of others; without an address, any."""
        return bool(self._hubs) if address is None else address in self._hubs

    def judge(self, link: Neighbour, others: Collection[Neighbour]) -> Admitted | None:
        """What a neighbour is admitted as; `others` are the links that are up."""
        if link.certified or self._known(link.peer_address):
            return None
        if link.peer_address in self._hubs:
            return Admitted.HUB
        if not self._serves(link.peer_address):
            return None
        admitted = sum(other.admitted is Admitted.NODE for other in others if other is not link)
        return Admitted.NODE if admitted < MAX_ADMITTED else None

    def _serves(self, address: bytes) -> bool:
        """Whether the policy admits a node that has no certificate."""
        return self._policy == OPEN or (self._policy == GRANTED and address in self._granted)

    def ending(self, link: Neighbour, before: Admitted | None = None) -> Ending:
        """Why a neighbour without a certificate is not dealt with, or no more; `before`: what it was admitted as."""
        if self._policy == GRANTED and before is not Admitted.HUB and not self._serves(link.peer_address):
            return not_listed(link.peer_address)
        if before is not None:
            return ENDED
        return FULL if self._serves(link.peer_address) else UNKNOWN


def not_listed(address: bytes) -> Ending:
    """What the owner of the refused node can ask for."""
    text = format_address(address)
    return Ending(
        f"this hub serves only nodes that its owner lists: ask for {text} in hub.granted",
        f"to serve it, too: glow config get hub.granted, then glow config set hub.granted with {text} added",
    )
