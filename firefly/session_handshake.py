"""How two nodes agree on a session: Noise XX in three steps, over packets that may be lost, doubled or forged
(docs/concepts/wire.md, 4 Session). Sans-I/O.

state      who        has sent   waits for   ends
CALLING    initiator  step 1     step 2      FINISHED, or given up
FINISHED   initiator  step 3     a record    when one opens, or given up: then the peer may not have the session
ANSWERING  responder  step 2     step 3      DONE, or given up
DONE       responder  an ACK     nothing     after its time; until then a repeated step 3 gets another ACK

The initiator alone repeats. A message that does not fit, or does not open, leaves all as it was.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from copy import copy
from enum import Enum, auto
from typing import Protocol

from firefly.address import address_of
from firefly.agreement import Agreement
from firefly.detour import Search, Way, Ways
from firefly.errors import BadHandshake
from firefly.hello import choose_cipher, decode_hello, encode_hello
from firefly.keys import NodeKey
from firefly.noise import HandshakeXX
from firefly.packet import HANDSHAKE, HANDSHAKE_PREFIX, HEADER_SIZE, INTERACTIVE, pack_header
from firefly.rate import Rate
from firefly.sealing import offered
from firefly.session import Session

PROLOGUE = b"glow/1 session"
STEP_1_SIZE = 256
"""Bytes of step 1's payload: no answer is longer than its question."""
MAX_SIZE = 1024
REPEAT, MAX_REPEAT, GIVE_UP = 0.25, 4.0, 15.0
"""Seconds: until the first repetition, between later ones, until a handshake is given up."""
HALF_OPEN, HALF_OPEN_PER_LINK = 512, 32
"""Handshakes of others, DONE ones included; the oldest goes first."""
STEP_1_PER_SECOND = 20
_PADDING = bytes(STEP_1_SIZE - HANDSHAKE_PREFIX.size - 32)

Random = Callable[[int], bytes]


class State(Enum):
    CALLING = auto()
    FINISHED = auto()
    ANSWERING = auto()
    DONE = auto()


class Owner(Protocol):
    """What the handshakes need of `Sessions`."""

    def ways(self, peer: bytes, suspicion: Mapping[bytes, int], now: float) -> Way | None: ...
    def send(self, packet: bytes, way: Way | None = None) -> None: ...
    def due(self, at: float) -> None: ...
    def taken(self, index: int) -> bool: ...
    def agreed(self, handshake: Handshake, agreement: Agreement, now: float) -> Session: ...
    def given_up(self, handshake: Handshake) -> None: ...


class Handshake:
    """One of them. `packet` is what is repeated, `question` the payload of a step 1, `heard` that of a step 2 or 3.

    `search`: for the ways that repetitions take beside the plain path, as it may lead through one who swallows packets.
    """

    def __init__(
        self, key: NodeKey, peer: bytes, index: int, initiator: bool, now: float, random: Random, ways: Ways
    ) -> None:
        self.key = key
        self.peer_address = peer
        self.index = index
        self.peer_index = 0
        self.state = State.CALLING if initiator else State.ANSWERING
        self.expected: bytes | None = None
        self.arrival: object = None
        self.session: Session | None = None
        self.packet = self.question = self.heard = b""
        self.began = self.until = now
        self.repeat_at = math.inf
        self.repeats = self.answers = 0
        self.hop: object = None
        self.search = Search(peer, ways)
        addresses = key.address + peer if initiator else peer + key.address
        self._noise = HandshakeXX(key, PROLOGUE + addresses, initiator, random)

    @property
    def initiator(self) -> bool:
        return self.state in (State.CALLING, State.FINISHED)

    def write(self, step: int, content: bytes, now: float) -> bytes:
        """The packet of our next step, which may be repeated for 15 s from now."""
        payload = HANDSHAKE_PREFIX.pack(step, self.index, self.peer_index) + self._noise.write(content)
        self.packet = pack_header(HANDSHAKE, INTERACTIVE, len(payload), self.peer_address, self.key.address) + payload
        self.began, self.until = now, now + GIVE_UP
        self.repeats = 0
        self.repeat_at = now + REPEAT if self.initiator else math.inf
        return self.packet

    def repeat(self, now: float) -> bytes:
        self.repeats += 1
        self.repeat_at = now + min(REPEAT * 2**self.repeats, MAX_REPEAT)
        return self.packet

    def renewed(self, now: float, ways: Ways) -> bytes:
        """The same as for the first time: there is a new path."""
        self.repeats = 0
        self.repeat_at = now + REPEAT
        self.search = Search(self.peer_address, ways)
        return self.packet

    def other_way(self, now: float) -> Way | None:
        """What a repetition takes beside the plain path: each detour twice, as the peer may answer by the plain one."""
        if self.session is None:
            return self.search.next(now) if self.repeats % 2 else self.search.way
        if self.repeats and self.repeats % 2 == 0:
            self.session.detours.suspect(now)
        return self.session.detours.way

    def way_of_answer(self, now: float) -> Way | None:
        """That of the answer to a step that has come again: the plain path and detours in turn."""
        if self.answers % 2 == 0:
            return None
        return self.search.next(now) if self.session is None else self.session.detours.way

    def read_question(self, payload: bytes, peer_index: int) -> None:
        """Takes step 1. Raises BadHandshake."""
        self._noise.read(payload[HANDSHAKE_PREFIX.size :])
        self.question, self.peer_index = payload, peer_index

    def read_hello(self, payload: bytes, peer_index: int) -> tuple[bytes, bytes, int]:
        """Takes step 2 or 3: (key, instance, cipher) of the peer. Raises BadHandshake, and all is as before."""
        noise = copy(self._noise)
        content = noise.read(payload[HANDSHAKE_PREFIX.size :])
        hello = decode_hello(content, noise.remote_static, self.expected)
        if address_of(hello.key) != self.peer_address:
            raise BadHandshake("the peer's key is not that of its address")
        cipher = choose_cipher(offered(), hello.ciphers)
        self._noise, self.heard, self.peer_index = noise, payload, peer_index
        return hello.key, hello.instance, cipher

    def agree(self, key: bytes, instance: bytes, cipher: int) -> Agreement:
        """What both ends know once step 3 is written, or read."""
        indices = self.index, self.peer_index
        own, peer = self.key.address, self.peer_address
        return Agreement(own, peer, key, instance, *indices, *self._noise.split(), cipher, self.initiator)


class Handshakes:
    """All of them, of one node."""

    def __init__(self, key: NodeKey, instance: bytes, owner: Owner, random: Random, counters: Counter[str]) -> None:
        self._key = key
        self._hello = encode_hello(key.public, instance)
        self._owner = owner
        self._random = random
        self._counters = counters
        self._questions = Rate(STEP_1_PER_SECOND)
        self._by_index: dict[int, Handshake] = {}
        self._calling: dict[bytes, Handshake] = {}
        self._answering: dict[tuple[bytes, bytes], Handshake] = {}
        """By source and question: who forges one in the name of another takes no place of that one's."""

    def __contains__(self, index: int) -> bool:
        return index in self._by_index

    def __len__(self) -> int:
        return len(self._by_index)

    def calling(self, peer: bytes) -> Handshake | None:
        """The one that this node began with `peer`."""
        return self._calling.get(peer)

    def find(self, peer: bytes) -> Handshake | None:
        """One that may still lead to a session with `peer`."""
        found = self._calling.get(peer)
        if found is not None:
            return found
        for handshake in self._answering.values():
            if handshake.peer_address == peer and handshake.state is State.ANSWERING:
                return handshake
        return None

    def begin(self, peer: bytes, expected: bytes | None, now: float) -> None:
        """Sends step 1. `expected`: the key that must answer, if it is known."""
        handshake = Handshake(self._key, peer, self._new_index(), True, now, self._random, self._owner.ways)
        handshake.expected = expected
        self._owner.send(handshake.write(1, _PADDING, now))
        self._calling[peer] = self._by_index[handshake.index] = handshake
        self._owner.due(handshake.repeat_at)

    def receive(self, packet: bytes, now: float, arrival: object) -> None:
        """Takes a HANDSHAKE packet. Raises BadHandshake, and all is as before."""
        payload = packet[HEADER_SIZE:]
        if not HANDSHAKE_PREFIX.size <= len(payload) <= MAX_SIZE:
            raise BadHandshake("a handshake of the wrong length")
        source = packet[24:40]
        step, sender, receiver = HANDSHAKE_PREFIX.unpack_from(payload)
        if step == 1:
            self._receive_question(source, sender, payload, now, arrival)
            return
        handshake = self._by_index.get(receiver)
        if handshake is None or handshake.peer_address != source:
            self._counters["stray_handshakes"] += 1
        elif payload == handshake.heard:
            self._repeat_answer(handshake, now)
        elif step == 2 and handshake.state is State.CALLING:
            self._receive_answer(handshake, payload, sender, now)
        elif step == 3 and handshake.state is State.ANSWERING and sender == handshake.peer_index:
            self._receive_last(handshake, payload, sender, now)
        else:
            self._counters["stray_handshakes"] += 1

    def _repeat_answer(self, handshake: Handshake, now: float) -> None:
        """A step has come again: no answer has reached the peer."""
        if handshake.state is State.DONE:
            if handshake.session is not None:
                handshake.session.asked_again(now)
        else:
            handshake.answers += 1
            self._owner.send(handshake.packet, handshake.way_of_answer(now))

    def _receive_question(self, source: bytes, sender: int, payload: bytes, now: float, arrival: object) -> None:
        if not self._questions.allows(arrival, now):
            self._counters["handshakes_refused"] += 1
            return
        known = self._answering.get((source, payload))
        if known is not None:
            self._repeat_answer(known, now)
            return
        if source in self._calling and self._key.address < source:
            self._counters["collisions"] += 1  # ours goes on; the peer answers it
            return
        if len(payload) < STEP_1_SIZE or source == self._key.address:
            raise BadHandshake("a first step that is not padded, or our own")
        self._answer(source, sender, payload, now, arrival)

    def _answer(self, source: bytes, sender: int, payload: bytes, now: float, arrival: object) -> None:
        handshake = Handshake(self._key, source, self._new_index(), False, now, self._random, self._owner.ways)
        handshake.arrival = arrival
        handshake.read_question(payload, sender)
        packet = handshake.write(2, self._hello, now)
        self._make_room(arrival)
        self._answering[source, payload] = self._by_index[handshake.index] = handshake
        self._owner.due(handshake.until)
        self._owner.send(packet)

    def _make_room(self, arrival: object) -> None:
        same_link = [other for other in self._answering.values() if other.arrival == arrival]
        if len(same_link) >= HALF_OPEN_PER_LINK:
            self._drop(same_link[0])
        elif len(self._answering) >= HALF_OPEN:
            self._drop(next(iter(self._answering.values())))

    def _drop(self, handshake: Handshake) -> None:
        self._counters["handshakes_dropped"] += handshake.state is State.ANSWERING
        self.forget(handshake)

    def _receive_answer(self, handshake: Handshake, payload: bytes, sender: int, now: float) -> None:
        hello = handshake.read_hello(payload, sender)
        waited = now - handshake.began if not handshake.repeats else None
        handshake.write(3, self._hello, now)
        handshake.state = State.FINISHED
        self._agree(handshake, hello, waited, now)
        self._send(handshake, now)
        self._owner.due(handshake.repeat_at)

    def _receive_last(self, handshake: Handshake, payload: bytes, sender: int, now: float) -> None:
        hello = handshake.read_hello(payload, sender)
        handshake.state = State.DONE
        self._agree(handshake, hello, None, now)
        if handshake.session is not None:
            handshake.session.acknowledge()

    def _agree(self, handshake: Handshake, hello: tuple[bytes, bytes, int], waited: float | None, now: float) -> None:
        session = handshake.session = self._owner.agreed(handshake, handshake.agree(*hello), now)
        session.detours.begin(handshake.search, now)
        if waited is not None:
            session.answered(waited)

    def forget(self, handshake: Handshake | None) -> None:
        if handshake is None or self._by_index.pop(handshake.index, None) is None:
            return
        if handshake.initiator:
            del self._calling[handshake.peer_address]
        else:
            del self._answering[handshake.peer_address, handshake.question]

    def forget_session(self, session: Session) -> None:
        """The session needs its handshake no more: the peer has it too, or it has ended."""
        self.forget(self._by_index.get(session.index))

    def forget_others(self, session: Session) -> None:
        """A session is in use: no other handshake with its peer is to replace it."""
        for handshake in [*self._calling.values(), *self._answering.values()]:
            if handshake.peer_address == session.peer_address and handshake.session is not session:
                self.forget(handshake)

    def link_lost(self, link: object) -> None:
        self._questions.forget(link)

    def route_changed(self, hop_of: Callable[[bytes], object], now: float) -> None:
        """Repeats at once what may have been lost for want of a route that is there now."""
        for handshake in [other for other in self._by_index.values() if other.initiator]:
            before, handshake.hop = handshake.hop, hop_of(handshake.peer_address)
            if handshake.hop is not None and handshake.hop is not before:
                self._owner.send(handshake.renewed(now, self._owner.ways))
                self._owner.due(handshake.repeat_at)

    def _send(self, handshake: Handshake, now: float) -> None:
        """Sends a step of an initiator by the plain path, and by a detour if it is not the first time."""
        self._owner.send(handshake.packet)
        way = handshake.other_way(now)
        if way is not None:
            self._owner.send(handshake.packet, way)

    def _new_index(self) -> int:
        while True:
            index = int.from_bytes(self._random(4), "big")
            if index and index not in self._by_index and not self._owner.taken(index):
                return index

    # --- time

    def next_deadline(self) -> float:
        return min((min(other.repeat_at, other.until) for other in self._by_index.values()), default=math.inf)

    def on_timer(self, now: float) -> None:
        for handshake in list(self._by_index.values()):
            if now >= handshake.until:
                self.forget(handshake)
                self._owner.given_up(handshake)
            elif now >= handshake.repeat_at:
                handshake.repeat(now)
                self._send(handshake, now)
