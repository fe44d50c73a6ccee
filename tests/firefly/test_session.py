"""Records arrive once and in order over any wire, and a session ends only when its peer, or silence, ends it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly import epochs, sealing
from firefly.acknowledgement import Ack, encode_control
from firefly.errors import Interrupted
from firefly.flow import CONTROL_LANE
from firefly.packet import BULK, DATA, HEADER_SIZE, INTERACTIVE
from firefly.sealing import SELDOM, cipher
from firefly.session import HEAD_SIZE, MAX_HELD
from firefly.testing.wire import End, Wire

LANES = (INTERACTIVE, BULK)


def _pair(seed: int = 1, **behaviour: float) -> tuple[Wire, End, End]:
    """Two ends with an open session over one link."""
    wire = Wire(seed)
    one, other = sorted((wire.end(), wire.end()), key=lambda end: end.address)
    wire.link(one, other, **behaviour)
    one.open(other)
    wire.run_until(lambda: bool(one.opened_sessions and other.opened_sessions))
    wire.run(1.0)
    return wire, one, other


def _records(count: int, size: int = 8) -> list[bytes]:
    return [number.to_bytes(size, "big") for number in range(count)]


def _lane(packet: bytes) -> int:
    """-1 for what belongs to no session."""
    return packet[HEAD_SIZE - 8] >> 6 if packet[0] & 15 == DATA else -1


def _sent(wire: Wire, source: End, lane: int, since: float = 0.0) -> list[bytes]:
    return [
        sent.packet
        for sent in wire.log
        if sent.source == source.address and sent.at >= since and _lane(sent.packet) == lane
    ]


# --- delivery


@given(
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 0.4),
    duplication=st.floats(0, 0.5),
    jitter=st.floats(0, 0.2),
    counts=st.tuples(*[st.integers(0, 60)] * 4),
)
def test_everything_arrives_once_and_in_order(
    seed: int, loss: float, duplication: float, jitter: float, counts: tuple[int, int, int, int]
) -> None:
    wire, one, other = _pair(seed)
    link = wire.links[0]
    link.loss, link.duplication, link.jitter = loss, duplication, jitter
    directions = list(itertools.product(((one, other), (other, one)), LANES))
    for ((source, target), lane), count in zip(directions, counts, strict=True):
        source.send(target, lane, *_records(count))
    expected = {(target, lane): _records(count) for ((_, target), lane), count in zip(directions, counts, strict=True)}
    if any(counts):
        wire.run_until(lambda: all(end.got[lane] == records for (end, lane), records in expected.items()), 600)
    wire.run(30)
    assert {(end, lane): end.got[lane] for end, lane in expected} == expected


def test_a_session_that_does_nothing_rests_and_wakes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, one, other = _pair()
    made: list[bytes] = []
    monkeypatch.setattr(sealing, "cipher", lambda kind, key: made.append(key) or cipher(kind, key))
    for session in (one.session(other), other.session(one)):
        session.rest()  # it has worked until now
    for _ in range(SELDOM):
        one.send(other, INTERACTIVE, b"busy")
        wire.run(1)
    made.clear()
    one.send(other, INTERACTIVE, b"awake")
    wire.run(1)
    while_awake = len(made)
    for session in (one.session(other), other.session(one)):
        session.rest()
        session.rest()
    one.send(other, INTERACTIVE, b"woken")
    wire.run(1)
    assert other.got[INTERACTIVE][-2:] == [b"awake", b"woken"]
    assert (while_awake, len(made)) == (0, 4)


def test_a_lane_does_not_wait_for_the_other() -> None:
    wire, one, other = _pair()
    wire.drop = lambda packet: _lane(packet) == BULK
    one.send(other, BULK, b"copy")
    one.send(other, INTERACTIVE, b"call")
    wire.run(0.5)
    assert other.got == {INTERACTIVE: [b"call"], BULK: []}


def test_what_waits_is_sealed_only_when_a_link_takes_it() -> None:
    wire, one, other = _pair()
    wire.lose(wire.links[0])
    one.send(other, INTERACTIVE, b"late")
    wire.run(5)
    assert one.session(other).window.used == 0
    wire.link(one, other)
    wire.run(1)
    assert other.got[INTERACTIVE] == [b"late"]


# --- acknowledgement


def test_an_ack_waits_5_ms_for_more() -> None:
    wire, one, other = _pair(delay=0.0)
    began = wire.now
    one.send(other, INTERACTIVE, b"a")
    wire.run(0.004)
    one.send(other, BULK, b"b")
    assert _sent(wire, other, CONTROL_LANE, began) == []
    wire.run(0.004)
    assert len(_sent(wire, other, CONTROL_LANE, began)) == 1
    assert one.session(other).window.used == 0


def test_64_records_or_256_kib_are_acknowledged_at_once() -> None:
    for records, count in ((_records(64), 1), (_records(63), 0), ([bytes(2**16)] * 4, 1), ([bytes(2**16)] * 3, 0)):
        wire, one, other = _pair(delay=0.0)
        one.session(other).window.limit = 2**20  # enough for them, so that nothing asks for an ACK
        began = wire.now
        one.send(other, BULK, *records)
        wire.run(0.001)
        assert len(_sent(wire, other, CONTROL_LANE, began)) == count


def test_a_gap_and_a_ping_are_answered_at_once() -> None:
    wire, one, other = _pair(delay=0.0)
    lost = iter([True])
    wire.drop = lambda packet: _lane(packet) == BULK and next(lost, False)
    began = wire.now
    one.send(other, BULK, *_records(2))
    wire.run(0.001)
    assert len(_sent(wire, other, CONTROL_LANE, began)) == 1
    one.session(other).doubt(wire.now)
    wire.run(0.001)
    assert len(_sent(wire, other, CONTROL_LANE, began)) == 2


def test_what_is_resent_is_what_was_sent() -> None:
    wire, one, other = _pair()
    lost = iter([True])
    wire.drop = lambda packet: _lane(packet) == BULK and next(lost, False)
    began = wire.now
    one.send(other, BULK, b"once")
    wire.run(1)
    first, *more = _sent(wire, one, BULK, began)
    assert more == [first]
    assert other.got[BULK] == [b"once"]


def test_three_later_ones_are_enough_to_send_again() -> None:
    wire, one, other = _pair(delay=0.05)
    one.send(other, BULK, b"measure")
    wire.run(1)
    lost = iter([True])
    wire.drop = lambda packet: _lane(packet) == BULK and next(lost, False)
    began = wire.now
    one.send(other, BULK, *_records(4))
    wire.run(0.16)
    assert other.got[BULK][1:] == _records(4)
    assert len(_sent(wire, one, BULK, began)) == 5


def test_the_oldest_leaves_again_later_and_later() -> None:
    wire, one, other = _pair(delay=0.001)
    one.send(other, BULK, b"measure")
    wire.run(1)
    wire.drop = lambda packet: True
    began = wire.now
    one.send(other, BULK, *_records(3))
    wire.run(20)
    first = _sent(wire, one, BULK, began)[0]
    at = [sent.at for sent in wire.log if sent.packet == first]
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert 0.0199 <= pauses[0] < 0.06
    assert all(later <= max(2 * earlier + 1e-6, 2.0) for earlier, later in itertools.pairwise(pauses))
    assert pauses[-1] == pytest.approx(2.0)


def test_what_left_by_a_lost_link_leaves_again_at_once() -> None:
    wire, one, other = _pair(delay=0.2)
    wire.link(one, other, delay=0.01)
    one.send(other, BULK, *_records(100))
    wire.run(0.01)
    wire.lose(wire.links[0])
    wire.run(0.02)
    assert other.got[BULK] == _records(100)


# --- bounds


def test_no_more_than_the_window_is_under_way() -> None:
    wire, one, other = _pair()
    wire.drop = lambda packet: _lane(packet) != CONTROL_LANE
    began, limit = wire.now, one.session(other).window.limit
    one.send(other, BULK, *[bytes(2**15)] * 40)
    wire.run(0.01)
    assert limit <= sum(map(len, _sent(wire, one, BULK, began))) < limit + 2**16
    assert _sent(wire, one, INTERACTIVE, began) == []
    wire.drop = lambda packet: False
    wire.run(30)
    assert len(other.got[BULK]) == 40
    assert one.session(other).window.used == 0


def test_a_call_leaves_although_the_window_is_full_of_bulk() -> None:
    wire, one, other = _pair()
    wire.drop = lambda packet: _lane(packet) == BULK
    began = wire.now
    one.send(other, BULK, *[bytes(2**15)] * 40)
    wire.run(0.001)
    one.send(other, INTERACTIVE, b"call")
    wire.run(0.001)
    assert len(_sent(wire, one, INTERACTIVE, began)) == 1


@pytest.mark.parametrize("size", [0, 60_000])
def test_at_most_8_mib_are_held_above_a_gap(size: int) -> None:
    """Also when the peer, who knows the keys, breaks every limit of its own."""
    wire, one, other = _pair()
    ours = one.session(other)
    seal = ours._seal  # a peer that does what it should not
    for counter in range(1, 40_000 if size == 0 else 200):
        wire.inject(seal(BULK, counter, bytes(size), wire.now))
    theirs = other.session(one)
    held = theirs._receiving[BULK].held
    assert sum(map(len, held.values())) + 200 * len(held) <= MAX_HELD
    assert theirs.counters.refused > 0
    wire.inject(seal(BULK, 0, b"", wire.now))
    assert len(other.got[BULK]) > len(held) == 0
    assert other.sessions._held.used == 0


def test_an_unlinked_session_gathers_nothing_to_say() -> None:
    wire, one, other = _pair()
    wire.lose(wire.links[0])
    session = one.session(other)
    began = wire.now
    for _ in range(100):
        session.doubt(wire.now)
        session.acknowledge()
        wire.run(0.1)
    wire.link(one, other)
    wire.run(0.005)
    assert len(_sent(wire, one, CONTROL_LANE, began)) <= 2


# --- keys


def test_keys_change_on_the_way_without_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "EPOCH_RECORDS", 5)
    wire, one, other = _pair(seed=3, loss=0.2, duplication=0.2, jitter=0.05)
    for part in range(20):
        one.send(other, BULK, *_records(30)[part:])
        other.send(one, INTERACTIVE, *_records(30)[part:])
        wire.run(5)
    assert other.got[BULK] == [record for part in range(20) for record in _records(30)[part:]]
    assert one.got[INTERACTIVE] == other.got[BULK]
    assert one.session(other)._sealing.bits >> epochs.COUNTER_BITS > 20


def test_keys_change_after_an_hour() -> None:
    wire, one, other = _pair()
    for _ in range(5):
        wire.run(1800)
        one.send(other, INTERACTIVE, b"tick")
        wire.run(1)
    assert len(other.got[INTERACTIVE]) == 5
    assert one.session(other)._sealing.bits >> epochs.COUNTER_BITS == 2
    assert not one.closed_sessions


# --- life


def test_with_something_open_silence_is_broken_every_15_s() -> None:
    wire, one, other = _pair()
    began = wire.now
    wire.run(100)
    for end in (one, other):
        assert 5 <= len(_sent(wire, end, CONTROL_LANE, began)) <= 8
    assert not one.closed_sessions


def test_a_peer_that_is_gone_is_lost_after_60_s() -> None:
    wire, one, other = _pair()
    one.send(other, INTERACTIVE, b"measure")
    wire.run(1)
    wire.drop = lambda packet: True
    began = wire.now
    one.send(other, INTERACTIVE, b"nobody")
    wire.run_until(lambda: bool(one.closed_sessions), 100)
    assert 59 <= wire.now - began <= 61
    assert isinstance(one.closed_sessions[0][1], Interrupted)
    assert len(_sent(wire, one, CONTROL_LANE, began)) <= 4


def test_with_nothing_open_a_session_ends_after_10_min() -> None:
    wire, one, other = _pair()
    one.is_busy = other.is_busy = False
    began = wire.now
    wire.run_until(lambda: bool(one.closed_sessions and other.closed_sessions), 700)
    assert 590 <= wire.now - began <= 630
    assert None in (one.closed_sessions[0][1], other.closed_sessions[0][1])


def test_a_replayed_record_is_no_sign_of_life() -> None:
    wire, one, other = _pair()
    other.send(one, INTERACTIVE, b"old")
    wire.run(1)
    old = _sent(wire, other, INTERACTIVE)[-1]
    wire.drop = lambda packet: True
    one.send(other, INTERACTIVE, b"nobody")
    for _ in range(70):
        wire.run(1)
        wire.inject(old)
    assert len(one.closed_sessions) == 1
    assert one.got[INTERACTIVE] == [b"old"]


def test_a_close_tells_the_peer_why() -> None:
    wire, one, other = _pair()
    one.session(other).close("tired", wire.now)
    wire.run(1)
    assert one.closed_sessions[0][1] is None
    error = other.closed_sessions[0][1]
    assert isinstance(error, Interrupted)
    assert error.cause == "tired"


# --- what a peer may not do


def _say(end: End, peer: End, message: bytes) -> None:
    session = end.session(peer)
    end.wire.inject(session._seal(CONTROL_LANE, 1000, message, end.wire.now))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        encode_control(Ack([(1, 1, [])])),
        encode_control(Ack([(2, 0, [(1, 2**48)])])),
        encode_control(Ack([(2, 0, [(2, 1)])])),
        b"\x93\x01\x91\x93\x01\x00" + b"\x91\x92\x01" + b"\xcf" + b"\xff" * 8 + b"\x00",
    ],
)
def test_a_peer_that_breaks_the_rules_ends_the_session_with_the_reason(message: bytes) -> None:
    wire, one, other = _pair()
    _say(other, one, message)
    wire.run(1)
    assert isinstance(one.closed_sessions[0][1], Interrupted)
    assert isinstance(other.closed_sessions[0][1], Interrupted)


@given(st.binary(max_size=64))
def test_no_control_record_does_harm(message: bytes) -> None:
    wire, one, other = _pair()
    _say(other, one, message)
    wire.run(1)
    one.send(other, INTERACTIVE, b"still")
    wire.run(5)
    assert other.got[INTERACTIVE] == [b"still"]


@given(st.data())
def test_forged_and_replayed_packets_change_nothing(data: st.DataObject) -> None:
    wire, one, other = _pair(seed=5)
    one.send(other, BULK, *_records(5))
    other.send(one, BULK, *_records(5))
    wire.run(1)
    seen = [sent.packet for sent in wire.log]
    for _ in range(data.draw(st.integers(1, 20))):
        packet = bytearray(data.draw(st.sampled_from(seen)))
        for place in data.draw(st.lists(st.integers(24, len(packet) - 1), max_size=3)):
            packet[place] ^= data.draw(st.integers(1, 255))
        cut = data.draw(st.integers(0, 30))
        wire.inject(bytes(packet[: max(HEADER_SIZE, len(packet) - cut)]))
        wire.run(0.01)
    wire.run(20)
    assert one.closed_sessions == other.closed_sessions == []
    one.send(other, BULK, b"still")
    wire.run(1)
    assert other.got[BULK] == [*_records(5), b"still"]
    assert one.got[BULK] == _records(5)
    assert [len(one.opened_sessions), len(other.opened_sessions)] == [1, 1]


def test_each_byte_of_a_record_counts() -> None:
    wire, one, other = _pair()
    keep: list[bytes] = []
    wire.drop = lambda packet: keep.append(packet) is None if _lane(packet) == BULK else False
    one.send(other, BULK, b"x")
    wire.pump()
    (packet,) = keep
    theirs = other.session(one)
    for place in [2, *range(8, len(packet))]:
        changed = packet[:place] + bytes((packet[place] ^ 1,)) + packet[place + 1 :]
        other.sessions.receive(changed, wire.now, None)
    assert other.got[BULK] == []
    assert theirs.counters.received == other.opened_sessions[0].counters.received
    other.sessions.receive(packet, wire.now, None)
    assert other.got[BULK] == [b"x"]


def test_forged_epochs_cost_one_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, one, other = _pair()
    made: list[int] = []
    derive = epochs.cipher
    monkeypatch.setattr(epochs, "cipher", lambda kind, key: made.append(1) or derive(kind, key))
    session = other.session(one)
    template = one.session(other)._seal(BULK, 0, b"x", wire.now)
    for epoch in range(2**14):
        number = BULK << 62 | epoch << 48
        session.receive(template, number, wire.now)
    assert len(made) == 1
    assert session.counters.forged == 2**14 - 1
