"""Ways round nodes that swallow packets (docs/concepts/wire.md, 4 Session; decision 0010). Sans-I/O.

A detour is a list of waypoints. A packet for the first of them holds one for the second, and so on; the innermost is
what the sender has to say. Each leg is ordinary routing, and nobody but the sender keeps anything in mind.

    Way      where packets go besides; puts the wrappers on. `unwrap` takes one off, at a waypoint
    Search   whom one end has reason to suspect, and the best way by the others
    Detours  when a session does so, and when it tries the plain path again
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from firefly.errors import BadPacket
from firefly.packet import DATA, DETOUR, HANDSHAKE, HEADER_SIZE, MAX_PAYLOAD, pack_header, parse_header

if TYPE_CHECKING:
    from firefly.flow import Flow
    from firefly.lane import Sending
    from firefly.session import Counters

MAX_WAYPOINTS = 4
"""So deep may packets be nested."""
SUSPECT_AFTER, MAX_SUSPECT_AFTER = 1.0, 16.0
"""Seconds of silence after which another way is tried; doubled from the fourth time in a row on."""
DUPLICATES, DUPLICATES_FOR = 3, 0.3
"""So many of them over so many seconds, and nothing new: the ACKs do not arrive."""
ACK_AGAIN = 0.2
"""Seconds after which a repeated handshake says the same. What is repeated comes twice, by two ways."""
GUESS_FOR, PLAIN_AGAIN, MAX_PLAIN_AGAIN = 1.0, 60.0, 900.0
"""Seconds until the plain path is tried again: after a handshake that may have needed the detour; else, doubling."""
TRIAL = 1.0
"""Seconds that the copy of one record has for the plain path."""


@dataclass(frozen=True, slots=True)
class Way:
    """The waypoints, which may be none, and all the nodes between sender and destination."""

    waypoints: Sequence[bytes]
    nodes: Sequence[bytes]

    def first(self, destination: bytes) -> bytes:
        """Where the first leg ends."""
        return self.waypoints[0] if self.waypoints else destination

    def wrap(self, packet: bytes) -> bytes:
        """The packet as it leaves; as it is if it is too long to be wrapped."""
        length, priority, source = len(packet), packet[2], packet[24:40]
        if length + HEADER_SIZE * (len(self.waypoints) - 1) > MAX_PAYLOAD:
            return packet
        parts = [packet]
        for waypoint in reversed(self.waypoints):
            parts.append(pack_header(DETOUR, priority, length, waypoint, source))
            length += HEADER_SIZE
        return b"".join(reversed(parts))


def unwrap(packet: bytes) -> bytes:
    """What a DETOUR at its destination holds, ready to be forwarded. Raises BadPacket, its source's fault.

    Both share one hop limit, so that wrapping makes no packet live longer.
    """
    _, hops, priority, flags, _, waypoint, source = parse_header(packet)
    inner = packet[HEADER_SIZE:]
    kind, inner_hops, inner_priority, inner_flags, length, destination, inner_source = parse_header(inner)
    if kind not in (DATA, HANDSHAKE, DETOUR) or HEADER_SIZE + length != len(inner):
        raise BadPacket("a detour that does not hold one packet")
    if inner_source != source or inner_priority != priority or destination == waypoint:
        raise BadPacket("a detour that holds the packet of another, or one for its own waypoint")
    if _depth(packet) > MAX_WAYPOINTS:
        raise BadPacket("a detour of too many waypoints")
    hops = min(hops, inner_hops) - 1
    if hops < 1:
        raise BadPacket("a detour at the end of its hop limit")
    return inner[:1] + bytes((hops, priority, flags | inner_flags)) + inner[4:]


def _depth(packet: bytes) -> int:
    offset = 0
    while offset < len(packet) and packet[offset] & 15 == DETOUR and offset <= HEADER_SIZE * MAX_WAYPOINTS:
        offset += HEADER_SIZE
    return offset // HEADER_SIZE


Ways = Callable[[bytes, Mapping[bytes, int], float], Way | None]
"""(destination, suspicion, now): the best way, by nodes that are suspected the least; with nobody suspected, that of a
packet which goes by itself. None if there is none, or if it is too early to ask again."""


class Search:
    """`way`: the present one, None for the plain path."""

    def __init__(self, peer: bytes, ways: Ways) -> None:
        self.way: Way | None = None
        self._peer = peer
        self._ways = ways
        self._suspicion: Counter[bytes] = Counter()

    def plain(self, now: float) -> Sequence[bytes] | None:
        """The nodes on the plain path; None if there is no path."""
        found = self._ways(self._peer, {}, now)
        return None if found is None else found.nodes

    def nodes(self, now: float) -> Sequence[bytes] | None:
        """The nodes on the present way."""
        return self.plain(now) if self.way is None else self.way.nodes

    def next(self, now: float) -> Way | None:
        """Suspects everyone on the present way, and looks for a better one."""
        self._suspicion.update(self.nodes(now) or ())
        return self.look(now)

    def look(self, now: float) -> Way | None:
        """Takes the best way by those who are suspected the least; keeps the present one if there is none."""
        plain = self.plain(now)
        best = self._ways(self._peer, self._suspicion, now) if plain else None
        if best is not None and best.nodes != self.nodes(now):
            self.way = None if best.nodes == plain else best
        return self.way

    def suspects(self, nodes: Sequence[bytes]) -> bool:
        return any(self._suspicion[node] for node in nodes)


class Session(Protocol):
    """What the detours need of their session."""

    peer_address: bytes
    counters: Counters

    @property
    def flows(self) -> Sequence[Flow]: ...
    def path_changed(self, now: float) -> None: ...
    def announce(self) -> None: ...
    def due(self, at: float) -> None: ...


class Keeper(Protocol):
    """What they need of `Sessions`."""

    counters: Counter[str]

    def ways(self, peer: bytes, suspicion: Mapping[bytes, int], now: float) -> Way | None: ...
    def send(self, packet: bytes) -> None: ...
    def moved(self) -> None: ...


class Detours:
    """Those of one session, with what it has under way by lane. `at`: when `on_timer` is due."""

    def __init__(self, session: Session, keeper: Keeper, sending: Mapping[int, Sending], now: float) -> None:
        self.at = math.inf
        self.search = Search(session.peer_address, keeper.ways)
        self._session = session
        self._keeper = keeper
        self._sending = sending
        self._tries = 0
        self._changed_at, self._since = now, -math.inf
        self._duplicates = 0
        self._nodes: Sequence[bytes] | None = None
        self._plain_at = math.inf
        self._pause = PLAIN_AGAIN
        self._trial: tuple[int, int] | None = None

    @property
    def way(self) -> Way | None:
        return self.search.way

    # --- what gives reason to suspect

    def silent(self, now: float) -> None:
        """The oldest record was sent again at least twice, and nothing came of it."""
        if self._trial is None and self.at == math.inf:
            self._nodes = self.search.nodes(now)
            self._arm(max(now, self._due()))

    def duplicate(self, heard: float, now: float) -> None:
        """What was acknowledged has come again; `heard`: when something new came last."""
        if max(heard, self._changed_at) > self._since:
            self._since, self._duplicates = now, 0
        self._duplicates += 1
        if self._duplicates >= DUPLICATES and now - self._since >= DUPLICATES_FOR:
            self.suspect(now)

    def asked_again(self, now: float) -> None:
        """The peer repeats the last step of its handshake: no ACK of ours has come to it."""
        if now - self._changed_at >= ACK_AGAIN:
            self.suspect(now)

    def on_timer(self, now: float) -> None:
        self.at = math.inf
        if self._trial is not None:
            self._judge(self._trial, now)
        elif self._due() <= now:
            if self.search.nodes(now) == self._nodes:
                self.suspect(now)
            else:  # routes have changed meanwhile: the new path gets its time
                self._changed_at = now
                self.silent(now)

    def _due(self) -> float:
        patience = min(SUSPECT_AFTER * 2.0 ** max(0, self._tries - 4), MAX_SUSPECT_AFTER)
        return max(self._silent_since(), self._changed_at) + patience

    def _silent_since(self) -> float:
        """When the oldest record that was sent again twice and more, in vain, left first; infinity if none was."""
        late = [sending.oldest() for sending in self._sending.values() if sending.round_trip.silent]
        return min((record.first_at for record in late if record is not None), default=math.inf)

    def _arm(self, at: float) -> None:
        self.at = at
        self._session.due(at)

    def suspect(self, now: float) -> None:
        """The present way does not lead to the peer, or back: takes another if there is one."""
        self._tries = 1 if now > self._changed_at + PLAIN_AGAIN else self._tries + 1
        self._changed_at = now
        before = self.way
        if self.search.next(now) is not before:
            self._take(now, PLAIN_AGAIN)

    def begin(self, search: Search, now: float) -> None:
        """The handshake may have needed a detour: the session begins with it."""
        if search.way is not None:
            self.search, self._changed_at = search, now
            self._take(now, GUESS_FOR)

    def _take(self, now: float, pause: float) -> None:
        way, peer = self.way, self._session.peer_address
        for flow in self._session.flows:
            flow.way = way
            flow.destination = peer if way is None else way.first(peer)
        self._trial, self.at = None, math.inf
        self._pause, self._plain_at = pause, now + pause
        self._keeper.counters["plain_paths" if way is None else "detours"] += 1
        self._keeper.moved()
        for sending in self._sending.values():
            oldest = sending.oldest()
            if oldest is not None:
                sending.again(oldest)
        self._session.path_changed(now)
        self._session.announce()

    # --- back to the plain path

    def routes_changed(self, routed: Callable[[bytes], object], now: float) -> None:
        """The detour ends if nobody on the plain path is suspected any more; another is taken if waypoints are gone."""
        way, plain = self.way, self.search.plain(now)
        if way is None or plain is None:
            return
        if not self.search.suspects(plain):
            self._end(now)
        elif not all(routed(waypoint) for waypoint in way.waypoints) and self.search.look(now) is not way:
            self._take(now, PLAIN_AGAIN)

    def leaves(self, lane: int, packet: bytes, now: float) -> None:
        """A packet leaves by the detour. Once in a while the copy of a new record leaves by the plain path too.

        If the peer says that it got a record twice, and no other was sent again, the plain path is taken again.
        """
        if now < self._plain_at or self._trial is not None:
            return
        if lane in self._sending and self._sending[lane].is_newest(packet):
            self._trial = self._session.counters.resent, self._session.counters.in_vain
            self._keeper.send(packet)
            self._arm(now + TRIAL)

    def _judge(self, trial: tuple[int, int], now: float) -> None:
        self._trial = None
        resent, in_vain = trial
        if self._session.counters.in_vain > in_vain and self._session.counters.resent == resent:
            self._end(now)
        else:
            self._pause = min(max(PLAIN_AGAIN, 2 * self._pause), MAX_PLAIN_AGAIN)
            self._plain_at = now + self._pause

    def _end(self, now: float) -> None:
        self.search = Search(self._session.peer_address, self._keeper.ways)
        self._take(now, PLAIN_AGAIN)
