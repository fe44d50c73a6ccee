"""Nodes' sessions, joined by links as bad as a test wants them, in virtual time and without a node.

    wire = Wire(seed=1)
    laptop, nas = wire.end(), wire.end()
    wire.link(laptop, nas, delay=0.01, loss=0.2)
    laptop.send(nas, INTERACTIVE, b"hello")
    wire.run(1.0)
    assert nas.got[INTERACTIVE] == [b"hello"]

The same seed always gives the same run. The wire drives `Sessions` as a node does: it keeps one armed timer per end,
which `earlier` moves, and checks that no deadline is missed and none is left in the past.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from firefly.errors import GlowError
from firefly.keys import NodeKey
from firefly.packet import BULK, INTERACTIVE
from firefly.session import Session
from firefly.sessions import Sessions

BUDGET = 2**17
"""Bytes that a flow is offered at a time."""


class Outbox:
    """Records as they are, first in first out; stands where rpc's outbox does."""

    def __init__(self) -> None:
        self.records: dict[int, deque[bytes]] = {INTERACTIVE: deque(), BULK: deque()}

    def take(self, lane: int, budget: int) -> bytes | None:
        return self.records[lane].popleft() if self.records[lane] else None

    def waiting(self, lane: int) -> bool:
        return bool(self.records[lane])


class End:
    """One node: `got` is what came by lane, `opened` and `closed` what the sessions told. Made by `Wire.end`."""

    def __init__(self, wire: Wire, key: NodeKey) -> None:
        self.wire = wire
        self.key = key
        self.address = key.address
        self.is_busy = True
        self.start()

    def start(self) -> None:
        """As after a start of the process: nothing but the key is left."""
        self.got: dict[int, list[bytes]] = {INTERACTIVE: [], BULK: []}
        self.opened_sessions: list[Session] = []
        self.closed_sessions: list[tuple[Session, GlowError | None]] = []
        self.ready: dict[Any, None] = {}
        self.armed = math.inf
        self.instance = self.wire.random.randbytes(8)
        self.sessions = Sessions(
            self.key, self.instance, self, ready=self._announced, random=self.wire.random.randbytes
        )
        self.sessions.earlier = self._arm
        self._outboxes: dict[bytes, Outbox] = defaultdict(Outbox)

    restart = start

    def send(self, peer: End, lane: int, *records: bytes) -> None:
        """Queues records; what waits when a session ends goes with the next one."""
        self._outboxes[peer.address].records[lane].extend(records)
        session = self.open(peer)
        if session is not None:
            session.send_waiting(lane, self.wire.now)

    def open(self, peer: End) -> Session | None:
        return self.sessions.session(peer.address, self.wire.now)

    def session(self, peer: End) -> Session:
        """The open session with `peer`; AssertionError if there is none."""
        found = next((one for one in self.sessions.open_sessions() if one.peer_address == peer.address), None)
        assert found is not None, "there is no session"
        return found

    def _announced(self, flow: Any) -> None:
        self.ready[flow] = None

    def _arm(self, deadline: float) -> None:
        self.armed = min(self.armed, deadline)

    # --- firefly.sessions.Owner

    def opened(self, session: Session) -> Outbox:
        self.opened_sessions.append(session)
        return self._outboxes[session.peer_address]

    def received(self, session: Session, lane: int, plaintext: bytes) -> None:
        self.got[lane].append(plaintext)

    def busy(self, session: Session) -> bool:
        return self.is_busy

    def closed(self, session: Session, error: GlowError | None) -> None:
        self.closed_sessions.append((session, error))


@dataclass(eq=False)
class Link:
    """Between two ends. Seconds of delay, and up to `jitter` more, which reorders; chances of loss and duplication."""

    ends: frozenset[bytes]
    delay: float = 0.01
    jitter: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    up: bool = True


@dataclass(frozen=True)
class Sent:
    """A packet that left an end, whether it arrived or not."""

    at: float
    source: bytes
    destination: bytes
    packet: bytes


class Wire:
    """The world of a test: `now`, the ends, the links, and everything that was sent in `log`."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.ends: dict[bytes, End] = {}
        self.links: list[Link] = []
        self.log: list[Sent] = []
        self.drop: Callable[[bytes], bool] = lambda packet: False
        """Decides over each packet, beside what the links do by chance."""
        self._order = count()
        self._coming: list[tuple[float, int, bytes, Link]] = []

    def end(self) -> End:
        end = End(self, NodeKey(self.random.randbytes(32)))
        self.ends[end.address] = end
        return end

    def link(self, one: End, other: End, **behaviour: Any) -> Link:
        """The first link that is up is used."""
        link = Link(frozenset((one.address, other.address)), **behaviour)
        self.links.append(link)
        return link

    def lose(self, link: Link) -> None:
        """Takes a link down with all that is on its way; both ends hear of it."""
        link.up = False
        self._coming = [coming for coming in self._coming if coming[3] is not link]
        heapq.heapify(self._coming)
        for address in link.ends:
            self.ends[address].sessions.link_lost(link, self.now)

    def inject(self, packet: bytes, arrival: object = None) -> None:
        """Gives a packet, maybe a forged one, to the end that it is addressed to."""
        self.ends[packet[8:24]].sessions.receive(packet, self.now, arrival)

    # --- time

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._step(end):
            pass

    def run_until(self, done: Callable[[], bool], limit: float = 60.0) -> None:
        """Raises AssertionError if `done` is not true within `limit` seconds."""
        end = self.now + limit
        while not done():
            assert self._step(end), f"not done after {limit} s"

    def _step(self, end: float) -> bool:
        """Goes on to the next moment at which something happens; false if that is not before `end`."""
        self.pump()
        arrival = self._coming[0][0] if self._coming else math.inf
        moment = min(arrival, *(one.armed for one in self.ends.values()))
        self.now = max(self.now, min(moment, end))
        if moment > end:
            return False
        while self._coming and self._coming[0][0] <= self.now:
            _, _, packet, link = heapq.heappop(self._coming)
            self.inject(packet, link)
        for one in self.ends.values():
            self._fire(one)
        return True

    def _fire(self, end: End) -> None:
        if end.armed <= self.now:
            end.armed = math.inf
            end.sessions.on_timer(self.now)
            end.armed = end.sessions.next_deadline()
            assert end.armed > self.now, "a deadline is left in the past: the driver would turn in a busy loop"
        assert end.armed <= end.sessions.next_deadline(), "a deadline that nobody was told of"

    def pump(self) -> None:
        """Lets everything leave that can."""
        for end in self.ends.values():
            stuck: dict[Any, None] = {}
            while end.ready:
                flow = next(iter(end.ready))
                link = self._route(end.address, flow.destination)
                if link is None:
                    stuck[flow] = end.ready.pop(flow)
                    continue
                packet = flow.next_packet(BUDGET, self.now, link)
                if packet is None:
                    end.ready.pop(flow)
                else:
                    self._send(end.address, flow.destination, packet, link)
            end.ready = stuck

    def _route(self, source: bytes, destination: bytes) -> Link | None:
        ends = {source, destination}
        return next((link for link in self.links if link.up and link.ends == ends), None)

    def _send(self, source: bytes, destination: bytes, packet: bytes, link: Link) -> None:
        self.log.append(Sent(self.now, source, destination, packet))
        if self.drop(packet) or self.random.random() < link.loss:
            return
        for _ in range(2 if self.random.random() < link.duplication else 1):
            at = self.now + link.delay + self.random.random() * link.jitter
            heapq.heappush(self._coming, (at, next(self._order), packet, link))
