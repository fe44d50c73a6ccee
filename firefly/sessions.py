"""All sessions of one node: who is talked to, handshakes, and which session a packet is for
(docs/concepts/wire.md, 4 Session). Sans-I/O.

No unauthenticated packet ends or replaces a session: a handshake does when it is complete, a hint only makes us ask.
"""

from __future__ import annotations

import math
import os
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from firefly.address import address_of
from firefly.errors import BadHandshake, BadPacket, GlowError, Interrupted
from firefly.hello import Hello, choose_cipher, decode_hello, encode_hello
from firefly.keys import NodeKey
from firefly.noise import HandshakeXX
from firefly.packet import (
    DATA,
    HANDSHAKE,
    HANDSHAKE_PREFIX,
    HEADER_SIZE,
    INTERACTIVE,
    SESSION_PREFIX,
    UNREACHABLE,
    UnreachableReason,
    pack_header,
    pack_unreachable,
    parse_header,
    parse_unreachable,
)
from firefly.sealing import offered
from firefly.session import Messages, Session

PROLOGUE = b"glow/1 session"
STEP_1_SIZE = 256
REPEAT, REPEAT_LIMIT, GIVE_UP = 0.25, 4.0, 15.0
HALF_OPEN, HALF_OPEN_PER_LINK = 512, 32
STEP_1_PER_SECOND = 20
UNKNOWN_PER_SECOND = 100


class Owner(Protocol):
    """Who hears from the sessions."""

    def opened(self, session: Session) -> Messages: ...
    def received(self, session: Session, lane: int, plaintext: bytes) -> None: ...
    def busy(self, session: Session) -> bool: ...
    def closed(self, session: Session, error: GlowError | None) -> None: ...


class PacketFlow:
    """Ready-made packets for one destination: handshakes, and answers to strays."""

    priority = INTERACTIVE

    def __init__(self, destination: bytes) -> None:
        self.destination = destination
        self.packets: deque[bytes] = deque(maxlen=8)

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        return self.packets.popleft() if self.packets else None


class Handshake:
    """One handshake on its way. `packet` is repeated, if this side has to, until `until`."""

    def __init__(
        self, key: NodeKey, peer: bytes, index: int, initiator: bool, now: float, random: Callable[[int], bytes]
    ) -> None:
        self.peer_address = peer
        self.index = index
        self.peer_index = 0
        self.initiator = initiator
        self.expected: bytes | None = None
        self.started = now
        self.repeat_at = math.inf
        self.delay = REPEAT
        self.packet = b""
        self.question = b""
        self.arrival: object = None
        self.session: Session | None = None
        first, second = (key.address, peer) if initiator else (peer, key.address)
        self.noise = HandshakeXX(key, PROLOGUE + first + second, initiator, random)

    def build(self, own: bytes, step: int, message: bytes) -> bytes:
        payload = HANDSHAKE_PREFIX.pack(step, self.index, self.peer_index) + message
        return pack_header(HANDSHAKE, INTERACTIVE, len(payload), self.peer_address, own) + payload


class Sessions:
    """See the module. `ready(flow)` announces a flow to the links; `random` gives n bytes."""

    def __init__(
        self,
        key: NodeKey,
        instance: bytes,
        owner: Owner,
        *,
        ready: Callable[[Any], None],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.ready = ready
        self.earlier: Callable[[float], None] = lambda deadline: None
        self._due = math.inf
        self.counters: Counter[str] = Counter()
        self._key = key
        self._owner = owner
        self._random = random
        self._hello = encode_hello(key.public, instance)
        self._sessions: dict[int, Session] = {}
        self._by_peer: dict[bytes, Session] = {}
        self._handshakes: dict[int, Handshake] = {}
        self._calling: dict[bytes, Handshake] = {}
        self._answering: dict[bytes, Handshake] = {}
        self._flows: dict[bytes, PacketFlow] = {}
        self._rates: dict[tuple[str, object], tuple[float, int]] = {}

    # --- asked by the node

    def session(self, peer_address: bytes, now: float, expected_key: bytes | None = None) -> Session | None:
        """The open session with a node; None if a handshake has to come first, which is begun."""
        session = self._by_peer.get(peer_address)
        if session is None and peer_address not in self._calling:
            self._begin(peer_address, now, expected_key)
        return session

    def find(self, peer_address: bytes) -> Session | Handshake | None:
        """The session with a node, or the handshake that is on its way to one."""
        return self._by_peer.get(peer_address) or self._calling.get(peer_address) or self._answering.get(peer_address)

    def open_sessions(self) -> list[Session]:
        return list(self._by_peer.values())

    def link_lost(self, link: object, now: float) -> None:
        for session in self.open_sessions():
            session.link_lost(link, now)

    def peer_restarted(self, peer_address: bytes, instance: bytes, now: float) -> None:
        """A newer record of a node names another instance: the session with the old one is gone."""
        session = self._by_peer.get(peer_address)
        if session is not None and session.peer_instance != instance:
            session.lose(Interrupted("the other node has restarted", hint="call again"))

    def due(self, at: float) -> None:
        """A deadline has come: `earlier` hears of it if it is before all others."""
        if at < self._due:
            self._due = at
            self.earlier(at)

    def next_deadline(self) -> float:
        """When `on_timer` is due. A driver that cannot ask after every step sets `earlier`."""
        deadline = math.inf
        for session in self._by_peer.values():
            deadline = min(deadline, session.next_deadline())
        for handshake in self._handshakes.values():
            deadline = min(deadline, handshake.repeat_at, handshake.started + GIVE_UP)
        self._due = deadline
        return deadline

    def on_timer(self, now: float) -> None:
        for session in self.open_sessions():
            if session.next_deadline() <= now:
                session.on_timer(now)
        for handshake in list(self._handshakes.values()):
            if now - handshake.started >= GIVE_UP:
                self._forget(handshake)
                self.counters["handshakes_given_up"] += 1
                opened = handshake.session
                if opened is not None and not opened.confirmed:
                    opened.lose(Interrupted("the other node did not finish the handshake"))
            elif now >= handshake.repeat_at:
                handshake.delay = min(handshake.delay * 2, REPEAT_LIMIT)
                handshake.repeat_at = now + handshake.delay
                self._send(handshake.packet)

    # --- packets

    def receive(self, packet: bytes, now: float, arrival: object) -> None:
        """Takes a packet addressed to this node. What is malformed or forged is counted and changes nothing."""
        kind = packet[0] & 15
        if kind == DATA:
            if len(packet) >= HEADER_SIZE + SESSION_PREFIX.size:
                index, _ = SESSION_PREFIX.unpack_from(packet, HEADER_SIZE)
                session = self._sessions.get(index)
                if session is not None:
                    session.receive(packet, now)
                else:
                    self._unknown(packet, index, now, arrival)
            return
        try:
            if kind == HANDSHAKE:
                self._handshake(packet, now, arrival)
            elif kind == UNREACHABLE:
                self._hint(packet, now)
        except (BadHandshake, BadPacket):
            self.counters["bad_handshakes"] += 1

    def _unknown(self, packet: bytes, index: int, now: float, arrival: object) -> None:
        if index in self._handshakes:
            self.counters["half_open_data"] += 1
        elif self._allowed("unknown", arrival, UNKNOWN_PER_SECOND, now):
            self.counters["unknown_session"] += 1
            payload = pack_unreachable(UnreachableReason.UNKNOWN_SESSION, packet[HEADER_SIZE:])
            source = packet[24:40]
            self._send(pack_header(UNREACHABLE, INTERACTIVE, len(payload), source, self._key.address) + payload)

    def _hint(self, packet: bytes, now: float) -> None:
        reason, quoted = parse_unreachable(packet[HEADER_SIZE:])
        if len(quoted) < SESSION_PREFIX.size:
            return
        index, _ = SESSION_PREFIX.unpack_from(quoted)
        for session in self._by_peer.values():
            if session.peer_index == index and reason == UnreachableReason.UNKNOWN_SESSION:
                session.doubt(now)

    # --- handshakes

    def _begin(self, peer: bytes, now: float, expected: bytes | None = None) -> None:
        handshake = self._add(Handshake(self._key, peer, self._new_index(), True, now, self._random))
        handshake.expected = expected
        padding = STEP_1_SIZE - HANDSHAKE_PREFIX.size - 32
        handshake.packet = handshake.build(self._key.address, 1, handshake.noise.write(bytes(padding)))
        handshake.repeat_at = now + REPEAT
        self._calling[peer] = handshake
        self._send(handshake.packet)

    def _handshake(self, packet: bytes, now: float, arrival: object) -> None:
        source = parse_header(packet)[6]
        payload = packet[HEADER_SIZE:]
        if len(payload) < HANDSHAKE_PREFIX.size or len(payload) > 1024:
            raise BadHandshake("a handshake of the wrong length")
        step, sender, receiver = HANDSHAKE_PREFIX.unpack_from(payload)
        message = payload[HANDSHAKE_PREFIX.size :]
        if step == 1:
            self._step_1(source, sender, packet, message, now, arrival)
            return
        handshake = self._handshakes.get(receiver)
        if handshake is None or handshake.peer_address != source:
            self.counters["stray_handshakes"] += 1
        elif step == 2 and handshake.initiator:
            self._step_2(handshake, sender, message, now)
        elif step == 3 and not handshake.initiator and sender == handshake.peer_index:
            self._step_3(handshake, message, now)

    def _step_1(self, source: bytes, sender: int, packet: bytes, message: bytes, now: float, arrival: object) -> None:
        known = self._answering.get(source)
        if known is not None and known.question == packet[HEADER_SIZE:]:
            self._send(known.packet)
            return
        if source in self._calling and self._key.address < source:
            self.counters["collisions"] += 1
            return
        if len(packet) < HEADER_SIZE + STEP_1_SIZE or source == self._key.address:
            raise BadHandshake("a first step that is not padded")
        same_link = sum(other.arrival is arrival and not other.initiator for other in self._handshakes.values())
        if (
            len(self._handshakes) >= HALF_OPEN
            or same_link >= HALF_OPEN_PER_LINK
            or not self._allowed("step 1", arrival, STEP_1_PER_SECOND, now)
        ):
            self.counters["handshakes_refused"] += 1
            return
        handshake = Handshake(self._key, source, self._new_index(), False, now, self._random)
        handshake.noise.read(message)
        handshake.peer_index, handshake.arrival = sender, arrival
        handshake.question = packet[HEADER_SIZE:]
        handshake.packet = handshake.build(self._key.address, 2, handshake.noise.write(self._hello))
        if known is not None:
            self._forget(known)
        self._answering[source] = self._add(handshake)
        self._send(handshake.packet)

    def _step_2(self, handshake: Handshake, sender: int, message: bytes, now: float) -> None:
        if handshake.session is not None:
            self._send(handshake.packet)
            return
        noise, handshake.noise = handshake.noise, _copy(handshake.noise)
        try:
            hello = self._checked(handshake, handshake.noise, message)
        except BadHandshake:
            handshake.noise = noise
            raise
        handshake.peer_index = sender
        handshake.packet = handshake.build(self._key.address, 3, handshake.noise.write(self._hello))
        handshake.delay = REPEAT
        handshake.repeat_at = now + REPEAT
        self._send(handshake.packet)
        self._open(handshake, hello, now)

    def _step_3(self, handshake: Handshake, message: bytes, now: float) -> None:
        noise, handshake.noise = handshake.noise, _copy(handshake.noise)
        try:
            hello = self._checked(handshake, handshake.noise, message)
        except BadHandshake:
            handshake.noise = noise
            raise
        self._open(handshake, hello, now)
        self._forget(handshake)
        assert handshake.session is not None
        handshake.session.ack_now(now)

    def _checked(self, handshake: Handshake, noise: HandshakeXX, message: bytes) -> Hello:
        payload = noise.read(message)
        hello = decode_hello(payload, noise.remote_static, handshake.expected)
        if address_of(hello.key) != handshake.peer_address:
            raise BadHandshake("the peer's key is not that of its address")
        return hello

    def _open(self, handshake: Handshake, hello: Hello, now: float) -> None:
        """A handshake is complete: its session replaces whatever there was with this node."""
        peer = handshake.peer_address
        session = handshake.session = Session(
            self,
            self._key.address,
            peer,
            hello.key,
            hello.instance,
            (handshake.index, handshake.peer_index),
            handshake.noise.split(),
            choose_cipher(offered(), hello.ciphers),
            handshake.initiator,
            now,
        )
        # Where both began at once, the higher address waits for a sign that the peer took this handshake.
        session.may_send = not handshake.initiator or self._key.address < peer
        old = self._by_peer.get(peer)
        self._sessions[session.index] = session
        self._by_peer[peer] = session
        other = (self._answering if handshake.initiator else self._calling).get(peer)
        if other is not None and (session.may_send or not handshake.initiator):
            self._forget(other)
        if old is not None:
            old.lose(Interrupted("a new session took the place of the old one", hint="call again"))
        self.counters["opened"] += 1
        self.due(session.next_deadline())
        session.messages = self._owner.opened(session)

    def _add(self, handshake: Handshake) -> Handshake:
        self._handshakes[handshake.index] = handshake
        self.due(handshake.started + REPEAT)
        return handshake

    def _forget(self, handshake: Handshake) -> None:
        self._handshakes.pop(handshake.index, None)
        for table in (self._calling, self._answering):
            if table.get(handshake.peer_address) is handshake:
                del table[handshake.peer_address]

    def _new_index(self) -> int:
        while True:
            index = int.from_bytes(self._random(4), "big")
            if index and index not in self._sessions and index not in self._handshakes:
                return index

    def _send(self, packet: bytes) -> None:
        destination = packet[8:24]
        flow = self._flows.get(destination)
        if flow is None:
            if len(self._flows) > 4096:
                self._flows = {peer: flow for peer, flow in self._flows.items() if flow.packets}
            flow = self._flows[destination] = PacketFlow(destination)
        flow.packets.append(packet)
        self.ready(flow)

    def _allowed(self, what: str, arrival: object, per_second: int, now: float) -> bool:
        since, count = self._rates.get((what, arrival), (now, 0))
        if now - since >= 1:
            since, count = now, 0
        if len(self._rates) > 4096:
            self._rates.clear()
        self._rates[what, arrival] = since, count + 1
        return count < per_second

    # --- Keeper of the sessions

    def deliver(self, session: Session, lane: int, plaintext: bytes) -> None:
        self._owner.received(session, lane, plaintext)

    def busy(self, session: Session) -> bool:
        return self._owner.busy(session)

    def confirmed(self, session: Session) -> None:
        """A record of the peer opened: the handshake need not be repeated any more."""
        handshake = self._handshakes.get(session.index)
        if handshake is not None:
            self._forget(handshake)

    def renew(self, session: Session, now: float) -> None:
        """The peer does not answer, after a hint that it has forgotten the session."""
        if session.peer_address not in self._calling:
            self._begin(session.peer_address, now, session.peer_key)

    def ended(self, session: Session, error: GlowError | None) -> None:
        self._sessions.pop(session.index, None)
        if self._by_peer.get(session.peer_address) is session:
            del self._by_peer[session.peer_address]
        self.confirmed(session)
        self._owner.closed(session, error)


def _copy(noise: HandshakeXX) -> HandshakeXX:
    """Where a message may turn out to be forged, the handshake goes on from before it."""
    import copy

    return copy.copy(noise)
