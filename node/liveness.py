"""Is the neighbour at the other end of a link still there, and how far away is it? One state machine per link.

    any frame heard          -> nothing owed
    sent, 500 ms of silence  -> PROBE every max(300 ms, 2 x RTT); three without a word -> down
    sent an answer only      -> nothing owed: two idle ends would ask after each other's answers for ever
    silence while idle       -> PROBE every `idle` seconds
    no RTT for 15 s          -> PROBE, so that a busy link is measured too
    a new link               -> five PROBEs, 400 ms apart: the first RTT holds what the other end had to start

Sans-I/O. A `Liveness` is also the flow that carries its PROBE packets: they are made, and their time is taken, at the
moment they leave, so that the measured RTT holds none of our own queues. Source: docs/concepts/wire.md, section 1,
"Liveness", and section 3, "Cost".
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from firefly.errors import BadPacket
from firefly.packet import CONTROL, PROBE, PROBE_PAYLOAD, ProbeStep, pack_header

IDLE = 1.0  # seconds between probes of an idle link on mains power
IDLE_SAVING = 15.0  # the same on battery and towards hubs
SILENCE = 0.5  # seconds after something was sent
PROBE_INTERVAL = 0.3
PROBES = 3
MEASURE_INTERVAL = 15.0
EARLY, EARLY_INTERVAL = 5, 0.4  # answers to the PROBEs of a new link, and seconds between these
MINIMUM_WINDOW = 60.0  # seconds over which the minimum RTT is taken
UNMEASURED = 0.1  # seconds, assumed until the first answer
OUTSTANDING = 8  # questions and answers kept

_STEPS_PER_OCTAVE = 8


def quantized_cost(rtt: float) -> int:
    """RTT in seconds as µs in steps of 1/8 octave, at least 1: small noise does not move a route."""
    steps = round(_STEPS_PER_OCTAVE * math.log2(max(rtt * 1e6, 1.0)))
    return round(math.exp2(steps / _STEPS_PER_OCTAVE))


class RoundTrips:
    """The smallest RTT of the last 60 s: what the path takes without anybody's queues."""

    def __init__(self) -> None:
        self._minima: list[tuple[float, float]] = []  # (time, RTT), both ascending

    def add(self, rtt: float, now: float) -> None:
        minima = self._minima
        while minima and minima[-1][1] >= rtt:
            minima.pop()
        minima.append((now, rtt))
        while minima[0][0] < now - MINIMUM_WINDOW:
            del minima[0]

    @property
    def minimum(self) -> float | None:
        """Seconds; the last one known even if it is old."""
        return self._minima[0][1] if self._minima else None


@dataclass(slots=True)
class LivenessCounters:
    """PROBE traffic of one link."""

    asked: int = 0
    answered: int = 0
    measured: int = 0
    unexpected: int = 0  # answers to nothing that was asked


class Liveness:
    """The state of one link between `own` and `peer` (addresses). `ready(self)` is called when a PROBE should leave.

    The driver calls `heard` for every frame that opened, `sent` for every frame written, `receive` for the payload of
    a PROBE packet, and `on_timer` at `next_deadline`; `earlier` hears of a deadline that comes closer. When `down` is
    true the link must be closed.
    """

    __slots__ = (
        "_answers",
        "_ask",
        "_asked",
        "_heard",
        "_leaving",
        "_measured",
        "_number",
        "_owed",
        "_own",
        "_probed",
        "_ready",
        "_round_trips",
        "_unanswered",
        "counters",
        "destination",
        "down",
        "earlier",
        "idle",
    )

    priority = CONTROL

    def __init__(
        self, own: bytes, peer: bytes, ready: Callable[["Liveness"], None], now: float, *, idle: float = IDLE
    ) -> None:
        self.destination = peer
        self.down = False
        self.idle = idle
        self.counters = LivenessCounters()
        self.earlier: Callable[[float], None] = lambda deadline: None
        self._own = own
        self._ready = ready
        self._round_trips = RoundTrips()
        self._heard = now
        self._owed: float | None = None  # when we first sent after the last word of the peer
        self._unanswered = 0  # probes of the present silence
        self._probed = now
        self._measured = now
        self._ask = False
        self._leaving = 0  # answers in the frame that is being made
        self._answers: list[int] = []  # numbers to answer; when full the newest is dropped
        self._asked: dict[int, float] = {}
        self._number = 0
        self.probe()

    def probe(self) -> None:
        """Ask now, whatever the timers say."""
        self._ask = True
        self._ready(self)

    @property
    def rtt(self) -> float | None:
        """Minimum RTT of the last 60 s in seconds; None before the first answer."""
        return self._round_trips.minimum

    @property
    def cost(self) -> int:
        """The RTT as a routing cost in µs; the penalty of the link's kind is not in it."""
        rtt = self.rtt
        return quantized_cost(UNMEASURED if rtt is None else rtt)

    def shrink(self) -> None:
        """The link does nothing at present: gives up room that is not used."""
        if not self._asked:
            self._asked = {}  # a dict keeps the room of what it had

    def heard(self, now: float) -> None:
        self._heard = now
        self._owed = None
        self._unanswered = 0

    def sent(self, now: float, packets: int = 1) -> None:
        """A frame of so many packets has left."""
        answers, self._leaving = self._leaving, 0
        if packets > answers and self._owed is None:
            self._owed = now
            self.earlier(now + SILENCE)

    def receive(self, payload: bytes | memoryview, now: float) -> None:
        """Take the payload of a PROBE packet. Raises BadPacket, the peer's fault."""
        if len(payload) != PROBE_PAYLOAD.size:
            raise BadPacket("a PROBE has the wrong length")
        step, number = PROBE_PAYLOAD.unpack(payload)
        if step == ProbeStep.ASK:
            if len(self._answers) < OUTSTANDING:
                self._answers.append(number)
                self._ready(self)
        elif step == ProbeStep.ANSWER:
            self._answered(number, now)
        else:
            raise BadPacket("a PROBE neither asks nor answers")

    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        """The next PROBE packet, timed as it leaves."""
        if self._answers:
            self.counters.answered += 1
            self._leaving += 1
            return self._packet(ProbeStep.ANSWER, self._answers.pop(0))
        if not self._ask:
            return None
        self._ask = False
        self._number += 1
        self._asked[self._number] = now
        if len(self._asked) > OUTSTANDING:
            del self._asked[next(iter(self._asked))]
        self.counters.asked += 1
        return self._packet(ProbeStep.ASK, self._number)

    def next_deadline(self) -> float:
        """When `on_timer` is due; infinity once the link is down."""
        if self.down:
            return math.inf
        if self._unanswered:
            return self._probed + self._interval()
        measure = EARLY_INTERVAL if self.counters.measured < EARLY else MEASURE_INTERVAL
        due = min(max(self._heard, self._probed) + self.idle, max(self._measured, self._probed) + measure)
        return due if self._owed is None else min(due, self._owed + SILENCE)

    def on_timer(self, now: float) -> None:
        """Probe or give up. A driver that was itself asleep still grants the peer all three probes."""
        if self.down or now < self.next_deadline():
            return
        if self._unanswered >= PROBES:
            self.down = True
            return
        if self._unanswered or (self._owed is not None and now >= self._owed + SILENCE):
            self._unanswered += 1
        self._probed = now
        self.probe()

    def _interval(self) -> float:
        return max(PROBE_INTERVAL, 2 * (self.rtt or 0.0))

    def _answered(self, number: int, now: float) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            self.counters.unexpected += 1
            return
        self.counters.measured += 1
        self._measured = now
        self._round_trips.add(max(now - asked, 0.0), now)

    def _packet(self, step: int, number: int) -> bytes:
        payload: bytes = PROBE_PAYLOAD.pack(step, number)
        header = pack_header(PROBE, CONTROL, len(payload), self.destination, self._own)
        return header + payload
