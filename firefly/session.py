"""The end-to-end encrypted, reliable conversation of two nodes (docs/concepts/wire.md, 4 Session). Sans-I/O.

A session seals records when a link pulls them (`Flow.next_packet`), opens what arrives, acknowledges, and sends again
what was lost. Lanes 1 and 2 are independent; lane 0 holds ACK, PING and CLOSE. `sessions.py` makes sessions.

What does not open is counted and changes nothing. What opens and breaks the rules ends the session.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cryptography.exceptions import InvalidTag

from firefly.acknowledgement import MAX_REASON, Ack, Acknowledging, Close, Ping, decode_control, encode_control
from firefly.agreement import Agreement
from firefly.congestion import CongestionWindow
from firefly.detour import Detours
from firefly.detour import Keeper as DetourKeeper
from firefly.doubt import Doubt
from firefly.epochs import COUNTER_BITS, EPOCH_MASK, Opening, Sealing
from firefly.errors import BadRecord, GlowError, Interrupted
from firefly.flow import CONTROL_LANE, PRIORITIES, Flow, Messages
from firefly.lane import PIECE, Receiving, Sending
from firefly.packet import BULK, DATA, HEADER_SIZE, HOP_LIMIT, INTERACTIVE, QUOTED, VERSION
from firefly.room import Room
from firefly.sealing import pack_nonce

MAX_HELD = 8 * 2**20
"""Bytes that the receiver keeps above gaps."""

QUIET, LOST_AFTER, IDLE = 15.0, 60.0, 600.0
"""Seconds: without a word until a PING, owed until the session is lost, with nothing open until CLOSE."""

HEAD = struct.Struct(">BBBBI32sIQ")
"""Packet header (firefly/packet.py) with both addresses in one, and the session's prefix."""
HEAD_SIZE = HEAD.size
ASSOCIATED = slice(8, HEAD_SIZE)
"""Both addresses, index and number."""
TAG_SIZE = 16
LARGE = 4096
"""Bytes from which a view is cheaper than a copy."""
_COUNTER = (1 << COUNTER_BITS) - 1
_FIRST_BYTE = VERSION << 4 | DATA
_ADDED = HEAD_SIZE - HEADER_SIZE + TAG_SIZE


class Keeper(DetourKeeper, Protocol):
    """What a session needs of `Sessions`."""

    def ready(self, flow: Flow) -> None: ...
    def session_due(self, session: Session, at: float) -> None: ...
    def received(self, session: Session, lane: int, plaintext: bytes) -> None: ...
    def busy(self, session: Session) -> bool: ...
    def ended(self, session: Session, error: GlowError | None) -> None: ...
    def renew(self, session: Session, now: float) -> None: ...
    def confirmed(self, session: Session, now: float) -> None: ...


@dataclass(slots=True)
class Counters:
    """Packets of a session. `forged`: did not open; `refused`: above a gap, and no room for it; `in_vain`: sent again,
    though the peer, as it says, had them."""

    sent: int = 0
    received: int = 0
    resent: int = 0
    in_vain: int = 0
    duplicates: int = 0
    refused: int = 0
    forged: int = 0


class Session:
    """See the module. `confirmed`: a record of the peer has opened, so it has the session too."""

    __slots__ = (
        "_acks",
        "_active",
        "_addresses",
        "_asked",
        "_close",
        "_control_counter",
        "_control_quote",
        "_control_seen",
        "_doubt",
        "_epoch_began",
        "_heard",
        "_hop",
        "_keeper",
        "_opening",
        "_owed_since",
        "_ping",
        "_received",
        "_receiving",
        "_rests",
        "_sealing",
        "_sending",
        "_worked",
        "closed",
        "confirmed",
        "counters",
        "detours",
        "due",
        "flows",
        "index",
        "initiator",
        "messages",
        "peer_address",
        "peer_index",
        "peer_instance",
        "peer_key",
        "window",
    )

    def __init__(self, keeper: Keeper, agreement: Agreement, window: CongestionWindow, held: Room, now: float) -> None:
        """`held`: room for what comes above gaps, of which this session takes at most 8 MiB."""
        self.peer_address = agreement.peer_address
        self.peer_key = agreement.peer_key
        self.peer_instance = agreement.peer_instance
        self.initiator = agreement.initiator
        self.index, self.peer_index = agreement.index, agreement.peer_index
        self.closed = False
        self.confirmed = False
        self.counters = Counters()
        self.messages: Messages | None = None
        self.window = window
        self._keeper = keeper
        self.due: Callable[[float], None] = partial(keeper.session_due, self)
        self._received = keeper.received
        self._addresses = agreement.peer_address + agreement.own_address
        self._sealing = Sealing(agreement.cipher, agreement.sealing_key, now)
        self._opening = Opening(agreement.cipher, agreement.opening_key)
        room = Room(MAX_HELD, held)
        self._sending = {INTERACTIVE: Sending(window), BULK: Sending(window)}
        self._receiving = {INTERACTIVE: Receiving(room), BULK: Receiving(room)}
        self._epoch_began: tuple[int, ...] = (0, 0, 0)  # by lane
        self._worked, self._rests = 0, False
        self._control_counter = 0
        self._control_seen = -1
        self._control_quote = b""
        self._ping = False
        self._hop: object = None
        self._close: str | None = None
        self._heard = self._asked = self._active = now
        self._owed_since = math.inf
        self._doubt = Doubt(self._send_ping, self.due)
        control, interactive, bulk = (Flow(self, lane) for lane in (CONTROL_LANE, INTERACTIVE, BULK))
        self.flows = (control, interactive, bulk)
        self.detours = Detours(self, keeper, self._sending, now)
        self._acks = Acknowledging(self.due, lambda: keeper.ready(control), now)
        self.due(now + QUIET)

    def __repr__(self) -> str:
        return f"<Session {self.index:08x} with {self.peer_address.hex()[:8]}>"

    @property
    def active(self) -> float:
        """When a record last came, or was there to be sent."""
        return max(self._active, self._acks.newest)

    @property
    def srtt(self) -> float | None:
        """Seconds of a round trip, in the lane in which it is longer; None before the first measurement."""
        return max((sending.round_trip.smoothed or 0.0 for sending in self._sending.values()), default=0.0) or None

    @property
    def in_flight(self) -> int:
        """Records that nobody has acknowledged."""
        return sum(len(sending.in_flight) for sending in self._sending.values())

    def answered(self, seconds: float) -> None:
        """The handshake took so long to be answered: the first estimate of a round trip."""
        for sending in self._sending.values():
            sending.round_trip.measure(seconds)

    # --- sending

    def send_waiting(self, lane: int, now: float) -> None:
        """The outbox has something for a lane: announces it to the links."""
        self._active = now
        if self.window.takes(lane, self._sending[lane].used):
            self._keeper.ready(self.flows[lane])
        else:
            self._blocked()

    def _blocked(self) -> None:
        """What waits has to wait for an ACK."""
        if self.window.refused():
            self._send_ping()

    def announce(self) -> None:
        """Announces every lane that has something to send."""
        for lane, sending in self._sending.items():
            if sending.resending or sending.rest or (self.messages is not None and self.messages.waiting(lane)):
                self._keeper.ready(self.flows[lane])

    def next_record(self, lane: int, now: float, link: object) -> bytes | None:
        """The next packet of lane 1 or 2: one that is sent again, or else a new one."""
        sending = self._sending[lane]
        if sending.resending:
            packet = sending.next_resent(now, link)
            if packet is not None:
                self.counters.resent += 1
                self.due(now + sending.round_trip.patience())
                return packet
        window, messages = self.window, self.messages
        if messages is None or self.closed:
            return None
        if not window.takes(lane, sending.used):
            if sending.rest or messages.waiting(lane):
                self._blocked()
            return None
        if sending.rest:
            plaintext = sending.next_piece(window.record)
        else:
            record = messages.take(lane, window.record)
            if record is None:
                return None
            plaintext = record if len(record) <= window.record else sending.cut(record, window.record)
        packet = self._seal(lane, sending.counter, plaintext, now)
        if not sending.in_flight:
            self._owed_since = min(self._owed_since, now)
            self.due(now + sending.round_trip.patience())
        sending.sent(packet, now, link)
        return packet

    def _seal(self, lane: int, counter: int, plaintext: bytes, now: float) -> bytes:
        sealing = self._sealing
        if sealing.left <= 0 or now >= sealing.until:
            self._next_epoch(now)
        sealing.left -= 1
        number = lane << 62 | sealing.bits | counter
        size = len(plaintext) + _ADDED
        head = HEAD.pack(_FIRST_BYTE, HOP_LIMIT, PRIORITIES[lane], 0, size, self._addresses, self.peer_index, number)
        self.counters.sent += 1
        return head + sealing.encrypt(pack_nonce(0, number), plaintext, head[ASSOCIATED])

    def _next_epoch(self, now: float) -> None:
        """Changes the key to send with, unless the peer may still need the one before the present one."""
        for lane, sending in self._sending.items():
            if sending.first_missing() < self._epoch_began[lane]:
                return
        self._epoch_began = (0, *(sending.counter for sending in self._sending.values()))
        self._sealing.next(now)

    def next_control(self, lane: int, now: float, link: object) -> bytes | None:
        """The next packet of lane 0: PING, an ACK if one is due, CLOSE as the last."""
        message: Ping | Ack | Close | None
        if self._close is not None:
            message, self._close = Close(self._close), None
        elif self.closed:
            return None
        elif self._ping:
            message, self._ping = Ping(), False
        else:
            message = self._acks.take(self._receiving, now)
        if message is None:
            return None
        packet = self._seal(CONTROL_LANE, self._control_counter, encode_control(message), now)
        self._control_counter += 1
        self._control_quote = packet[HEADER_SIZE : HEADER_SIZE + QUOTED]
        return packet

    def acknowledge(self) -> None:
        """An ACK is due at once."""
        self._acks.want()

    def asked_again(self, now: float) -> None:
        """The peer repeats the last step of its handshake: no ACK has reached it."""
        self.detours.asked_again(now)
        self._acks.want()

    def _send_ping(self) -> None:
        self._ping = True
        self._keeper.ready(self.flows[CONTROL_LANE])

    def rest(self) -> None:
        """Gives up what only a session at work needs, if no packet went or came since the last time; it comes back by
        itself.
        """
        worked = self.counters.sent + self.counters.received
        if worked != self._worked:
            self._worked, self._rests = worked, False
        elif not self._rests:
            self._rests = True
            self._sealing.rest()
            self._opening.rest()
            for sending in self._sending.values():
                sending.shrink()

    # --- receiving

    def receive(self, packet: bytes, number: int, now: float) -> None:
        """Takes a DATA packet that names this session's index, and what it gives as its record's number."""
        lane = number >> 62
        opening = self._opening
        epoch = number >> COUNTER_BITS & EPOCH_MASK
        decrypt = opening.decrypt if epoch == opening.epoch else opening.other(epoch)
        if decrypt is None or packet[2] != PRIORITIES[lane]:
            self.counters.forged += 1
            return
        sealed = packet[HEAD_SIZE:] if len(packet) < LARGE else memoryview(packet)[HEAD_SIZE:]
        try:
            plaintext = decrypt(pack_nonce(0, number), sealed, packet[ASSOCIATED])
        except InvalidTag:
            self.counters.forged += 1
            return
        if epoch != opening.epoch:
            opening.opened(epoch)
        self.counters.received += 1
        if not self.confirmed:
            self.confirmed = True
            self._keeper.confirmed(self, now)
        if lane:
            self._receive_record(lane, number & _COUNTER, plaintext, now)
        else:
            self._receive_control(number & _COUNTER, plaintext, now)

    def _receive_record(self, lane: int, counter: int, plaintext: bytes, now: float) -> None:
        receiving = self._receiving[lane]
        if counter != receiving.wanted:
            self._out_of_order(receiving, counter, plaintext, now)
            return
        self._heard = now
        receiving.wanted = counter + 1
        self._acks.count(len(plaintext), now)
        self._hand_on(receiving, lane, plaintext)
        if receiving.held:
            self._receive_held(lane, receiving)

    def _out_of_order(self, receiving: Receiving, counter: int, plaintext: bytes, now: float) -> None:
        """A replayed record is no sign of life, so a duplicate is none."""
        if receiving.hold(counter, plaintext):
            self._heard = self._acks.newest = now
        elif counter < receiving.wanted or counter in receiving.held:
            self.counters.duplicates += 1
            self._acks.duplicates += 1
            self.detours.duplicate(self._heard, now)
        else:
            self.counters.refused += 1
        self._acks.want()

    def _receive_held(self, lane: int, receiving: Receiving) -> None:
        self._acks.want()
        while not self.closed:
            held = receiving.next_held()
            if held is None:
                return
            self._hand_on(receiving, lane, held)

    def _hand_on(self, receiving: Receiving, lane: int, record: bytes) -> None:
        """Gives what is next in order to the owner, once all its pieces are there."""
        if record.startswith(PIECE):
            try:
                whole = receiving.join(record)
            except BadRecord as error:
                self.break_off(error)
                return
            if whole is None:
                return
            record = whole
        self._received(self, lane, record)

    def _receive_control(self, counter: int, plaintext: bytes, now: float) -> None:
        if counter <= self._control_seen:
            self.counters.duplicates += 1
            return
        self._heard = now
        self._control_seen = counter
        try:
            message = decode_control(plaintext)
            if isinstance(message, Ack):
                self._acknowledged(message, now)
        except BadRecord as error:
            self.break_off(error)
            return
        if isinstance(message, Ping):
            self._acks.want()
        elif isinstance(message, Close):
            self.lose(Interrupted("the other node closed the session", cause=message.reason, hint="call again"))

    def _acknowledged(self, ack: Ack, now: float) -> None:
        """Raises BadRecord for an ACK of what was never sent."""
        window, before = self.window, self.window.used
        newest_at, delay = -math.inf, ack.delay / 1e6
        in_vain, self.counters.in_vain = ack.duplicates > self.counters.in_vain, ack.duplicates
        for lane, wanted, ranges in ack.lanes:
            sending = self._sending[lane]
            if not sending.allows(wanted, ranges):
                raise BadRecord("an ACK of what was never sent")
            newest = sending.acknowledge(wanted, ranges, in_vain)
            if newest is not None:
                window.measure(now - newest.first_at - delay, len(newest.packet), lane, now)
                if newest.first_at > newest_at:
                    newest_at, measured = newest.first_at, sending
            if sending.repaired:
                sending.round_trip.answered()
            lost = bool(ranges) and sending.find_lost(ranges, now)
            if lost:
                window.lost()
            if (sending.repaired and not in_vain and sending.find_late(now)) or lost:
                self._keeper.ready(self.flows[lane])
        if newest_at > -math.inf:
            measured.round_trip.measure(now - newest_at - delay)
        window.acknowledged(before - window.used, self.srtt or 0.0, now)
        self._owed_since = math.inf
        if window.used:
            self._owed_since = now
            self.due(self.next_deadline())
        if window.blocked and window.takes(INTERACTIVE, self._sending[INTERACTIVE].used):
            window.blocked = False
            self.announce()

    # --- time

    def next_deadline(self) -> float:
        """When `on_timer` is due. What makes it come closer tells the keeper so."""
        deadline = min(self._acks.at, self._doubt.at, self.detours.at, max(self._heard, self._asked) + QUIET)
        if self._owed_since < math.inf:
            deadline = min(deadline, max(self._owed_since, self._heard) + LOST_AFTER)
            for sending in self._sending.values():
                oldest = sending.oldest()
                if oldest is not None and not oldest.queued:
                    deadline = min(deadline, oldest.sent_at + sending.round_trip.patience())
        return deadline

    def on_timer(self, now: float) -> None:
        if self._acks.at <= now:
            self._acks.want()
        if self._doubt.at <= now and self._doubt.confirmed(self._heard, now):
            self._keeper.renew(self, now)
        self._resend_late(now)
        if self.detours.at <= now:
            self.detours.on_timer(now)
        if max(self._owed_since, self._heard) + LOST_AFTER <= now:
            self.lose(Interrupted("the other node was not heard for 60 s", hint="`glow status` shows what is linked"))
        elif max(self._heard, self._asked) + QUIET <= now:
            self._check(now)

    def _resend_late(self, now: float) -> None:
        for lane, sending in self._sending.items():
            oldest, round_trip = sending.oldest(), sending.round_trip
            if oldest is not None and oldest.sent_at + round_trip.patience() <= now and sending.again(oldest):
                self._keeper.ready(self.flows[lane])
                round_trip.back_off()
                if round_trip.silent:
                    self.window.begin_slowly(now)
                    self.detours.silent(now)

    def _check(self, now: float) -> None:
        """Nothing was heard for 15 s: asks, if anything is open; has the session end after 10 min if nothing is."""
        self._asked = now
        if self._keeper.busy(self) or self.window.used:
            self._active = now
            self._owed_since = min(self._owed_since, now)
            self._send_ping()
        elif self.active + IDLE <= now:
            self.close("idle", now)

    def path_lost(self, link: object = None) -> None:
        """A link is down, or, without one, the way further on: everything that left by it leaves again at once."""
        for sending in self._sending.values():
            sending.round_trip.path_changed()
            sending.path_lost(link)
        self.due(self.next_deadline())
        self.announce()

    def route_changed(self, hop_of: Callable[[bytes], object], now: float) -> None:
        """`hop_of` tells where packets leave now, None if nowhere: the waits so far say nothing about a new path."""
        if self.detours.way is not None:
            self.detours.routes_changed(hop_of, now)
        before, self._hop = self._hop, hop_of(self.flows[CONTROL_LANE].destination)
        if self._hop is not None and self._hop is not before:
            self.path_changed(now)

    def path_changed(self, now: float) -> None:
        """Nothing is known about the path on which packets are now."""
        for sending in self._sending.values():
            sending.round_trip.path_changed()
        self.window.restart(now)
        self.due(self.next_deadline())

    # --- whether the peer has the session

    def sent(self, quoted: bytes) -> bool:
        """Whether `quoted` begins a payload of ours that is not acknowledged, or our last one of lane 0."""
        if len(quoted) != QUOTED:
            return False
        number = int.from_bytes(quoted[4:12], "big")
        sending = self._sending.get(number >> 62)
        if sending is None:
            return quoted == self._control_quote
        record = sending.in_flight.get(number & _COUNTER)
        return record is not None and record.packet.startswith(quoted, HEADER_SIZE)

    def doubt(self, now: float) -> None:
        """Somebody, maybe a liar, says that the peer does not know this session: asks the peer."""
        self._doubt.begin(self._heard, now)

    # --- the end

    def close(self, reason: str, now: float) -> None:
        """Tells the peer, and ends."""
        if not self.closed:
            self._say_close(reason)
            self._end(None)

    def break_off(self, error: GlowError) -> None:
        """The peer broke the rules: tells it, and ends."""
        if not self.closed:
            self._say_close(error.message)
            self._end(Interrupted("the other node broke the rules of the wire", cause=error.message))

    def lose(self, error: GlowError) -> None:
        """Ends without a word to the peer."""
        if not self.closed:
            self._end(error)

    def _say_close(self, reason: str) -> None:
        self._close = reason[:MAX_REASON]
        self._keeper.ready(self.flows[CONTROL_LANE])

    def _end(self, error: GlowError | None) -> None:
        self.closed = True
        for lane in (INTERACTIVE, BULK):
            self._sending[lane].clear()
            self._receiving[lane].clear()
        self._keeper.ended(self, error)
