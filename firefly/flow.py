"""What the queue of a link sees of a session: its lanes, each a flow of packets that are sealed as they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from firefly.packet import BULK, INTERACTIVE

if TYPE_CHECKING:
    from firefly.detour import Way
    from firefly.session import Session

CONTROL_LANE = 0
PRIORITIES = (INTERACTIVE, INTERACTIVE, BULK, -1)
"""The priority of each lane's packets; there is no lane 3."""


class Messages(Protocol):
    """What waits to be sent: rpc's outbox."""

    def take(self, lane: int, budget: int) -> bytes | None: ...
    def waiting(self, lane: int) -> bool: ...


class Flow:
    """A lane of a session as the queue of a link sees it. `way`: the detour that its packets take, if any."""

    __slots__ = ("_pull", "destination", "lane", "priority", "session", "way")

    def __init__(self, session: Session, lane: int) -> None:
        self.session = session
        self.lane = lane
        self.destination = session.peer_address
        self.way: Way | None = None
        self.priority = PRIORITIES[lane]
        self._pull = session.next_control if lane == CONTROL_LANE else session.next_record

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        """A whole packet, sealed now; None while there is nothing to send, or no room in the window."""
        packet = self._pull(self.lane, now, link)
        if self.way is None or packet is None:
            return packet
        self.session.detours.leaves(self.lane, packet, now)
        return self.way.wrap(packet)
