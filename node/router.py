"""Packets between links, the sessions of this node and the links that lead on (docs/concepts/wire.md, 2 and 3).

Nothing here waits: a bundle is received, each packet is given to a session or put into the queue of the link that
leads on, and the links concerned are told to write when the whole of what was read has been seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from firefly.detour import unwrap
from firefly.errors import BadPacket
from firefly.packet import (
    CONTROL,
    CROSSED,
    DATA,
    DETOUR,
    HANDSHAKE,
    HEADER,
    HEADER_SIZE,
    MAX_PAYLOAD,
    PROBE,
    TOPOLOGY,
    UNREACHABLE,
    VERSION,
    UnreachableReason,
    pack_header,
    pack_unreachable,
)
from firefly.sessions import PacketFlow
from node.accounts import Accounts
from node.limits import Budget
from node.queues import LinkQueue
from node.routing import Admitted, Crossing

UNREACHABLE_PER_SECOND = 100
"""Answers to packets that cannot go on, per arrival link."""
_HOP_LIMIT = 1
"""Offset of the hop limit in a packet."""


class Link(Protocol):
    """What the router needs of a link (node/links/link.py)."""

    peer_key: bytes
    peer_address: bytes
    certified: bool
    admitted: Admitted | None
    budget: Budget | None
    taken: int
    queue: LinkQueue

    def receive_probe(self, payload: bytes, now: float) -> None: ...
    def kick(self, now: bool = False) -> None: ...
    def hurry(self) -> None: ...


class Mesh(Protocol):
    """What the router needs of the routing core (node/routing)."""

    def next_hop(self, destination: bytes, arrival: Any, crossed: bool = False) -> Any: ...
    def begin_leg(self, destination: bytes, arrival: Any, crossed: bool = False) -> Any: ...
    def across(self, destination: bytes, arrival: Any) -> Crossing | None: ...
    def receive_topology(self, link: Any, payload: bytes, now: float) -> None: ...


class Sessions(Protocol):
    def receive(self, packet: bytes, now: float, arrival: object) -> None: ...


class Router:
    """One node's switch. `pairing(link, payload)` gets what an uncertified link says."""

    def __init__(self, address: bytes, clock: Callable[[], float]) -> None:
        self.address = address
        self.counters: Counter[str] = Counter()
        self.links: set[Any] = set()
        self.mesh: Mesh
        self.sessions: Sessions
        self.accounts = Accounts(self.counters)
        self._clock = clock
        self._touched: set[Any] = set()
        self._depth = 0
        self._waiting: dict[bytes, set[Any]] = {}
        self._answers: dict[Any, tuple[float, int]] = {}

    # --- what leaves

    def ready(self, flow: Any) -> None:
        """A lane of a local session has something to send."""
        find = self.mesh.next_hop if flow.way is None else self.mesh.begin_leg
        link = find(flow.destination, None)
        if link is None:
            if not isinstance(flow, PacketFlow):  # handshakes are repeated, and strangers cannot make us keep more
                self._waiting.setdefault(flow.destination, set()).add(flow)
            return
        link.queue.ready(flow)
        self._touched.add(link)

    def routes_changed(self) -> None:
        """Gives what waits for a route, or in the queue of a wrong link, to the right link."""
        waiting, self._waiting = self._waiting, {}
        for flows in waiting.values():
            for flow in flows:
                self.ready(flow)
        self.moved()
        self.flush()

    def moved(self) -> None:
        """Gives what waits in the queue of a link that leads elsewhere, or nowhere, to the right link."""
        for link in [link for link in self.links if link.queue]:
            self._withdraw(link, partial(self._leads_by, link))

    def _leads_by(self, link: Any, destination: bytes, arrival: Any) -> bool:
        if self.mesh.next_hop(destination, arrival) is link:
            return True
        crossing = self.mesh.across(destination, arrival) if arrival is not None else None
        return crossing is not None and crossing.link is link

    def _withdraw(self, link: Any, stays: Callable[[bytes, Any], bool]) -> None:
        flows, packets = link.queue.withdraw(stays)
        for flow in flows:
            self.ready(flow)
        for packet, arrival in packets:
            self._forward(bytes(packet), arrival)

    def link_gone(self, link: Any) -> None:
        self.links.discard(link)
        self._touched.discard(link)
        self._answers.pop(link, None)
        self._withdraw(link, lambda destination, arrival: False)
        for other in self.links:
            other.queue.transit.arrival_gone(link)

    def begin(self) -> None:
        """Something that was read is going to be handled: what it causes waits for `end`, and leaves together."""
        self._depth += 1

    def end(self) -> None:
        self._depth -= 1
        if not self._depth and self._touched:
            self.flush(True)

    def touch(self, writer: Any) -> None:
        """`writer` (a link, or a socket of an attachment) has something to write."""
        self._touched.add(writer)

    def flush(self, now: bool = False) -> None:
        """Lets the touched links write, unless a batch is being received."""
        if not self._depth and self._touched:
            touched, self._touched = self._touched, set()
            for link in touched:
                link.kick(now)

    def hurry(self, destination: bytes) -> None:
        """Lets the link to a neighbour write at once, also while a batch is being received."""
        link = self.mesh.next_hop(destination, None)
        if link is not None and link.peer_address == destination:
            link.hurry()

    # --- what arrives

    def receive(self, link: Link, bundle: bytes, now: float) -> None:
        """Takes an opened frame. Raises BadPacket, which ends the link."""
        size, offset = len(bundle), 0
        while offset < size:
            if size - offset < HEADER_SIZE:
                raise BadPacket("a bundle ends in the middle of a header")
            first, hops, priority, _, length, destination, source = HEADER.unpack_from(bundle, offset)
            end = offset + HEADER_SIZE + length
            if first >> 4 != VERSION or length > MAX_PAYLOAD or end > size:
                raise BadPacket("a packet of another version, or longer than its bundle")
            kind = first & 15
            packet = bundle if offset == 0 and end == size else bundle[offset:end]
            offset = end
            if kind in (TOPOLOGY, PROBE):
                self._control(link, kind, priority, packet, now)
            elif not link.certified and not self._admits(link, source, destination):
                self.counters["uncertified"] += 1
            elif destination == self.address:
                self._deliver(link, kind, packet, now)
            elif hops <= 1:
                self._unreachable(link, UnreachableReason.HOP_LIMIT, packet, now)
            elif link.budget is not None and not link.budget.take(len(packet), now):
                self._refuse(link, packet, now)
            else:
                self._forward(packet[:1] + bytes((hops - 1,)) + packet[2:], link)

    def _admits(self, link: Link, source: bytes, destination: bytes) -> bool:
        """Whether a packet of a neighbour without a certificate is taken: a node speaks for itself, a hub to us."""
        if link.admitted is Admitted.NODE:
            taken = source == link.peer_address
        else:
            taken = link.admitted is Admitted.HUB and destination == self.address
        link.taken += taken
        return taken

    def _control(self, link: Link, kind: int, priority: int, packet: bytes, now: float) -> None:
        if priority != CONTROL:
            raise BadPacket("a control packet of another priority")
        if kind == TOPOLOGY:
            self.mesh.receive_topology(link, packet[HEADER_SIZE:], now)
        else:
            link.receive_probe(packet[HEADER_SIZE:], now)

    def _deliver(self, link: Link, kind: int, packet: bytes, now: float) -> None:
        if kind in (DATA, HANDSHAKE, UNREACHABLE):
            self.sessions.receive(packet, now, link)
        elif kind == DETOUR:
            if link.budget is not None and not link.budget.take(len(packet), now):
                self._refuse(link, packet, now)
            else:
                self._unwrap(packet, link)
        else:
            self.counters["unknown_kind"] += 1

    def _refuse(self, link: Link, packet: bytes, now: float) -> None:
        """The namespace of a link has sent more than it may in a second."""
        self.counters["relay_refused"] += 1
        self._unreachable(link, UnreachableReason.REFUSED, packet, now)

    def _unwrap(self, packet: bytes, arrival: Any) -> None:
        """This node is a waypoint: what is inside goes on as if the link of arrival had brought it."""
        try:
            inner = unwrap(packet)
        except BadPacket:  # its source's fault, who need not be the neighbour
            self.counters["bad_detours"] += 1
            return
        self.counters["waypoint"] += 1
        onward = self.mesh.begin_leg(inner[8:24], arrival, bool(inner[3] & CROSSED))
        if onward is None:
            self._cross(inner, arrival)
        else:
            self._send_on(inner, arrival, onward)

    def _forward(self, packet: bytes, arrival: Any) -> None:
        onward = self.mesh.next_hop(packet[8:24], arrival, bool(packet[3] & CROSSED))
        if onward is None or onward is arrival:
            self._cross(packet, arrival)
        else:
            self._send_on(packet, arrival, onward)

    def _cross(self, packet: bytes, arrival: Any) -> None:
        """Nothing leads on in the namespaces of the link of arrival: a hub may know the destination from another."""
        now = self._clock()
        crossing = self.mesh.across(packet[8:24], arrival)
        if crossing is None or crossing.link is arrival:
            self.counters["no_route"] += 1
            if arrival in self.links:
                self._unreachable(arrival, UnreachableReason.NO_ROUTE, packet, now)
        elif not self.accounts.allow(crossing.source, crossing.target, packet[24:40], packet[8:24], len(packet), now):
            self._unreachable(arrival, UnreachableReason.REFUSED, packet, now)
        else:
            self.counters["crossed"] += 1
            self._send_on(packet[:3] + bytes((packet[3] | CROSSED,)) + packet[4:], arrival, crossing.link)

    def _send_on(self, packet: bytes, arrival: Any, onward: Any) -> None:
        if onward.queue.forward(packet, arrival):
            self.counters["forwarded"] += 1
            self._touched.add(onward)
        else:
            self.counters["dropped"] += 1

    def _unreachable(self, link: Any, reason: UnreachableReason, packet: bytes, now: float) -> None:
        """A hint for the sender; never about another hint, never more than 100 per second and arrival link."""
        self.counters[reason.name.lower()] += 1
        since, count = self._answers.get(link, (now, 0))
        if now - since >= 1:
            since, count = now, 0
        if packet[0] & 15 not in (DATA, HANDSHAKE) or len(packet) == HEADER_SIZE or count >= UNREACHABLE_PER_SECOND:
            return
        self._answers[link] = since, count + 1
        payload = pack_unreachable(reason, packet[HEADER_SIZE:])
        header = pack_header(UNREACHABLE, packet[2], len(payload), packet[24:40], self.address)
        link.queue.forward(header + payload, None)
        self._touched.add(link)
