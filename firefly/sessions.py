"""All sessions of one node: which packet is for which session, and which session is the one with a peer
(docs/concepts/wire.md, 4 Session). Sans-I/O.

No unauthenticated packet ends or replaces a session: a handshake does when it is complete, a hint only makes us ask.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Protocol

from firefly.agreement import Agreement
from firefly.congestion import CongestionWindow, share
from firefly.deadlines import Deadlines
from firefly.detour import Way
from firefly.errors import BadHandshake, BadPacket, GlowError, Interrupted
from firefly.flow import Flow, Messages
from firefly.keys import NodeKey
from firefly.packet import (
    CROSSED,
    DATA,
    HANDSHAKE,
    HEADER_SIZE,
    INTERACTIVE,
    SESSION_PREFIX,
    UNREACHABLE,
    UnreachableReason,
    pack_header,
    pack_unreachable,
    parse_unreachable,
)
from firefly.rate import Rate
from firefly.room import Room
from firefly.session import Session
from firefly.session_handshake import Handshake, Handshakes, State

MAX_SESSIONS = 4096
"""Sessions of a node; the one that was idle the longest makes room."""
HELD_BY_ALL = 128 * 2**20
"""Bytes that all sessions together keep above gaps."""
UNKNOWN_PER_SECOND = 100
SEARCHES_PER_SECOND = 20
"""For ways round nodes that may swallow packets: each costs about two computations of all routes."""
MAX_FLOWS = 1024
"""Peers for whom packets without a session may wait."""
MAX_PACKETS = 8
"""Of one peer; the oldest goes."""
_PREFIX_END = HEADER_SIZE + SESSION_PREFIX.size
_read_prefix = SESSION_PREFIX.unpack_from


class Owner(Protocol):
    """Who hears from the sessions."""

    def opened(self, session: Session) -> Messages:
        """The session is usable in both directions: what is to be sent?"""

    def received(self, session: Session, lane: int, plaintext: bytes) -> None:
        """The next record of a lane."""

    def busy(self, session: Session) -> bool:
        """Whether anything is open, so that the session must not end for being idle."""

    def closed(self, session: Session, error: GlowError | None) -> None:
        """The session has ended: None if this side, or nobody's use of it, ended it."""


def _ended(machine: Session | Handshakes) -> bool:
    return isinstance(machine, Session) and machine.closed


class PacketFlow:
    """Ready-made packets for one destination: handshakes, and answers to strays.

    They are not worth waiting for a route: handshakes are repeated, and what is old may go.
    """

    priority = INTERACTIVE

    def __init__(self, destination: bytes, way: Way | None = None) -> None:
        self.destination = destination
        self.way = way
        self.packets: list[bytes] = []

    def put(self, packet: bytes) -> None:
        """Unless it waits already: a repetition, while nothing can leave."""
        if packet not in self.packets:
            self.packets.append(packet)
            del self.packets[:-MAX_PACKETS]

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        return self.packets.pop(0) if self.packets else None


class Sessions:
    """See the module. `ready(flow)` announces a flow to the links; `random` gives n bytes.

    A driver that cannot ask `next_deadline` after every step sets `earlier`, which hears of each that comes closer. One
    that knows the mesh sets `find_way`, which gives the best way by nodes that are suspected the least, and `moved`,
    which hears that flows have other destinations than before.
    """

    def __init__(
        self,
        key: NodeKey,
        instance: bytes,
        owner: Owner,
        *,
        ready: Callable[[Flow | PacketFlow], None],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.ready = ready
        self.received = owner.received
        self.busy = owner.busy
        self.earlier: Callable[[float], None] = lambda deadline: None
        self.find_way: Callable[[bytes, Mapping[bytes, int]], Way | None] = lambda peer, suspicion: None
        self.moved: Callable[[], None] = lambda: None
        self.counters: Counter[str] = Counter()
        self._owner = owner
        self._address = key.address
        self._deadlines: Deadlines[Session | Handshakes] = Deadlines()
        self._due = math.inf
        self._by_index: dict[int, Session] = {}
        self._by_peer: dict[bytes, Session] = {}
        self._handshakes = Handshakes(key, instance, self, random, self.counters)
        self._held = Room(HELD_BY_ALL)
        self._flows: dict[tuple[bytes, bool], PacketFlow] = {}
        self._unknown = Rate(UNKNOWN_PER_SECOND)
        self._searches = Rate(SEARCHES_PER_SECOND)

    # --- asked by the node

    def session(self, peer_address: bytes, now: float, expected_key: bytes | None = None) -> Session | None:
        """The open session with a node; None if a handshake has to come first, which is begun."""
        session = self._by_peer.get(peer_address)
        if session is None and self._handshakes.calling(peer_address) is None:
            self._handshakes.begin(peer_address, expected_key, now)
        return session

    def find(self, peer_address: bytes) -> Session | Handshake | None:
        """The session with a node, or a handshake that may lead to one."""
        return self._by_peer.get(peer_address) or self._handshakes.find(peer_address)

    def waypoints(self, peer_address: bytes) -> Sequence[bytes]:
        """Those of the detour that packets to a peer take; empty where they go by themselves."""
        session = self._by_peer.get(peer_address)
        way = session.detours.way if session is not None else None
        return way.waypoints if way is not None else ()

    def open_sessions(self) -> list[Session]:
        return list(self._by_peer.values())

    def link_lost(self, link: Hashable, now: float) -> None:
        """A link is down: what left by it leaves again at once."""
        self._handshakes.link_lost(link)
        self._unknown.forget(link)
        for session in self.open_sessions():
            if session.in_flight:
                session.path_lost(link)

    def ways_broken(self, peers: Collection[bytes], now: float) -> None:
        """The ways to these nodes have lost a link further on, and others are in use now if there are any."""
        for session in self.open_sessions():
            if session.peer_address in peers:
                session.path_lost()
                session.window.restart(now)

    def routes_changed(self, hop_of: Callable[[bytes], object], now: float) -> None:
        """Packets leave by other links than before, or can leave again: `hop_of(address)` tells by which, or None."""
        self._handshakes.route_changed(hop_of, now)
        for session in self._by_index.values():
            session.route_changed(hop_of, now)

    def peer_restarted(self, peer_address: bytes, instance: bytes, now: float) -> None:
        """A newer record of a node names another instance: the session with the old one is gone."""
        session = self._by_peer.get(peer_address)
        if session is not None and session.peer_instance != instance:
            session.lose(Interrupted("the other node has restarted", hint="call again"))

    # --- time

    def due(self, at: float) -> None:
        """A handshake has a deadline: `earlier` hears of it if it is before all others."""
        self._put(self._handshakes, at)

    def session_due(self, session: Session, at: float) -> None:
        """The same for a session."""
        self._put(session, at)

    def _put(self, machine: Session | Handshakes, at: float) -> None:
        self._deadlines.put(machine, at)
        if at < self._due:
            self._due = at
            self.earlier(at)

    def next_deadline(self) -> float:
        """When `on_timer` is due; it may turn out that nothing is to be done yet."""
        self._due = self._deadlines.first()
        return self._due

    def on_timer(self, now: float) -> None:
        for machine in self._deadlines.take(now):
            if _ended(machine):
                continue
            if machine.next_deadline() <= now:
                machine.on_timer(now)
            if not _ended(machine):
                self._deadlines.replace(machine, machine.next_deadline())

    # --- packets

    def receive(self, packet: bytes, now: float, arrival: Hashable) -> None:
        """Takes a whole packet addressed to this node. What is malformed or forged is counted and changes nothing."""
        if len(packet) < HEADER_SIZE:
            self.counters["malformed"] += 1
            return
        kind = packet[0] & 15
        if kind == DATA:
            if len(packet) < _PREFIX_END:
                self.counters["malformed"] += 1
                return
            index, number = _read_prefix(packet, HEADER_SIZE)
            session = self._by_index.get(index)
            if session is not None:
                session.receive(packet, number, now)
            else:
                self._no_session(packet, index, now, arrival)
            return
        try:
            if kind == HANDSHAKE:  # those of strangers leave room for those of one's own that come by the same link
                self._handshakes.receive(packet, now, (arrival, CROSSED) if packet[3] & CROSSED else arrival)
            elif kind == UNREACHABLE:
                self._hint(packet, now)
        except (BadHandshake, BadPacket):
            self.counters["malformed" if kind == UNREACHABLE else "bad_handshakes"] += 1

    def _no_session(self, packet: bytes, index: int, now: float, arrival: Hashable) -> None:
        if index in self._handshakes:
            self.counters["half_open_data"] += 1
        elif self._unknown.allows(arrival, now):
            self.counters["unknown_session"] += 1
            payload = pack_unreachable(UnreachableReason.UNKNOWN_SESSION, packet[HEADER_SIZE:])
            self.send(pack_header(UNREACHABLE, INTERACTIVE, len(payload), packet[24:40], self._address) + payload)

    def _hint(self, packet: bytes, now: float) -> None:
        """Somebody says that a packet of ours did not arrive. Only who saw that packet can quote it."""
        reason, quoted = parse_unreachable(packet[HEADER_SIZE:])
        session = self._by_peer.get(packet[24:40])
        if reason == UnreachableReason.UNKNOWN_SESSION and session is not None and session.sent(quoted):
            self.counters["hints"] += 1
            session.doubt(now)

    def send(self, packet: bytes, way: Way | None = None) -> None:
        """Sends a packet that belongs to no session, or by another way than its session."""
        destination = packet[8:24]
        if way is not None:
            destination, packet = way.first(destination), way.wrap(packet)
        key = destination, way is not None
        flow = self._flows.pop(key, None) or PacketFlow(destination, way)
        self._flows[key] = flow
        if len(self._flows) > MAX_FLOWS:
            self._flows.pop(next(iter(self._flows))).packets.clear()
        flow.put(packet)
        self.ready(flow)

    def ways(self, peer: bytes, suspicion: Mapping[bytes, int], now: float) -> Way | None:
        """See `firefly.detour.Ways`."""
        if suspicion and not self._searches.allows(None, now):
            self.counters["searches_refused"] += 1
            return None
        return self.find_way(peer, suspicion)

    # --- owner of the handshakes

    def taken(self, index: int) -> bool:
        return index in self._by_index

    def agreed(self, handshake: Handshake, agreement: Agreement, now: float) -> Session:
        """A handshake is complete on this side. Raises BadHandshake if there is no room for its session.

        Where both may have begun at once, the higher address waits for a sign that the peer took this handshake.
        """
        self._make_room(agreement.peer_address, now)
        session = Session(self, agreement, CongestionWindow(now), self._held, now)
        handshake.session = session
        self._by_index[session.index] = session
        if not agreement.initiator or self._address < agreement.peer_address:
            self._use(session)
        return session

    def given_up(self, handshake: Handshake) -> None:
        if handshake.state is not State.DONE:
            self.counters["handshakes_given_up"] += 1
        if handshake.state is State.FINISHED and handshake.session is not None:
            handshake.session.lose(Interrupted("the other node did not finish the handshake", hint="call again"))

    def _use(self, session: Session) -> None:
        """It is the session with its peer from now on, and replaces whatever there was."""
        peer = session.peer_address
        self._by_peer[peer] = session
        self._handshakes.forget_others(session)
        for other in [other for other in self._by_index.values() if other.peer_address == peer]:
            if other is not session:
                other.lose(Interrupted("a new session took the place of the old one", hint="call again"))
        self._share_window()
        self.counters["opened"] += 1
        session.messages = self._owner.opened(session)
        session.announce()

    def _make_room(self, peer_address: bytes, now: float) -> None:
        if len(self._by_index) < MAX_SESSIONS or peer_address in self._by_peer:
            return
        idle = [session for session in self.open_sessions() if not self.busy(session)]
        if not idle:
            self.counters["sessions_refused"] += 1
            raise BadHandshake("there is no room for another session")
        min(idle, key=lambda session: session.active).close("room is needed for others", now)

    def _share_window(self) -> None:
        most = share(len(self._by_peer))
        for session in self._by_peer.values():
            session.window.bound(most)

    # --- keeper of the sessions

    def confirmed(self, session: Session, now: float) -> None:
        """A record of the peer opened: it has the session, and the handshake need not be repeated any more."""
        if self._by_peer.get(session.peer_address) is not session:
            self._use(session)
        if session.initiator:
            self._handshakes.forget_session(session)

    def renew(self, session: Session, now: float) -> None:
        """The peer does not answer, after a hint that it has forgotten the session."""
        if self._handshakes.calling(session.peer_address) is None:
            self._handshakes.begin(session.peer_address, session.peer_key, now)

    def ended(self, session: Session, error: GlowError | None) -> None:
        self._by_index.pop(session.index, None)
        self._deadlines.discard(session)
        self._handshakes.forget_session(session)
        if session.messages is None:
            return  # nobody has heard of it
        if self._by_peer.get(session.peer_address) is session:
            del self._by_peer[session.peer_address]
        self._owner.closed(session, error)
