"""The queue of a link: who may send next. It is on the path of every packet.

A link that can write pulls a bundle. Control goes first; then interactive over bulk by weight, so that bulk is slow
but never starved; inside each priority the arrival links take turns (this node's own sessions count as one), and
inside an arrival link its flows do. Nothing is sealed or copied before its turn has come.

Turns are a deficit round-robin for flows whose next packet's size is not known beforehand: a flow sends while it is in
credit, may overdraw it by one packet, and pays that off in later rounds. The rings are lists: a hub has thousands of
links with nothing to send, and an empty deque takes 760 bytes. Source: docs/concepts/wire.md, section 2, after
Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round-Robin" (1996).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from node.transit import FLOW_LIMIT, LINK_LIMIT, Transit, TransitFlow

INTERACTIVE_QUANTUM = 4 * 1024  # bytes per turn
BULK_QUANTUM = 8 * 1024
WEIGHT = 8  # bytes of interactive per byte of bulk while both have something to send
AHEAD = WEIGHT * INTERACTIVE_QUANTUM  # bytes that interactive may be ahead of its weight
MINIMUM_ROOM = 2 * 1024  # a bundle with less room than this is full: no session cuts its records to fit a crumb


class Flow(Protocol):
    """A lane of a local session, a flow of transit packets, or a source of control packets."""

    @property
    def priority(self) -> int: ...
    @property
    def destination(self) -> bytes: ...
    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        """A whole packet of `budget` bytes if it can be so, else a bigger one; None = ask again after `ready`."""


@dataclass(slots=True)
class QueueCounters:
    """What left by the link."""

    bundles: int = 0
    packets: int = 0
    bytes: int = 0


class _Share:
    """A place in a ring, with the bytes that may still be sent in this turn (below 0: owed from an earlier one)."""

    __slots__ = ("deficit",)

    def __init__(self, quantum: int) -> None:
        self.deficit = quantum


class _Turn(_Share):
    """The place of one flow among those of its arrival link."""

    __slots__ = ("arrival", "flow")

    def __init__(self, quantum: int, flow: Flow, arrival: "_Arrival") -> None:
        super().__init__(quantum)
        self.flow = flow
        self.arrival = arrival


class _Arrival(_Share):
    """The place of one arrival link, with the ring of its flows that have something to send."""

    __slots__ = ("link", "turns")

    def __init__(self, quantum: int, link: Hashable) -> None:
        super().__init__(quantum)
        self.link = link
        self.turns: list[_Turn] = []


class _Level:
    """The flows of one priority that have something to send."""

    __slots__ = ("_by_link", "_quantum", "_ring", "active")

    def __init__(self, quantum: int) -> None:
        self.active: dict[Flow, _Turn] = {}
        self._quantum = quantum
        self._ring: list[_Arrival] = []
        self._by_link: dict[Hashable, _Arrival] = {}

    def add(self, flow: Flow, link: Hashable) -> None:
        if flow in self.active:
            return
        arrival = self._by_link.get(link)
        if arrival is None:
            arrival = self._by_link[link] = _Arrival(self._quantum, link)
            self._ring.append(arrival)
        turn = self.active[flow] = _Turn(self._quantum, flow, arrival)
        arrival.turns.append(turn)

    def remove(self, turn: _Turn) -> None:
        arrival = turn.arrival
        del self.active[turn.flow]
        arrival.turns.remove(turn)
        if not arrival.turns:
            self._ring.remove(arrival)
            del self._by_link[arrival.link]

    def shrink(self) -> None:
        if not self.active:
            self.active, self._by_link = {}, {}  # a dict keeps the room of what it had

    def serve(self, packets: list[bytes], room: int, limit: int, now: float, link: Hashable) -> int:
        """Append packets of the flow whose turn it is until `limit` bytes are reached; return their bytes."""
        arrival = self._ring[0]
        turn = arrival.turns[0]
        alone = len(self.active) == 1
        if not alone:
            limit = min(limit, turn.deficit, arrival.deficit)
        pull = turn.flow.next_packet
        taken = 0
        while taken < limit:
            packet = pull(room - taken, now, link)
            if packet is None:
                arrival.deficit -= taken
                self.remove(turn)
                break
            packets.append(packet)
            taken += len(packet)
        else:
            if alone:
                return taken
            turn.deficit -= taken
            arrival.deficit -= taken
            _next_turn(arrival.turns, self._quantum)
        if self._ring:
            _next_turn(self._ring, self._quantum)
        return taken


def _next_turn(ring: list[_Turn] | list[_Arrival], quantum: int) -> None:
    """Bring one that is in credit to the front; who has used up its turn is given the next one and goes to the back."""
    while ring[0].deficit <= 0:
        ring[0].deficit += quantum
        ring.append(ring.pop(0))  # type: ignore[arg-type]


class LinkQueue:
    """Everything that waits for one link. `link` is only handed through to the flows."""

    __slots__ = (
        "_ahead",
        "_bulk",
        "_control",
        "_held",
        "_interactive",
        "_levels",
        "counters",
        "link",
        "transit",
    )

    def __init__(self, link: Hashable, *, flow_limit: int = FLOW_LIMIT, link_limit: int = LINK_LIMIT) -> None:
        self.link = link
        self.counters = QueueCounters()
        self.transit = Transit(self.ready, flow_limit=flow_limit, link_limit=link_limit)
        self._control = _Level(INTERACTIVE_QUANTUM)
        self._interactive = _Level(INTERACTIVE_QUANTUM)
        self._bulk = _Level(BULK_QUANTUM)
        self._levels = self._control, self._interactive, self._bulk  # by priority
        self._ahead = 0  # bytes that interactive has sent while bulk waited, less its weight of what bulk sent
        self._held: bytes | None = None  # made for the last bundle, but it did not fit

    def __bool__(self) -> bool:
        """True if a bundle may come out: a flow that was announced may still turn out to have nothing."""
        return bool(self._held or self._control.active or self._interactive.active or self._bulk.active)

    def ready(self, flow: Flow, arrival: Hashable = None) -> None:
        """Let a flow take part until it answers None. `arrival`: the link its packets came by, None for our own."""
        self._levels[flow.priority].add(flow, arrival)

    def forward(self, packet: bytes | memoryview, arrival: Hashable) -> bool:
        """Queue a packet of others, its hop limit already counted down; False if dropped (see `transit.counters`)."""
        return self.transit.forward(packet, arrival)

    def next_bundle(self, budget: int, now: float) -> list[bytes]:
        """Packets of at most `budget` bytes together, or a single bigger one; empty if there is nothing to send."""
        packets: list[bytes] = []
        room = budget
        if self._held is not None:
            packets.append(self._held)
            room -= len(self._held)
            self._held = None
        while room >= MINIMUM_ROOM or not packets:
            level, limit = self._choose(max(room - MINIMUM_ROOM + 1, 1))
            if not level.active:
                break
            taken = level.serve(packets, room, limit, now, self.link)
            room -= taken
            self._balance(level, taken)
        if room < 0 and len(packets) > 1:
            self._held = packets.pop()  # only the last can have passed the budget
            room += len(self._held)
        self._count(packets, budget - room)
        return packets

    def withdraw(self, stays: Callable[[bytes, Hashable], bool]) -> tuple[list[Flow], list[tuple[bytes, Hashable]]]:
        """Take out what shall not leave by this link any more: local flows, and (packet, arrival) of transit.

        `stays(destination, arrival)` decides; for a link that is down it is false for all. The caller hands both on
        to the queues of other links, or drops the packets. Control flows belong to the link and stay.
        """
        packets = self.transit.withdraw(stays)
        flows: list[Flow] = []
        for level in (self._interactive, self._bulk):
            for turn in list(level.active.values()):
                local = turn.arrival.link is None and not isinstance(turn.flow, TransitFlow)
                if local and not stays(turn.flow.destination, None):
                    level.remove(turn)
                    flows.append(turn.flow)
        return flows, packets

    def shrink(self) -> None:
        """The link does nothing at present: gives up room that is not used."""
        for level in self._levels:
            level.shrink()

    def _choose(self, limit: int) -> tuple[_Level, int]:
        """The level to serve now and how many bytes of it at most."""
        if self._control.active:
            return self._control, limit
        if not self._bulk.active:
            return self._interactive, limit
        if not self._interactive.active:
            return self._bulk, limit
        if self._ahead < AHEAD:
            return self._interactive, min(limit, AHEAD - self._ahead)
        return self._bulk, min(limit, BULK_QUANTUM)

    def _balance(self, served: _Level, taken: int) -> None:
        if served is self._interactive:
            if self._bulk.active:
                self._ahead += taken
        elif served is self._bulk and self._interactive.active:
            self._ahead -= WEIGHT * taken

    def _count(self, packets: list[bytes], size: int) -> None:
        self.counters.bundles += bool(packets)
        self.counters.packets += len(packets)
        self.counters.bytes += size
