"""The end-to-end encrypted, reliable conversation of two nodes (docs/concepts/wire.md, 4 Session). Sans-I/O.

A session seals records when a link pulls them (`Flow.next_packet`), opens what arrives, acknowledges, and sends again
what was lost. Lanes 1 and 2 are independent; lane 0 holds ACK, PING and CLOSE. `sessions.py` makes sessions.
"""

from __future__ import annotations

import math
import struct
from typing import Annotated, Any, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Meta

from firefly.errors import GlowError, Interrupted
from firefly.lane import MAX_RANGES, Receiving, Sending
from firefly.noise import rekey
from firefly.packet import BULK, DATA, HOP_LIMIT, INTERACTIVE, VERSION
from firefly.sealing import cipher, pack_nonce

CONTROL_LANE = 0
LANES = (CONTROL_LANE, INTERACTIVE, BULK)
WINDOW = 2**20
"""Bytes of unacknowledged packets per session (fixed for now: docs/decisions)."""
RECORD = 65_536
"""Bytes of messages that are joined into one record; a bigger message goes alone."""

ACK_DELAY = 0.005
ACK_RECORDS = 64
ACK_BYTES = 256 * 2**10
MIN_RESEND, MAX_RESEND = 0.020, 2.0
QUIET, LOST_AFTER, IDLE = 15.0, 60.0, 600.0
"""Seconds: without a word until a PING, owed until the session is lost, with nothing open until CLOSE."""
DOUBT = 1.0
"""Seconds that a PING after a hint may go unanswered before a new handshake begins."""
EPOCH_TIME, EPOCH_RECORDS = 3600.0, 2**32

HEAD = struct.Struct(">BBBBI32sIQ")
"""Packet header with both addresses in one, and the session's prefix."""
HEAD_SIZE = HEAD.size
ASSOCIATED = slice(8, HEAD_SIZE)
TAG_SIZE = 16
COUNTER_BITS, EPOCH_BITS = 48, 14
_COUNTER = (1 << COUNTER_BITS) - 1
_EPOCH = (1 << EPOCH_BITS) - 1
_PREFIX = struct.Struct(">Q")
_FIRST_BYTE = VERSION << 4 | DATA

Counter = Annotated[int, Meta(ge=0, le=_COUNTER + 1)]
LaneAck = tuple[Annotated[int, Meta(ge=1, le=2)], Counter, list[tuple[Counter, Counter]]]


class Ack(msgspec.Struct, array_like=True, tag=1):
    """Per lane the next counter wanted, and ranges above it; µs since the newest record came."""

    lanes: Annotated[list[LaneAck], Meta(max_length=2)]
    delay: Annotated[int, Meta(ge=0)] = 0


class Ping(msgspec.Struct, array_like=True, tag=2):
    """Asks for an ACK."""


class Close(msgspec.Struct, array_like=True, tag=3):
    reason: Annotated[str, Meta(max_length=256)] = ""


_decode_control = msgspec.msgpack.Decoder(Ack | Ping | Close).decode
_encode = msgspec.msgpack.Encoder().encode


class Messages(Protocol):
    """What waits to be sent: rpc's outbox."""

    def take(self, lane: int, budget: int) -> bytes | None: ...
    def waiting(self, lane: int) -> bool: ...


class Keeper(Protocol):
    """What a session needs of `Sessions`."""

    def ready(self, flow: Flow) -> None: ...
    def due(self, at: float) -> None: ...
    def deliver(self, session: Session, lane: int, plaintext: bytes) -> None: ...
    def busy(self, session: Session) -> bool: ...
    def ended(self, session: Session, error: GlowError | None) -> None: ...
    def renew(self, session: Session, now: float) -> None: ...
    def confirmed(self, session: Session) -> None: ...


class Flow:
    """A lane of a session as the queue of a link sees it."""

    __slots__ = ("_pull", "destination", "lane", "priority", "session")

    def __init__(self, session: Session, lane: int) -> None:
        self.session = session
        self.lane = lane
        self.destination = session.peer_address
        self.priority = lane or INTERACTIVE
        self._pull = session.next_control if lane == CONTROL_LANE else session.next_record

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        """A whole packet, sealed now; None while there is nothing to send, or no room in the window."""
        return self._pull(self.lane, now, link)


class Direction:
    """The key of one direction, and its epochs."""

    __slots__ = ("_kind", "epoch", "key", "since", "use")

    def __init__(self, kind: int, key: bytes, now: float, epoch: int = 0) -> None:
        self._kind = kind
        self.key = key
        self.epoch = epoch
        self.since = now
        self.use: Any = cipher(kind, key)

    def next(self, now: float) -> Direction:
        return Direction(self._kind, rekey(self.key), now, self.epoch + 1)


class Session:
    """See the module. `srtt` in seconds, None before the first measurement."""

    def __init__(
        self,
        keeper: Keeper,
        own_address: bytes,
        peer_address: bytes,
        peer_key: bytes,
        peer_instance: bytes,
        indices: tuple[int, int],
        keys: tuple[bytes, bytes],
        kind: int,
        initiator: bool,
        now: float,
    ) -> None:
        """`indices`: own, peer's. `keys`: to send with, to receive with; `kind`: their cipher."""
        self.peer_address = peer_address
        self.peer_key = peer_key
        self.peer_instance = peer_instance
        self.initiator = initiator
        self.index, self.peer_index = indices
        self.srtt: float | None = None
        self.closed = False
        self.confirmed = not initiator
        self.may_send = True
        self.counters = {"sent": 0, "received": 0, "resent": 0, "duplicates": 0, "forged": 0, "acks": 0}
        self.messages: Messages | None = None
        self._keeper = keeper
        self._addresses = peer_address + own_address
        self._from_peer = own_address + peer_address
        self._sealing = Direction(kind, keys[0], now)
        self._opening = {0: Direction(kind, keys[1], now)}
        self._sending = {INTERACTIVE: Sending(), BULK: Sending()}
        self._receiving = {INTERACTIVE: Receiving(), BULK: Receiving()}
        self._control_counter = 0
        self._control_seen = -1
        self._control: list[Any] = []
        self._variation = 0.0
        self._backoff = 1
        self._heard = self._active = now
        self._owed_since = math.inf
        self._doubted = math.inf
        self._unacked = self._unacked_bytes = 0
        self._ack_at = math.inf
        self._newest = now
        self.flows = {lane: Flow(self, lane) for lane in LANES}

    def __repr__(self) -> str:
        return f"<Session {self.index:08x} with {self.peer_address.hex()[:8]}>"

    # --- sending

    def send_waiting(self, lane: int, now: float) -> None:
        """The outbox has something for a lane: announces it to the links."""
        self._active = now
        if self.may_send and self._window_open():
            self._keeper.ready(self.flows[lane])

    def _window_open(self) -> bool:
        return self._sending[INTERACTIVE].size + self._sending[BULK].size < WINDOW

    def next_record(self, lane: int, now: float, link: object) -> bytes | None:
        sending = self._sending[lane]
        if sending.resend:
            packet = sending.next_resent(now, link)
            if packet is not None:
                self.counters["resent"] += 1
                return packet
        if self.closed or not self.may_send or not self._window_open() or self.messages is None:
            return None
        plaintext = self.messages.take(lane, RECORD)
        if plaintext is None:
            return None
        counter = sending.counter
        packet = self._seal(lane, counter, plaintext, now)
        sending.sent(counter, packet, now, link)
        if self._owed_since == math.inf:
            self._owed_since = now
            self._keeper.due(now + self._resend_after())
        return packet

    def _seal(self, lane: int, counter: int, plaintext: bytes, now: float) -> bytes:
        sealing = self._sealing
        if now - sealing.since > EPOCH_TIME or (counter and not counter % EPOCH_RECORDS):
            sealing = self._sealing = sealing.next(now)
        number = lane << 62 | (sealing.epoch & _EPOCH) << COUNTER_BITS | counter
        length = len(plaintext) + TAG_SIZE + HEAD_SIZE - 40
        head = HEAD.pack(
            _FIRST_BYTE, HOP_LIMIT, lane or INTERACTIVE, 0, length, self._addresses, self.peer_index, number
        )
        self.counters["sent"] += 1
        return head + sealing.use.encrypt(pack_nonce(0, number), plaintext, head[ASSOCIATED])  # type: ignore[no-any-return]

    def next_control(self, lane: int, now: float, link: object) -> bytes | None:
        """The next record of lane 0: an ACK if one is due, PING, CLOSE."""
        if self._control:
            message = self._control.pop(0)
        elif self._ack_at <= now:
            message = self._make_ack(now)
        else:
            return None
        counter = self._control_counter
        self._control_counter += 1
        return self._seal(CONTROL_LANE, counter, _encode(message), now)

    def _make_ack(self, now: float) -> Ack:
        self._ack_at = math.inf
        self._unacked = self._unacked_bytes = 0
        self.counters["acks"] += 1
        lanes: list[LaneAck] = [
            (lane, receiving.wanted, receiving.ranges())
            for lane, receiving in self._receiving.items()
            if receiving.wanted or receiving.held
        ]
        return Ack(lanes, max(0, int((now - self._newest) * 1e6)))

    def say(self, message: Any) -> None:
        self._control.append(message)
        self._keeper.ready(self.flows[CONTROL_LANE])

    def ack_now(self, now: float) -> None:
        self._ack_at = now
        self._keeper.ready(self.flows[CONTROL_LANE])

    # --- receiving

    def receive(self, packet: bytes, now: float) -> None:
        """Takes a DATA packet for this session's index. Whatever does not open is counted and changes nothing."""
        if len(packet) < HEAD_SIZE + TAG_SIZE or packet[8:40] != self._from_peer:
            self.counters["forged"] += 1
            return
        (number,) = _PREFIX.unpack_from(packet, HEAD_SIZE - 8)
        lane = number >> 62
        if lane > BULK or packet[2] != (lane or INTERACTIVE):
            self.counters["forged"] += 1
            return
        opening = self._opening.get(number >> COUNTER_BITS & _EPOCH) or self._next_opening(number, now)
        try:
            plaintext = opening.use.decrypt(pack_nonce(0, number), packet[HEAD_SIZE:], packet[ASSOCIATED])
        except (InvalidTag, ValueError):
            self.counters["forged"] += 1
            return
        if opening.epoch not in self._opening:
            self._adopt(opening)
        self.counters["received"] += 1
        self._heard = now
        if not self.confirmed or not self.may_send:
            self._confirm(now)
        if lane == CONTROL_LANE:
            self._receive_control(number & _COUNTER, plaintext, now)
        else:
            self._receive_record(lane, number & _COUNTER, plaintext, now)

    def _next_opening(self, number: int, now: float) -> Direction:
        """The key of the epoch after the newest known one; proven only if the packet opens with it."""
        return self._opening[max(self._opening)].next(now)

    def _adopt(self, opening: Direction) -> None:
        self._opening[opening.epoch] = opening
        self._opening.pop(opening.epoch - 2, None)

    def _confirm(self, now: float) -> None:
        self.confirmed = self.may_send = True
        self._keeper.confirmed(self)
        self._announce()

    def _announce(self) -> None:
        if self.messages is not None:
            for lane in (INTERACTIVE, BULK):
                if self._sending[lane].resend or self.messages.waiting(lane):
                    self._keeper.ready(self.flows[lane])

    def _receive_record(self, lane: int, counter: int, plaintext: bytes, now: float) -> None:
        receiving = self._receiving[lane]
        self._newest = self._active = now
        if counter != receiving.wanted:
            if counter < receiving.wanted or not receiving.hold(counter, plaintext):
                self.counters["duplicates"] += 1
            self.ack_now(now)
            return
        receiving.wanted = counter + 1
        self._count_unacked(len(plaintext), now)
        self._keeper.deliver(self, lane, plaintext)
        while receiving.held and not self.closed:
            held = receiving.next_held()
            if held is None:
                self.ack_now(now)
                return
            self._count_unacked(len(held), now)
            self._keeper.deliver(self, lane, held)

    def _count_unacked(self, size: int, now: float) -> None:
        self._unacked += 1
        self._unacked_bytes += size
        if self._unacked >= ACK_RECORDS or self._unacked_bytes >= ACK_BYTES:
            self.ack_now(now)
        elif self._unacked == 1:
            self._ack_at = min(self._ack_at, now + ACK_DELAY)
            self._keeper.due(self._ack_at)

    def _receive_control(self, counter: int, plaintext: bytes, now: float) -> None:
        if counter <= self._control_seen:
            self.counters["duplicates"] += 1
            return
        self._control_seen = counter
        try:
            message = _decode_control(plaintext)
        except (msgspec.MsgspecError, ValueError):
            self.counters["forged"] += 1
            return
        if isinstance(message, Ack):
            self._acknowledged(message, now)
        elif isinstance(message, Ping):
            self.ack_now(now)
        else:
            self._end(Interrupted("the other node closed the session", cause=message.reason, hint="call again"))

    def _acknowledged(self, ack: Ack, now: float) -> None:
        self._doubted = math.inf
        was_open = self._window_open()
        for lane, wanted, ranges in ack.lanes:
            if len(ranges) > MAX_RANGES or wanted > self._sending[lane].counter:
                self.counters["forged"] += 1
                continue
            sending = self._sending[lane]
            newest = sending.acknowledge(wanted, ranges)
            if newest is not None:
                self._measure(now - newest.sent_at - ack.delay / 1e6)
            if sending.lost(ranges, now, (self.srtt or 0.0) / 4):
                self._keeper.ready(self.flows[lane])
        anything = any(sending.in_flight for sending in self._sending.values())
        self._owed_since = now if anything else math.inf
        if not was_open and self._window_open():
            self._announce()

    def _measure(self, sample: float) -> None:
        sample = max(sample, 1e-5)
        self._backoff = 1
        if self.srtt is None:
            self.srtt, self._variation = sample, sample / 2
        else:
            self._variation += (abs(self.srtt - sample) - self._variation) / 4
            self.srtt += (sample - self.srtt) / 8

    # --- time

    def _resend_after(self) -> float:
        srtt = 0.1 if self.srtt is None else self.srtt
        patience = max(MIN_RESEND, srtt + 4 * self._variation + 0.005) + ACK_DELAY
        return min(patience * self._backoff, MAX_RESEND)

    def next_deadline(self) -> float:
        """When `on_timer` is due; never later than something that must happen."""
        deadline = min(self._ack_at, self._heard + QUIET, self._doubted)
        if self._owed_since < math.inf:
            patience = self._resend_after()
            for sending in self._sending.values():
                for record in sending.in_flight.values():
                    deadline = min(deadline, record.sent_at + patience)
                    break
        return deadline

    def on_timer(self, now: float) -> None:
        if self._ack_at <= now:
            self._keeper.ready(self.flows[CONTROL_LANE])
        self._resend_late(now)
        if self._doubted <= now:
            self._doubted = math.inf
            self._keeper.renew(self, now)
        if max(self._owed_since, self._heard) + LOST_AFTER <= now:
            self._end(Interrupted("the other node was not heard for 60 s", hint="`glow status` shows what is linked"))
        elif self._heard + QUIET <= now:
            self._quiet(now)

    def _resend_late(self, now: float) -> None:
        patience, late = self._resend_after(), False
        for lane, sending in self._sending.items():
            oldest = sending.oldest()
            if oldest is not None and oldest[1].sent_at + patience <= now and sending.again(*oldest):
                late = True
                oldest[1].sent_at = now
                self._keeper.ready(self.flows[lane])
        if late:
            self._backoff = min(self._backoff * 2, 128)

    def _quiet(self, now: float) -> None:
        self._heard = now if self._owed_since == math.inf else self._heard
        if self._keeper.busy(self):
            self._active = now
            if self._owed_since == math.inf:
                self._owed_since = now
            self.say(Ping())
        elif self._active + IDLE <= now:
            self.close("idle", now)

    def link_lost(self, link: object, now: float) -> None:
        """Everything that left by `link` leaves again at once."""
        self._backoff = 1
        for lane, sending in self._sending.items():
            for counter, record in sending.in_flight.items():
                if record.link is link:
                    sending.again(counter, record)
            if sending.resend:
                self._keeper.ready(self.flows[lane])

    def doubt(self, now: float) -> None:
        """Somebody, maybe a liar, says that the peer does not know this session: asks it."""
        if self._doubted == math.inf:
            self._doubted = now + DOUBT
            self._keeper.due(self._doubted)
            self.say(Ping())

    # --- the end

    def close(self, reason: str, now: float) -> None:
        """Tells the peer and ends; its Messages hear of it through the owner."""
        if not self.closed:
            self.say(Close(reason))
            self._end(None)

    def _end(self, error: GlowError | None) -> None:
        if not self.closed:
            self.closed = True
            self._keeper.ended(self, error)

    def lose(self, error: GlowError) -> None:
        """Ends without a word to the peer."""
        self._end(error)
