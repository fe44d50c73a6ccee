"""Neighbours without a certificate that are dealt with all the same (docs/concepts/wire.md, 3 Routing).

A hub whose policy is open forwards what such a neighbour sends in its own name, and what is for it. A node that uses a
hub of others gives it what is for other namespaces, and takes from it what is for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from node.routing import Admitted

OPEN = "open"
MAX_ADMITTED = 256
"""Neighbours that a hub admits: as many as its record can name."""


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
        self._open = False
        self._hubs: frozenset[bytes] = frozenset()

    def set_policy(self, policy: str) -> None:
        """Takes the setting `hub.admits`."""
        self._open = policy == OPEN
        self._changed()

    def set_hubs(self, addresses: Collection[bytes]) -> None:
        """Takes the setting `hub.uses`."""
        self._hubs = frozenset(addresses)
        self._changed()

    def judge(self, link: Neighbour, others: Collection[Neighbour]) -> Admitted | None:
        """What a neighbour is admitted as; `others` are the links that are up."""
        if link.certified or self._known(link.peer_address):
            return None
        if link.peer_address in self._hubs:
            return Admitted.HUB
        if not self._open:
            return None
        admitted = sum(other.admitted is Admitted.NODE for other in others if other is not link)
        return Admitted.NODE if admitted < MAX_ADMITTED else None
