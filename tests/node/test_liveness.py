"""Two ends of a link in virtual time: is the other still there, and how far away?"""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.errors import BadPacket
from firefly.packet import CONTROL, HEADER_SIZE, PROBE, PROBE_PAYLOAD, ProbeStep, parse_header
from node.liveness import (
    EARLY,
    EARLY_INTERVAL,
    IDLE,
    IDLE_SAVING,
    MEASURE_INTERVAL,
    OUTSTANDING,
    PROBE_INTERVAL,
    SILENCE,
    UNMEASURED,
    Liveness,
    RoundTrips,
    quantized_cost,
)

ONE, TWO = bytes([1]) * 16, bytes([2]) * 16


class Wire:
    """A `Liveness` and what it put on the link."""

    def __init__(self, now: float = 0.0, idle: float = IDLE) -> None:
        self.calls = 0
        self.liveness = Liveness(ONE, TWO, self._ready, now, idle=idle)

    def _ready(self, flow: Liveness) -> None:
        self.calls += 1

    def leave(self, now: float) -> list[tuple[int, int]]:
        """Let everything leave: (step, number)."""
        left = []
        while (packet := self.liveness.next_packet(4096, now, "link")) is not None:
            kind, _, priority, _, length, destination, source = parse_header(packet)
            assert (kind, priority, destination, source) == (PROBE, CONTROL, TWO, ONE)
            assert length == len(packet) - HEADER_SIZE
            left.append(PROBE_PAYLOAD.unpack(packet[HEADER_SIZE:]))
            self.liveness.sent(now)
        return left

    def hear(self, step: int, number: int, now: float) -> None:
        self.liveness.heard(now)
        self.liveness.receive(PROBE_PAYLOAD.pack(step, number), now)

    def silence(self, now: float, until: float) -> list[float]:
        """Nothing is heard: the times of the probes."""
        times = []
        while (due := self.liveness.next_deadline()) <= until:
            now = max(now, due)
            self.liveness.on_timer(now)
            times += [now] * len(self.leave(now))
        return times


def measured(rtt: float = 0.01) -> Wire:
    wire = Wire()
    ((_, number),) = wire.leave(0.0)
    wire.hear(ProbeStep.ANSWER, number, rtt)
    wire.liveness.counters.measured = EARLY  # it is no new link any more
    return wire


def test_a_new_link_is_measured_at_once() -> None:
    wire = Wire()
    assert wire.calls == 1
    assert wire.liveness.rtt is None
    assert wire.liveness.cost == quantized_cost(UNMEASURED)
    assert wire.leave(0.0) == [(ProbeStep.ASK, 1)]
    wire.hear(ProbeStep.ANSWER, 1, 0.025)
    assert wire.liveness.rtt == 0.025
    assert wire.liveness.cost == quantized_cost(0.025)


def test_a_new_link_is_soon_measured_again_as_its_first_answer_may_be_late() -> None:
    wire, now, rtts = Wire(idle=IDLE_SAVING), 0.0, [1.5, 0.02, 0.02, 0.02, 0.02]
    for rtt in rtts:
        wire.liveness.on_timer(now)
        ((_, number),) = wire.leave(now)
        wire.hear(ProbeStep.ANSWER, number, now + rtt)
        now = max(now + rtt, wire.liveness.next_deadline())
    assert now - IDLE_SAVING < 1.5 + EARLY * EARLY_INTERVAL
    assert wire.liveness.cost == quantized_cost(0.02)


def test_the_time_in_our_own_queue_is_not_measured() -> None:
    wire = Wire(now=0.0)
    assert wire.leave(5.0) == [(ProbeStep.ASK, 1)]
    wire.hear(ProbeStep.ANSWER, 1, 5.001)
    assert wire.liveness.rtt == pytest.approx(0.001)


def test_questions_are_answered_with_their_number() -> None:
    wire = measured()
    wire.hear(ProbeStep.ASK, 77, 0.5)
    assert wire.calls == 2
    assert wire.leave(0.5) == [(ProbeStep.ANSWER, 77)]


def test_an_idle_link_is_probed_every_second_or_every_fifteen() -> None:
    for idle in (IDLE, IDLE_SAVING):
        wire = Wire(idle=idle)
        now, asked = 0.0, []
        while now < 60.0:
            for _, number in wire.leave(now):
                asked.append(now)
                wire.hear(ProbeStep.ANSWER, number, now)
            now = wire.liveness.next_deadline()
            wire.liveness.on_timer(now)
        early, later = asked[:EARLY], asked[EARLY - 1 :]
        assert [after - before for before, after in pairwise(early)] == pytest.approx([EARLY_INTERVAL] * (EARLY - 1))
        assert [after - before for before, after in pairwise(later)] == pytest.approx([idle] * (len(later) - 1))


@pytest.mark.parametrize("idle", [IDLE, IDLE_SAVING])
def test_two_idle_ends_do_not_ask_after_each_others_answers(idle: float) -> None:
    ends, now = (Wire(idle=idle), Wire(idle=idle)), 0.0
    while now < 60.0:
        for near, far in (ends, ends[::-1]):
            near.liveness.on_timer(now)
            for step, number in near.leave(now):
                far.hear(step, number, now + 0.01)
        now += 0.02
    asked = [end.liveness.counters.asked for end in ends]
    assert sum(asked) <= 2 * (EARLY + 60.0 / idle)
    assert not any(end.liveness.down for end in ends)


def test_an_answer_beside_something_else_is_owed_an_answer() -> None:
    wire = measured()
    wire.hear(ProbeStep.ASK, 77, 1.0)
    assert wire.liveness.next_packet(4096, 1.0, "link") is not None
    wire.liveness.sent(1.0, 2)
    assert wire.silence(1.0, 1.6) == [1.5]


def test_silence_after_something_was_sent_ends_in_about_one_and_a_half_seconds() -> None:
    wire = measured()
    wire.liveness.sent(0.5)
    times = wire.silence(0.5, 10.0)
    assert times == pytest.approx([0.5 + SILENCE + part * PROBE_INTERVAL for part in range(3)])
    assert wire.liveness.down
    assert wire.liveness.next_deadline() == math.inf
    wire.liveness.on_timer(11.0)
    assert wire.leave(11.0) == []


def test_a_silent_idle_link_goes_down_too() -> None:
    wire = measured()
    times = wire.silence(0.01, 10.0)
    assert len(times) == 4
    assert wire.liveness.down


def test_any_frame_counts() -> None:
    wire, now = measured(), 0.01
    for _ in range(100):
        wire.liveness.sent(now)
        now += 0.4
        wire.liveness.heard(now)
        wire.liveness.on_timer(now)
        wire.leave(now)
    assert not wire.liveness.down
    wire.silence(now, now + SILENCE + 2.5 * PROBE_INTERVAL)
    wire.liveness.heard(now + 1.2)
    assert wire.silence(now + 1.2, now + 1.3) == []
    assert not wire.liveness.down


def test_a_slow_path_gets_twice_its_round_trip_per_probe() -> None:
    wire = measured(1.0)
    wire.liveness.sent(1.0)
    times = wire.silence(1.0, 20.0)
    assert times == pytest.approx([1.5, 3.5, 5.5])


def test_a_driver_that_slept_grants_all_three_probes() -> None:
    wire = measured()
    wire.liveness.sent(0.02)
    wire.liveness.on_timer(3600.0)
    assert not wire.liveness.down
    assert len(wire.leave(3600.0)) == 1
    assert wire.silence(3600.0, 3600.8) == pytest.approx([3600.3, 3600.6])
    wire.liveness.on_timer(3600.95)
    assert wire.liveness.down


def test_a_link_that_cannot_write_goes_down_as_well() -> None:
    wire = measured()
    wire.liveness.sent(0.02)
    while (due := wire.liveness.next_deadline()) < math.inf:
        wire.liveness.on_timer(due)
    assert wire.liveness.down


def test_a_busy_link_is_measured_now_and_then() -> None:
    wire, now = measured(), 0.01
    asked = 0
    while now < 60.0:
        now += 0.1
        wire.liveness.heard(now)
        wire.liveness.sent(now)
        wire.liveness.on_timer(now)
        for _, number in wire.leave(now):
            asked += 1
            wire.hear(ProbeStep.ANSWER, number, now)
    assert asked == int(60.0 / MEASURE_INTERVAL) - 1 or asked == int(60.0 / MEASURE_INTERVAL)


def test_answers_to_nothing_are_counted_and_ignored() -> None:
    wire = measured()
    wire.hear(ProbeStep.ANSWER, 99, 0.5)
    wire.hear(ProbeStep.ANSWER, 1, 0.5)
    assert wire.liveness.rtt == 0.01
    assert wire.liveness.counters.unexpected == 2


def test_questions_are_bounded() -> None:
    wire = measured()
    for number in range(100):
        wire.hear(ProbeStep.ASK, number, 0.5)
    assert [number for _, number in wire.leave(0.5)] == list(range(OUTSTANDING))
    for _ in range(100):
        wire.liveness.probe()
        wire.leave(0.6)
    assert len(wire.liveness._asked) == OUTSTANDING


@pytest.mark.parametrize("payload", [b"", bytes(8), bytes(10), PROBE_PAYLOAD.pack(0, 1), PROBE_PAYLOAD.pack(3, 1)])
def test_malformed_probes_end_the_link(payload: bytes) -> None:
    with pytest.raises(BadPacket):
        measured().liveness.receive(payload, 0.5)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(1e-6, 5)), min_size=1, max_size=50))
def test_the_minimum_is_that_of_the_last_minute(samples: list[tuple[float, float]]) -> None:
    trips, now, seen = RoundTrips(), 0.0, []
    for pause, rtt in samples:
        now += pause
        seen.append((now, rtt))
        trips.add(rtt, now)
        assert trips.minimum == min(rtt for when, rtt in seen if when >= now - 60.0)


def test_costs_go_in_steps_of_an_eighth_of_an_octave() -> None:
    assert quantized_cost(0.001024) == 1024
    assert quantized_cost(0.002048) == 2048
    assert len({quantized_cost(0.001024 * 2 ** (step / 8)) for step in range(8)}) == 8
    assert quantized_cost(0.001024 * 1.03) == 1024
    assert quantized_cost(0.0) == quantized_cost(1e-9) == 1


@given(st.floats(1e-6, 1000))
def test_a_cost_is_within_a_sixteenth_of_an_octave(rtt: float) -> None:
    assert abs(quantized_cost(rtt) - rtt * 1e6) <= rtt * 1e6 * (2 ** (1 / 16) - 1) + 0.5
